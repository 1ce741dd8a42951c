"""The chart on a real API server: the first installation, upgrades, and a removal that costs nobody a model.

Each test begins with whatever the one before left, and says what it needs: an installed release is upgraded
to the values of the test, which is what clusters live through. What the API server and Helm do alone is tried
without a running operator, whose start and end are most of an upgrade's time.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev import kube
from dev.origins.hub import HubServer, Repository, Synthetic
from tests.chart import helm, release

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.alone,
    pytest.mark.skipif(
        "KUBECONFIG" not in os.environ or shutil.which("kubectl") is None,
        reason="no cluster: run `make test`, or set KUBECONFIG",
    ),
]
SPACE, OTHER = "chart-models", "chart-other"
NO_OPERATOR = "replicaCount=0"


@pytest.fixture(scope="module", autouse=True)
def spaces(room: None) -> Iterator[None]:
    """Two users' namespaces with a claim each; at the end no release and no CRDs remain."""
    release.purge()
    with kube.namespace(SPACE), kube.namespace(OTHER):
        kube.apply(kube.claim("models", SPACE), kube.claim("models", OTHER))
        yield
        release.purge()


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A Hub at an address that Pods reach."""
    with HubServer(host=os.environ.get("MODELSYNC_ORIGIN_HOST", "10.10.0.1")) as server:
        yield server


DEFINITIONS = [f"customresourcedefinition.apiextensions.k8s.io/{name}" for name in release.CRDS]
MINE = f"app.kubernetes.io/name={helm.CHART.rpartition('/')[2]}"


def left() -> list[str]:
    """All of the chart's objects that are there, as kind and name."""
    kinds = (
        "deployments,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,configmaps"
    )
    policies = "validatingadmissionpolicies,validatingadmissionpolicybindings"
    return kube.kubectl("get", f"{kinds},{policies},crds", "-A", "-l", MINE, "-o", "name").split()


def paused(name: str, namespace: str = SPACE, **spec: Any) -> kube.Object:
    """A ModelSync that starts no worker."""
    source = {"huggingFace": {"repository": "org/name"}}
    return kube.sync(name, namespace, spec.pop("source", source), suspend=True, **spec)


@pytest.mark.parametrize("wait", [True, False], ids=["waiting for it", "in a hurry"])
def test_first_installation_brings_the_default_queue_along(wait: bool) -> None:
    release.purge()
    output = release.upgrade(wait=wait)
    assert release.queue()["spec"]["maxActive"] == 1
    manifest = output[output.index("apiVersion:") : output.index("YAML\n\n")]
    pasted = [
        {**one, "metadata": one["metadata"] | {"namespace": SPACE}} for one in yaml.safe_load_all(manifest)
    ]
    kube.apply(*pasted, dry_run=True)


@pytest.mark.parametrize("others", [(), (SPACE,)], ids=["it alone", "beside one that is there"])
def test_missing_watched_namespace_is_named_before_anything_is_made(others: tuple[str, ...]) -> None:
    release.purge()
    watched = ",".join((*others, "nowhere", "never"))
    with pytest.raises(AssertionError, match=r"watch\.namespaces: there is no namespace nowhere, never"):
        release.upgrade(f"watch.namespaces={{{watched}}}")
    assert release.NAME not in helm.run("list", "-n", release.SYSTEM, "-a", "-q").stdout.split()
    assert left() == []
    for space in (release.SYSTEM, *others):
        assert not kube.kubectl("get", "roles,rolebindings", "-n", space, "-l", MINE, "-o", "name")


def test_definitions_left_to_others_who_did_not_bring_them_are_missed_at_once() -> None:
    release.purge()
    with pytest.raises(AssertionError, match=r"crds\.enabled is false, and this cluster does not have"):
        release.upgrade("crds.enabled=false")
    assert left() == []


def test_notes_name_all_that_stays_and_how_to_remove_it() -> None:
    release.purge()
    printed = release.upgrade(NO_OPERATOR)
    release.uninstall()
    assert "SyncQueues (default" in printed
    for line in (line for line in printed.splitlines() if line.startswith("kubectl delete ")):
        kube.kubectl(*line.split()[1:], "--timeout=60s", timeout=70)
    assert left() == []


