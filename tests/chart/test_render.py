"""The chart as rendered by real Helm: what it contains, and what it says."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from modelsync.api import naming
from modelsync.core.jobs import job_manifest
from modelsync.runtime.cluster import permissions
from tests import builders
from tests.chart import helm, rendered

GOLDEN = Path("tests/chart/golden/rbac.yaml")
POD = "spec.template.spec"


def test_lint_is_clean() -> None:
    done = helm.run("lint", "--strict", helm.CHART)
    assert done.returncode == 0, done.stdout
    assert "0 chart(s) failed" in done.stdout


def test_crds_are_the_generated_ones_and_are_kept() -> None:
    shipped = {path.name: path.read_text() for path in Path("charts/modelsync/files/crds").glob("*.yaml")}
    generated = {path.name: path.read_text() for path in Path("crds").glob("*.yaml")}
    assert shipped == generated
    rendered = helm.of_kind(helm.template(definitions=True), "CustomResourceDefinition")
    assert len(rendered) == len(generated)
    specs = [yaml.safe_load(text)["spec"] for text in generated.values()]
    for crd in rendered:
        assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        assert crd["spec"] in specs


def test_crds_can_be_left_to_others_or_not_kept() -> None:
    objects = helm.template(definitions=True)
    definitions = helm.of_kind(objects, "CustomResourceDefinition")
    assert definitions
    without = helm.template("crds.enabled=false")
    assert without == [each for each in objects if each not in definitions], "nothing else depends on it"
    (one, _) = helm.of_kind(helm.template("crds.keep=false", definitions=True), "CustomResourceDefinition")
    assert "helm.sh/resource-policy" not in one["metadata"].get("annotations", {})


def rights(objects: list[dict[str, Any]], kinds: tuple[str, ...]) -> dict[str, list[str]]:
    """Verbs by `scope group/resource`, of the operator's own roles."""
    found: dict[str, set[str]] = {}
    for role in objects:
        if role["kind"] not in kinds or role["metadata"]["name"].endswith(("-view", "-edit")):
            continue
        scope = "operator" if role["metadata"]["name"].endswith("-own") else "watched"
        for rule in role["rules"]:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    found.setdefault(f"{scope} {group}/{resource}", set()).update(rule["verbs"])
    return {key: sorted(verbs) for key, verbs in sorted(found.items())}


@pytest.mark.parametrize(
    "settings",
    [pytest.param((), id="cluster mode"), pytest.param(("watch.namespaces={a,b}",), id="namespaced mode")],
)
def test_rights_are_the_table_of_the_code_and_the_golden_file(settings: tuple[str, ...]) -> None:
    table: dict[str, set[str]] = {}
    for rule in permissions.PERMISSIONS:
        table.setdefault(f"{rule.scope} {rule.api_group}/{rule.resource}", set()).update(rule.verbs)
    wanted = {key: sorted(verbs) for key, verbs in sorted(table.items())}
    rendered = rights(helm.template(*settings), ("Role", "ClusterRole"))
    assert rendered == wanted
    assert yaml.safe_load(GOLDEN.read_text()) == wanted


def test_rights_contain_no_secret_no_wildcard_and_no_exec() -> None:
    golden = GOLDEN.read_text()
    for word in ("secrets", "*", "exec", "nodes", "escalate", "impersonate", "bind"):
        assert word not in golden


@pytest.mark.parametrize(
    ("setting", "names"),
    [("queueAccess.enabled=true", ["default"]), ("queueAccess.open={a,b}", ["a", "b"])],
)
def test_roles_of_users_may_use_the_open_queues_and_no_others(setting: str, names: list[str]) -> None:
    roles = helm.of_kind(helm.template(setting), "ClusterRole")
    found = [rule for role in roles for rule in role["rules"] if "use" in rule["verbs"]]
    assert found == [
        {
            "apiGroups": ["modelsync.dev"],
            "resources": ["syncqueues"],
            "resourceNames": names,
            "verbs": ["use"],
        }
    ]


def test_no_open_queue_is_no_right_on_all_of_them() -> None:
    roles = helm.of_kind(helm.template("queueAccess.open=null"), "ClusterRole")
    assert not [rule for role in roles for rule in role["rules"] if "use" in rule["verbs"]]


