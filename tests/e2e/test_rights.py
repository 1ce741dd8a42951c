"""What the operator and the worker may do: nothing more than their work needs."""

import json

import pytest

from dev import kube
from dev.origins.hub import HubServer
from tests.e2e import release
from tests.e2e.sources import hub_source

OPERATOR = f"system:serviceaccount:{release.SYSTEM}:modelsync"


@pytest.mark.parametrize(
    ("verb", "resource", "wanted"),
    [
        pytest.param("list", "modelsyncs.modelsync.dev", True, id="lists ModelSyncs"),
        pytest.param("create", "jobs.batch", True, id="creates Jobs"),
        pytest.param("get", "secrets", False, id="cannot read a Secret"),
        pytest.param("list", "secrets", False, id="cannot list Secrets"),
        pytest.param("watch", "secrets", False, id="cannot watch Secrets"),
        pytest.param("create", "pods/exec", False, id="cannot enter a Pod"),
        pytest.param("create", "pods", False, id="cannot create a Pod"),
        pytest.param("patch", "nodes", False, id="cannot change a node"),
        pytest.param("update", "modelsyncs.modelsync.dev", False, id="cannot change a spec"),
        pytest.param("create", "clusterrolebindings.rbac.authorization.k8s.io", False, id="cannot grant"),
    ],
)
def test_operator_may_do_its_work_and_no_more(operator: None, verb: str, resource: str, wanted: bool) -> None:
    asked = ["auth", "can-i", verb, resource, "--as", OPERATOR, "-n", "default"]
    try:
        answer = kube.kubectl(*asked)
    except kube.KubectlError:
        answer = "no"
    assert answer.startswith("yes") is wanted


def test_operators_own_token_is_refused_a_secret(space: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tok", "namespace": space}}
    kube.apply({**secret, "stringData": {"token": "canary"}})
    token = kube.kubectl("create", "token", "modelsync", "-n", release.SYSTEM).strip()
    with pytest.raises(kube.KubectlError, match="forbidden"):
        kube.kubectl("get", "secret", "tok", "-n", space, "--token", token, "--kubeconfig", _bare())


def _bare() -> str:
    """A kubeconfig with the server and its CA but without any credentials."""
    import os
    import tempfile

    view = json.loads(kube.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    view["users"] = [{"name": user["name"], "user": {}} for user in view["users"]]
    handle, path = tempfile.mkstemp(suffix=".json")
    with os.fdopen(handle, "w") as file:
        json.dump(view, file)
    return path


def test_workers_pod_holds_no_token_and_runs_restricted(space: str, hub: HubServer) -> None:
    kube.apply(kube.sync("held", space, hub_source(hub, "org/held", size=4_000_000, rate=400_000)))
    with kube.Watch("pod", space) as watch:
        pod = watch.until(lambda p: p.get("status", {}).get("phase") == "Running", 60, "worker Pod")
    assert pod["spec"]["automountServiceAccountToken"] is False
    mounts = [m["mountPath"] for c in pod["spec"]["containers"] for m in c.get("volumeMounts", [])]
    assert not [path for path in mounts if "serviceaccount" in path]
    look = "import os; print(os.path.exists('/var/run/secrets/kubernetes.io'), os.getuid())"
    name = pod["metadata"]["name"]
    assert kube.kubectl("exec", name, "-n", space, "--", "python3", "-c", look).split() == ["False", "65532"]
    with pytest.raises(kube.KubectlError, match="Read-only file system"):
        kube.kubectl("exec", name, "-n", space, "--", "python3", "-c", "open('/etc/x', 'w')")


def test_both_namespaces_enforce_restricted(space: str) -> None:
    for name in (space, release.SYSTEM):
        labels = kube.get("namespace", name, "default")["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