def test_queue_that_a_user_edited_survives_upgrade_and_reinstallation() -> None:
    release.upgrade(NO_OPERATOR)
    kube.patch("syncqueue", "default", release.SYSTEM, {"spec": {"maxActive": 7}})
    before = release.queue()["metadata"]["uid"]
    release.upgrade(NO_OPERATOR, "config.log.level=debug")
    release.uninstall()
    release.upgrade(NO_OPERATOR)
    assert (release.queue()["spec"]["maxActive"], release.queue()["metadata"]["uid"]) == (7, before)


def test_upgrade_brings_the_new_schema(tmp_path: Path) -> None:
    older = Path(shutil.copytree(helm.CHART, tmp_path / "modelsync"))
    for path in (older / "files/crds").iterdir():
        crd = yaml.safe_load(path.read_text())
        crd["spec"]["versions"][0]["additionalPrinterColumns"].pop()
        path.write_text(yaml.safe_dump(crd))
    release.purge()
    release.upgrade(NO_OPERATOR, chart=older)
    release.upgrade(NO_OPERATOR)
    for path in Path("crds").iterdir():
        wanted = yaml.safe_load(path.read_text())
        (version,) = kube.get("crd", wanted["metadata"]["name"], "default")["spec"]["versions"]
        assert (
            version["additionalPrinterColumns"] == wanted["spec"]["versions"][0]["additionalPrinterColumns"]
        )


def test_live_download_survives_upgrade_removal_and_reinstallation(hub: HubServer) -> None:
    hub.rate = 1_000_000
    hub.add(Repository("org/live", {"model.safetensors": Synthetic(40_000_000)}))
    source = {"huggingFace": {"repository": "org/live", "endpoint": hub.url}}
    release.upgrade()
    kube.apply(kube.sync("live", SPACE, source))
    uid = kube.wait_for("live", SPACE, kube.phase_is("Downloading"), 60, "Downloading")["metadata"]["uid"]
    release.upgrade("replicaCount=2")
    release.uninstall()
    assert left() == DEFINITIONS
    release.upgrade()
    hub.rate = None
    sync = kube.wait_complete("live", SPACE, 120)
    assert (sync["metadata"]["uid"], sync["status"]["attempts"]) == (uid, 1)
    assert sync["status"]["progress"]["bytesNetwork"] < 41_000_000


def test_release_that_watches_one_namespace_holds_no_cluster_wide_right(hub: HubServer) -> None:
    hub.add(Repository("org/small", {"config.json": b"{}"}))
    source = {"huggingFace": {"repository": "org/small", "endpoint": hub.url}}
    release.upgrade(f"watch.namespaces={{{SPACE}}}", "rbac.aggregateClusterRoles=false")
    kube.apply(kube.sync("seen", SPACE, source), kube.sync("unseen", OTHER, source))
    kube.wait_complete("seen", SPACE)
    assert "status" not in kube.get("modelsync", "unseen", OTHER)
    assert not kube.kubectl("get", "clusterroles", "-l", "app.kubernetes.io/name=modelsync", "-o", "name")


def test_removal_leaves_crds_modelsyncs_and_queues_and_nothing_else() -> None:
    release.upgrade(NO_OPERATOR)
    kube.apply(paused("kept"))
    release.uninstall()
    assert kube.exists("modelsync", "kept", SPACE)
    assert release.queue()["spec"]["maxActive"]
    assert left() == DEFINITIONS


def test_leaving_the_crds_to_others_deletes_no_modelsync() -> None:
    release.upgrade(NO_OPERATOR)
    kube.apply(paused("left"))
    release.upgrade(NO_OPERATOR, "crds.enabled=false")
    assert kube.exists("modelsync", "left", SPACE)


def grant(user: str, *rules: dict[str, Any]) -> None:
    """A Role in SPACE for a user, beside the right to create and change ModelSyncs."""
    ours = {"apiGroups": ["modelsync.dev"], "resources": ["modelsyncs"], "verbs": ["get", "create", "patch"]}
    meta = {"name": user, "namespace": SPACE}
    api = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": meta, "rules": [ours, *rules]}
    subject = {"kind": "User", "name": user, "apiGroup": api}
    ref = {"kind": "Role", "name": user, "apiGroup": api}
    kube.apply(
        role,
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": ref,
            "subjects": [subject],
        },
    )


