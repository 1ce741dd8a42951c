"""The REST API's part of the chart: nothing unless asked for, no right, and no door that was not opened."""

import pytest

from modelsync.api import naming
from modelsync.runtime.cluster import permissions
from tests.chart import helm, rendered

ON = "web.enabled=true"
ROLES = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")


def names(kind: str, *settings: str) -> set[str]:
    return {each["metadata"]["name"] for each in helm.of_kind(helm.template(*settings), kind)}


def test_it_is_off_by_default() -> None:
    assert not [each for each in helm.template() if each["metadata"]["name"].endswith("-web")]


@pytest.mark.parametrize("more", ["", ",watch.namespaces={a}"])
def test_history_needs_one_right_more_of_the_operator_and_none_without_it(more: str) -> None:
    off, on = f"{ON},web.history=false{more}", f"{ON}{more}"
    base = ("watch.namespaces={a}",) if more else ()
    for kind in ROLES:
        assert names(kind, off) == names(kind, *base)
        added = {"modelsync-token-reviews"} if kind.startswith("Cluster") else set()
        assert names(kind, on) - names(kind, off) == added
    objects = helm.template(on)
    (role,) = [
        each
        for each in helm.of_kind(objects, "ClusterRole")
        if each["metadata"]["name"] == "modelsync-token-reviews"
    ]
    (wanted,) = permissions.HISTORY_PERMISSIONS
    assert role["rules"] == [
        {"apiGroups": [wanted.api_group], "resources": [wanted.resource], "verbs": list(wanted.verbs)}
    ]
    (binding,) = [
        each
        for each in helm.of_kind(objects, "ClusterRoleBinding")
        if each["roleRef"]["name"] == "modelsync-token-reviews"
    ]
    assert [subject["name"] for subject in binding["subjects"]] == ["modelsync"]


def test_history_is_read_by_the_web_server_alone_and_its_token_is_for_nothing_else() -> None:
    objects = helm.template(ON)
    services = {each["metadata"]["name"]: each["spec"] for each in helm.of_kind(objects, "Service")}
    assert services["modelsync-history"]["clusterIP"] == "None"
    (port,) = services["modelsync-history"]["ports"]
    assert port["port"] == naming.HISTORY_PORT
    policies = {each["metadata"]["name"]: each["spec"] for each in helm.of_kind(objects, "NetworkPolicy")}
    rules = [each for each in policies["modelsync"]["ingress"] if each["ports"][0]["port"] == "history"]
    web_labels = policies["modelsync-web"]["podSelector"]["matchLabels"]
    assert [each["from"] for each in rules] == [[{"podSelector": {"matchLabels": web_labels}}]]
    deployments = {each["metadata"]["name"]: each for each in helm.of_kind(objects, "Deployment")}
    pod = deployments["modelsync-web"]["spec"]["template"]["spec"]
    tokens = [
        source["serviceAccountToken"]
        for volume in pod["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
    ]
    assert [token["audience"] for token in tokens] == [naming.HISTORY_AUDIENCE]
    (operator,) = deployments["modelsync"]["spec"]["template"]["spec"]["containers"]
    namespace = deployments["modelsync"]["metadata"]["namespace"]
    reader = f"system:serviceaccount:{namespace}:{pod['serviceAccountName']}"
    assert rendered.configured(objects).history.reader == reader
    assert {"name": "history", "containerPort": naming.HISTORY_PORT} in operator["ports"]
    (web,) = pod["containers"]
    assert f"--operator-history=modelsync-history.{namespace}.svc:{naming.HISTORY_PORT}" in web["args"]


@pytest.mark.parametrize("settings", [(), (f"{ON},web.history=false",)])
def test_without_history_nothing_of_it_is_there(settings: tuple[str, ...]) -> None:
    objects = helm.template(*settings)
    assert rendered.configured(objects).history.reader is None
    apart_from_texts = [each for each in objects if each["kind"] != "ConfigMap"]
    assert "history" not in str(apart_from_texts)


def test_it_has_no_right_and_no_token_for_the_api_server_and_is_restricted() -> None:
    objects = helm.template(ON)
    accounts = {each["metadata"]["name"]: each for each in helm.of_kind(objects, "ServiceAccount")}
    bindings = [each for kind in ROLES[2:] for each in helm.of_kind(objects, kind)]
    subjects = {subject["name"] for each in bindings for subject in each["subjects"]}
    assert "modelsync-web" in accounts.keys() - subjects
    found = helm.of_kind(objects, "Deployment")
    (web,) = [each for each in found if each["metadata"]["name"].endswith("-web")]
    pod = web["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"name": "session", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}} in pod["volumes"]
    operator = next(each for each in found if each is not web)
    assert container["image"] == operator["spec"]["template"]["spec"]["containers"][0]["image"]


@pytest.mark.parametrize(
    ("setting", "argument"),
    [
        ("web.readOnly=true", "--read-only"),
        ("web.hosts={models.example.org}", "--allowed-host=models.example.org"),
        ("web.tokenHeader=X-Forwarded-Access-Token", "--token-header=X-Forwarded-Access-Token"),
        ("watch.namespaces={a}", "--namespace=a"),
    ],
)
def test_settings_reach_the_command(setting: str, argument: str) -> None:
    for given, wanted in ((ON, False), (f"{ON},{setting}", True)):
        found = helm.of_kind(helm.template(given), "Deployment")
        (web,) = [each for each in found if each["metadata"]["name"].endswith("-web")]
        assert (argument in web["spec"]["template"]["spec"]["containers"][0]["args"]) is wanted


def test_nobody_connects_who_was_not_let_in_and_only_to_its_pods() -> None:
    policies = {each["metadata"]["name"]: each for each in helm.of_kind(helm.template(ON), "NetworkPolicy")}
    closed = policies["modelsync-web"]["spec"]
    assert closed["ingress"] == []
    assert closed["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "web"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("web.ingress.enabled=true", "web.hosts"),
        ("web.httpRoute.enabled=true", "web.httpRoute"),
    ],
)
def test_what_cannot_work_is_refused(settings: str, said: str) -> None:
    done = helm.run("template", "modelsync", helm.CHART, "--set", f"{ON},{settings}")
    assert done.returncode != 0 and said in done.stderr


def test_ingress_and_route_lead_to_its_service() -> None:
    route = "web.httpRoute.enabled=true,web.httpRoute.parentRefs[0].name=gate"
    objects = helm.template(f"{ON},web.hosts={{models.example.org}},web.ingress.enabled=true,{route}")
    (ingress,) = helm.of_kind(objects, "Ingress")
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["models.example.org"]
    (found,) = helm.of_kind(objects, "HTTPRoute")
    assert found["spec"]["rules"][0]["backendRefs"] == [{"name": "modelsync-web", "port": 80}]