def test_namespaced_mode_has_no_cluster_role_of_the_operator() -> None:
    objects = helm.template("watch.namespaces={a}", "rbac.aggregateClusterRoles=false")
    assert not helm.of_kind(objects, "ClusterRole")
    assert not helm.of_kind(objects, "ClusterRoleBinding")
    (deployment,) = helm.of_kind(objects, "Deployment")
    assert "--namespace=a" in deployment["spec"]["template"]["spec"]["containers"][0]["args"]


def test_in_each_watched_namespace_only_the_operator_reaches_a_worker() -> None:
    objects = helm.template("watch.namespaces={a,b}")
    _, *policies = helm.of_kind(objects, "NetworkPolicy")
    assert [policy["metadata"]["namespace"] for policy in policies] == ["a", "b"]
    (deployment,) = helm.of_kind(objects, "Deployment")
    operator = deployment["spec"]["template"]["metadata"]["labels"]
    labels = job_manifest.render_job(
        builders.a_sync().build(), 1, "key", job_manifest.JobSettings(image="i")
    )["spec"]["template"]["metadata"]["labels"]
    for policy in policies:
        spec = policy["spec"]
        assert spec["podSelector"]["matchLabels"].items() <= labels.items()
        assert {each["key"] for each in spec["podSelector"]["matchExpressions"]} <= labels.keys()
        (rule,) = spec["ingress"]
        (caller,) = rule["from"]
        assert caller["podSelector"]["matchLabels"].items() <= operator.items()
        assert list(caller["namespaceSelector"]["matchLabels"]) == ["kubernetes.io/metadata.name"]
        assert rule["ports"] == [{"protocol": "TCP", "port": naming.WORKER_PORT}]
        assert spec["policyTypes"] == ["Ingress"], "what a worker asks for is bounded elsewhere"


def test_one_value_places_all_policies_or_none() -> None:
    assert len(helm.of_kind(helm.template("watch.namespaces={a,b}"), "NetworkPolicy")) == 3
    assert not helm.of_kind(
        helm.template("watch.namespaces={a}", "networkPolicy.enabled=false"), "NetworkPolicy"
    )