CLAIM = {
    "apiGroups": [""],
    "resources": ["persistentvolumeclaims"],
    "verbs": ["update"],
    "resourceNames": ["models"],
}
SECRET = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["tok"]}
NO_SECRET = "spec.source: you may not get Secret 'tok' in namespace 'chart-models'"
NO_CLAIM = "spec.target: you may not update PersistentVolumeClaim"
WITH_SECRET = {
    "huggingFace": {"huggingFace": {"repository": "org/name", "secretRef": {"name": "tok"}}},
    "s3": {"s3": {"bucket": "models", "secretRef": {"name": "tok"}}},
    "http": {"http": {"files": [{"url": "https://o.example/f", "path": "f"}], "secretRef": {"name": "tok"}}},
}


@pytest.fixture(scope="module")
def users(spaces: None) -> None:
    """Users by what they may do: `plain` the claim, `holder` the claim and the Secret, `stranger` neither."""
    release.upgrade(NO_OPERATOR)
    grant("plain", CLAIM)
    grant("holder", CLAIM, SECRET)
    grant("stranger")
    kube.eventually(lambda: refused("stranger"), 20, "the API server enforces the policy")


def create_as(user: str, sync: kube.Object, *options: str) -> None:
    """`kubectl create` as a user; raises what the user reads."""
    kube.kubectl("create", "-f", "-", "--as", user, *options, stdin=json.dumps(sync))


def refused(user: str) -> bool:
    """Whether the policy keeps a user from the Secret; the API server follows a change within a moment."""
    try:
        create_as(user, paused("trial", source=WITH_SECRET["s3"]), "--dry-run=server")
    except kube.KubectlError as error:
        return NO_SECRET in str(error)
    return False


@pytest.mark.parametrize("source", list(WITH_SECRET))
def test_secret_is_for_those_who_may_get_it(users: None, source: str) -> None:
    name = f"with-{source.lower()}"
    with pytest.raises(kube.KubectlError, match=NO_SECRET):
        create_as("plain", paused(name, source=WITH_SECRET[source]))
    create_as("holder", paused(name, source=WITH_SECRET[source]))


def test_claim_is_for_those_who_may_update_it(users: None) -> None:
    with pytest.raises(kube.KubectlError, match=NO_CLAIM):
        create_as("stranger", paused("foreign"))
    create_as("plain", paused("own"))
    with pytest.raises(kube.KubectlError, match=NO_CLAIM):
        create_as("plain", paused("other-claim", claim_name="secretive"))


def test_bad_spec_is_refused_by_the_schema_not_by_the_policy(users: None) -> None:
    with pytest.raises(kube.KubectlError, match="exactly one of huggingFace, s3, http"):
        create_as("plain", paused("none", source={}))


def test_who_may_not_get_the_secret_may_pause_its_sync_but_not_redirect_it(users: None) -> None:
    create_as("holder", paused("redirected", source=WITH_SECRET["huggingFace"]))
    as_plain = ("patch", "modelsync", "redirected", "-n", SPACE, "--type=merge", "--as", "plain", "-p")
    kube.kubectl(*as_plain, '{"spec": {"priority": 3}}')
    for change in ({"endpoint": "https://evil.example"}, {"secretRef": {"key": "other"}}):
        with pytest.raises(kube.KubectlError, match=NO_SECRET):
            kube.kubectl(*as_plain, json.dumps({"spec": {"source": {"huggingFace": change}}}))


LEADS: dict[str, Any] = {
    "engine": {"engine": "HuggingFaceHub"},
    "node": {"podTemplate": {"nodeSelector": {"kubernetes.io/hostname": "mine"}}},
    "toleration": {"podTemplate": {"tolerations": [{"operator": "Exists"}]}},
    "affinity": {"podTemplate": {"affinity": {"nodeAffinity": {}}}},
    "priority class": {"podTemplate": {"priorityClassName": "high"}},
    "requests": {"podTemplate": {"resources": {"requests": {"cpu": 7}}}},
    "labels": {"podTemplate": {"labels": {"sidecar.example.org/inject": "true"}}},
    "podTemplate that was there, removed": {"podTemplate": None},
}


