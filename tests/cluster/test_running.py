"""What the operator's tests take for granted of the cluster, tried on pods as it makes them."""

import json
import pathlib
import subprocess
import typing

import pytest

from tests.cluster import conftest

pytestmark = pytest.mark.e2e
Object = dict[str, typing.Any]


def pod(name: str, node: str, script: str, claim: str | None = None) -> Object:
    """Return a pod that passes `restricted` and runs a shell script on the node, once."""
    container: Object = {
        "name": "shell",
        "image": "localhost/busybox:dev",
        "imagePullPolicy": "Never",
        "command": ["sh", "-euc", script],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec: Object = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "nodeSelector": {"kubernetes.io/hostname": node},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    if claim:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    metadata = {"name": name, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def claim(name: str, storage_class: str | None = None) -> Object:
    spec: Object = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "16Mi"}},
    }
    if storage_class:
        spec["storageClassName"] = storage_class
    metadata = {"name": name}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": spec,
    }


def output(kubectl: conftest.Kubectl, namespace: str, made: Object) -> str:
    """Run the pod to its end and return what it printed; it has to succeed."""
    name = made["metadata"]["name"]
    in_namespace = f"--namespace={namespace}"
    kubectl("apply", in_namespace, "--filename=-", stdin=made)
    phase = "--for=jsonpath={.status.phase}=Succeeded"
    kubectl("wait", in_namespace, phase, f"pod/{name}", "--timeout=60s")
    return kubectl("logs", in_namespace, name)


def serve(kubectl: conftest.Kubectl, namespace: str, node: str) -> None:
    """Run a web server on the node that serves its /etc, behind a Service called `web`."""
    script = "httpd -f -p 8080 -h /etc"
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    items = {"apiVersion": "v1", "kind": "List", "items": [pod("web", node, script), service]}
    in_namespace = f"--namespace={namespace}"
    kubectl("apply", in_namespace, "--filename=-", stdin=items)
    kubectl("wait", in_namespace, "--for=condition=Ready", "pod/web", "--timeout=60s")


def test_all_nodes_are_ready_and_speak_the_pinned_version(kubectl: conftest.Kubectl) -> None:
    nodes = json.loads(kubectl("get", "nodes", "--output=json"))["items"]
    assert [node["metadata"]["name"] for node in nodes] == ["node-1", "node-2"]
    for node in nodes:
        conditions = {c["type"]: c["status"] for c in node["status"]["conditions"]}
        assert conditions["Ready"] == "True"
        assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.35.4"


@pytest.mark.parametrize("client", ["node-1", "node-2"], ids=["same-node", "other-node"])
def test_a_pod_reaches_a_service_by_its_dns_name(
    kubectl: conftest.Kubectl, namespace: str, client: str
) -> None:
    serve(kubectl, namespace, "node-1")
    script = f"""
    for attempt in 1 2 3 4 5; do
        if wget -q -O - http://web.{namespace}/passwd; then exit 0; fi
        sleep 1
    done
    exit 1
    """
    assert output(kubectl, namespace, pod("client", client, script)).startswith("root:")


def test_the_default_class_makes_a_volume_that_an_unprivileged_user_can_write(
    kubectl: conftest.Kubectl, namespace: str
) -> None:
    kubectl("apply", f"--namespace={namespace}", "--filename=-", stdin=claim("data"))
    writer = pod("writer", "node-2", "echo written >/data/file; id -u", claim="data")
    assert output(kubectl, namespace, writer) == "65532\n"
    reader = pod("reader", "node-2", "cat /data/file", claim="data")
    assert output(kubectl, namespace, reader) == "written\n"


def test_a_small_disk_gets_full(
    kubectl: conftest.Kubectl, namespace: str, repository: pathlib.Path, python: str
) -> None:
    name = namespace.removeprefix("cluster-")
    tool = [python, "-m", "dev.cluster", "disk", "--name", name, "--size", "16Mi"]
    made = subprocess.run(tool, cwd=repository, capture_output=True, text=True, check=True)
    storage_class = made.stdout.strip()
    small = claim("small", storage_class)
    kubectl("apply", f"--namespace={namespace}", "--filename=-", stdin=small)
    script = "dd if=/dev/zero of=/data/file bs=1M count=32 2>&1 | grep -o 'No space.*'"
    said = output(kubectl, namespace, pod("filler", "node-1", script, claim="small"))
    assert said == "No space left on device\n"
    kubectl("delete", "pv,storageclass", storage_class, "--wait=false")


def test_the_audit_log_names_who_wrote_what(
    kubectl: conftest.Kubectl, namespace: str, audit_log: pathlib.Path
) -> None:
    kubectl("create", "configmap", "witness", f"--namespace={namespace}")
    with audit_log.open() as lines:
        events = [json.loads(line) for line in lines if namespace in line]
    writes = [
        (event["user"]["username"], event["verb"], event["objectRef"]["resource"])
        for event in events
        if event["objectRef"].get("name") == "witness"
    ]
    assert writes == [("admin", "create", "configmaps")]


def test_a_deleted_namespace_is_soon_gone(kubectl: conftest.Kubectl, namespace: str) -> None:
    kubectl("apply", f"--namespace={namespace}", "--filename=-", stdin=claim("data"))
    output(kubectl, namespace, pod("writer", "node-1", "echo x >/data/file", claim="data"))
    kubectl("delete", "namespace", namespace, "--timeout=30s")
    kubectl("create", "namespace", namespace)