@pytest.mark.parametrize(
    ("settings", "callers"),
    [
        pytest.param(
            (),
            [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            id="the namespace monitoring",
        ),
        pytest.param(("networkPolicy.metricsFrom=null",), None, id="nobody"),
        pytest.param(
            ("networkPolicy.metricsFrom[0].ipBlock.cidr=10.0.0.0/8",),
            [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
            id="a block",
        ),
    ],
)
def test_of_the_operators_ports_only_metrics_are_reached(
    settings: tuple[str, ...], callers: list[dict[str, Any]] | None
) -> None:
    objects = helm.template(*settings)
    (policy,) = helm.of_kind(objects, "NetworkPolicy")
    (deployment,) = helm.of_kind(objects, "Deployment")
    pod = deployment["spec"]["template"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    ports = [{"protocol": "TCP", "port": "metrics"}]
    assert policy["spec"]["ingress"] == ([] if callers is None else [{"from": callers, "ports": ports}])


def test_probes_and_metrics_have_ports_of_their_own() -> None:
    objects = helm.template("metrics.serviceMonitor.enabled=true")
    (deployment,) = helm.of_kind(objects, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"metrics": naming.METRICS_PORT, "health": naming.HEALTH_PORT}
    assert {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")} == {
        "health"
    }
    (service,) = helm.of_kind(objects, "Service")
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["metrics"]
    (monitor,) = helm.of_kind(objects, "ServiceMonitor")
    assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == ["metrics"]


def test_operators_pod_passes_the_restricted_standard() -> None:
    (deployment,) = helm.of_kind(helm.template(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]


def test_optional_objects_come_only_when_asked_for() -> None:
    kinds = {found["kind"] for found in helm.template()}
    assert "ServiceMonitor" not in kinds
    assert {"ConfigMap", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} <= kinds
    off = helm.template("admissionPolicy.enabled=false", "metrics.dashboard.enabled=false")
    assert "ValidatingAdmissionPolicy" not in {found["kind"] for found in off}
    assert [each["metadata"]["name"] for each in helm.of_kind(off, "ConfigMap")] == ["modelsync-config"]
    on = helm.template(
        "metrics.serviceMonitor.enabled=true", "metrics.serviceMonitor.additionalLabels.release=p"
    )
    (monitor,) = helm.of_kind(on, "ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "p"
    assert monitor["spec"]["endpoints"][0]["honorLabels"] is True


def test_queues_are_a_hook_and_can_be_left_out() -> None:
    (queue,) = helm.of_kind(helm.template(), "SyncQueue")
    assert queue["metadata"]["annotations"]["helm.sh/hook"] == "post-install,post-upgrade"
    assert queue["spec"] == {"maxActive": 1}
    assert not helm.of_kind(helm.template("queues.default=null"), "SyncQueue")


def test_all_objects_carry_the_name_of_the_product() -> None:
    wanted = ("metrics.serviceMonitor.enabled=true", "commonLabels.team=ml")
    for found in helm.template(*wanted, definitions=True):
        labels = found["metadata"]["labels"]
        assert (labels["app.kubernetes.io/name"], labels["team"]) == ("modelsync", "ml"), found["kind"]


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        pytest.param(("image.repository=r/m",), ("r/m:0.1.0", "r/m:0.1.0"), id="the chart's version"),
        pytest.param(
            ("image.repository=r/m", "image.tag=v2"),
            ("r/m:v2", "r/m:v2"),
            id="one tag for operator and workers",
        ),
        pytest.param(
            ("image.repository=r/m", "config.worker.image=r/m:w"),
            ("r/m:0.1.0", "r/m:w"),
            id="workers of their own",
        ),
        pytest.param(
            ("image.repository=r/m", "image.tag=v2", f"image.digest=sha256:{'0' * 64}"),
            (f"r/m@sha256:{'0' * 64}", f"r/m@sha256:{'0' * 64}"),
            id="a digest wins",
        ),
    ],
)
def test_images_of_operator_and_workers(settings: tuple[str, ...], wanted: tuple[str, str]) -> None:
    objects = helm.template(*settings)
    (deployment,) = helm.of_kind(objects, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert (container["image"], rendered.configured(objects).worker.image) == wanted


DELETES_CRDS = "kubectl delete crd modelsyncs.modelsync.dev syncqueues.modelsync.dev"


@pytest.fixture(scope="module")
def printing_notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the chart that prints its notes."""
    return helm.printing_notes(tmp_path_factory.mktemp("notes"))


STAYS, GOES = "Uninstalling keeps every ModelSync", "UNINSTALLING DELETES"


@pytest.mark.parametrize(
    ("settings", "says", "not_a_word_of"),
    [
        pytest.param(
            (), ("in all namespaces", "runs in", "(default, ", STAYS, DELETES_CRDS), (GOES,), id="defaults"
        ),
        pytest.param(
            ("replicaCount=0",), ("does not run: replicaCount is 0",), ("runs in",), id="no replica"
        ),
        pytest.param(
            ("watch.namespaces={team-a,team-b}",),
            ("in: team-a, team-b", "apply --namespace team-a", "modelsyncs --namespace team-a -w"),
            ("all namespaces",),
            id="some namespaces",
        ),
        pytest.param(
            ("config.attempts.disabled=true",), ("Downloads are disabled",), (), id="downloads disabled"
        ),
        pytest.param(("queues=null",), ("No SyncQueue was made",), ("(default",), id="no queue"),
        pytest.param(
            ("queues.default=null", "queues.big.maxActive=2"),
            ('No SyncQueue "default"', "(big, "),
            (),
            id="another queue",
        ),
        pytest.param(("queues.default.maxActive=0",), ("admits nothing",), (), id="a queue without slots"),
        pytest.param(("queues.default.suspend=true",), ("admits nothing",), (), id="a suspended queue"),
        pytest.param(("crds.keep=false",), (GOES,), (STAYS, DELETES_CRDS), id="definitions go"),
        pytest.param(
            ("crds.enabled=false",),
            (
                STAYS,
                "are not this release's",
                "kubectl delete syncqueue default --namespace modelsync-system",
            ),
            (DELETES_CRDS, GOES),
            id="definitions of others",
        ),
        pytest.param(("rbac.create=false",), ("ServiceAccount modelsync",), (), id="rights of others"),
    ],
)
def test_notes_promise_what_the_values_bring(
    printing_notes: Path, settings: tuple[str, ...], says: tuple[str, ...], not_a_word_of: tuple[str, ...]
) -> None:
    printed = helm.notes(printing_notes, *settings)
    assert [words for words in says if words not in printed] == []
    assert [words for words in not_a_word_of if words in printed] == []