def test_who_may_not_get_the_secret_may_change_nothing_that_leads_it_elsewhere(users: None) -> None:
    template = {"annotations": {"a.example.org/b": "c"}}
    create_as("holder", paused("led", source=WITH_SECRET["huggingFace"], podTemplate=template))
    as_plain = ("patch", "modelsync", "led", "-n", SPACE, "--type=merge", "--as", "plain", "-p")
    for change in LEADS.values():
        with pytest.raises(kube.KubectlError, match=NO_SECRET):
            kube.kubectl(*as_plain, json.dumps({"spec": change}))
        as_holder = ("--as", "holder", "--dry-run=server")
        kube.kubectl(*as_plain[:-3], "-p", json.dumps({"spec": change}), *as_holder)
    for harmless in ({"suspend": False}, {"suspend": True}, {"bandwidthLimit": "1M"}, {"queue": "other"}):
        kube.kubectl(*as_plain, json.dumps({"spec": harmless}))


def test_secrets_for_pulling_the_image_are_for_those_who_may_get_them(users: None) -> None:
    def pulls(name: str, *secrets: str) -> kube.Object:
        return paused(name, podTemplate={"imagePullSecrets": [{"name": secret} for secret in secrets]})

    said = "spec.podTemplate.imagePullSecrets: you may not get all of the Secrets 'tok'"
    with pytest.raises(kube.KubectlError, match=said):
        create_as("plain", pulls("pulls", "tok"))
    with pytest.raises(kube.KubectlError, match="'tok', 'other'"):
        create_as("holder", pulls("pulls", "tok", "other"))
    create_as("holder", pulls("pulls", "tok"))
    kube.apply(pulls("pulls-most", *(f"s{number}" for number in range(8))))  # the most, as an administrator
    as_plain = ("patch", "modelsync", "pulls", "-n", SPACE, "--type=merge", "--as", "plain", "-p")
    kube.kubectl(*as_plain, '{"spec": {"priority": 3}}')
    create_as("plain", paused("pulls-later"))
    later = json.dumps({"spec": {"podTemplate": {"imagePullSecrets": [{"name": "tok"}]}}})
    with pytest.raises(kube.KubectlError, match=said):
        kube.kubectl("patch", "modelsync", "pulls-later", *as_plain[3:], later)


def test_queue_is_for_those_who_may_use_it_from_their_namespace(users: None) -> None:
    release.upgrade(NO_OPERATOR, "queueAccess.enabled=true")
    member = {"apiGroups": ["modelsync.dev"], "resources": ["syncqueues"], "verbs": ["use"]}
    grant("member", CLAIM, {**member, "resourceNames": ["gpu"]})
    edit = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding"}
    subject = {"kind": "User", "name": "editor", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "ClusterRole", "name": "edit", "apiGroup": "rbac.authorization.k8s.io"}
    kube.apply(
        {**edit, "metadata": {"name": "editor", "namespace": SPACE}, "roleRef": role, "subjects": [subject]}
    )

    def may(user: str, queue: str) -> bool:
        try:
            create_as(user, paused("asks", queue=queue), "--dry-run=server")
        except kube.KubectlError as error:
            assert f"spec.queue: you may not use SyncQueue '{queue}' from namespace" in str(error)
            return False
        return True

    kube.eventually(lambda: not may("plain", "default"), 20, "the API server enforces the policy")
    kube.eventually(lambda: may("editor", "default"), 20, "the role edit has the open queue")
    assert [may(*asked) for asked in (("editor", "gpu"), ("member", "gpu"), ("member", "default"))] == [
        False,
        True,
        False,
    ]
    kube.apply(paused("placed", queue="gpu"))
    as_editor = ("patch", "modelsync", "placed", "-n", SPACE, "--type=merge", "--as", "editor", "-p")
    kube.kubectl(*as_editor, '{"spec": {"priority": 3}}')
    kube.kubectl(*as_editor, '{"spec": {"queue": "default"}}')
    with pytest.raises(kube.KubectlError, match="you may not use SyncQueue 'gpu'"):
        kube.kubectl(*as_editor, '{"spec": {"queue": "gpu"}}')
    release.upgrade(NO_OPERATOR, "queueAccess.enabled=false")


def test_policy_can_be_switched_off(users: None) -> None:
    release.upgrade(NO_OPERATOR, "admissionPolicy.enabled=false")
    kube.eventually(lambda: not refused("stranger"), 20, "the API server forgets the policy")
    create_as("stranger", paused("trusted", source=WITH_SECRET["s3"]))
