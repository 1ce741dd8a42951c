"""The operator on the cluster, as Helm installs it, and its parts that a test asks for."""

import contextlib
import fcntl
import functools
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dev import kube, kube_api, occupied
from modelsync.api import naming
from tests.parallel import groups

SYSTEM, RELEASE = occupied.SYSTEM, occupied.RELEASE
CONFIG_MAP = f"{RELEASE}-config"
IMAGE_REPOSITORY, IMAGE_TAG = "localhost/modelsync", "dev"
IMAGE = f"{IMAGE_REPOSITORY}:{IMAGE_TAG}"
ORIGIN_HOST = os.environ.get("MODELSYNC_ORIGIN_HOST", "10.10.0.1")
"""Where origins of the tests listen, as Pods reach this machine."""
_ORIGIN_NETWORK = ORIGIN_HOST.rpartition(".")[0] + ".0/24"
CHUNK, CONNECTIONS = 1024 * 1024, 4
"""The worker's tuning in these tests: small, so that what a crash costs can be distinguished from noise."""
SLOTS = 100
"""Of the default queue: tests that wait for slots have a queue of their own."""

FAST: dict[str, Any] = {
    # The tests' origins are on this machine, which the Pods see by this address.
    "config.worker.addresses.allowed": f"{{{ORIGIN_HOST}}}",
    "image.repository": IMAGE_REPOSITORY,
    "image.tag": IMAGE_TAG,
    "config.attempts.retryBase": "1s",
    "config.attempts.startDeadline": "20s",
    "config.worker.chunk": CHUNK,
    "config.worker.connections": CONNECTIONS,
    "queues.default.maxActive": SLOTS,
}

_PROXY = "http://192.0.2.1:3128"
"""Nobody runs it."""
UNUSUAL: dict[str, Any] = {
    "web.enabled": "true",
    "config.worker.proxy.http": _PROXY,
    "config.worker.proxy.https": _PROXY,
    # A cluster's usual exceptions.
    "config.worker.proxy.noProxy": f"{{localhost,.svc,.cluster.local,{_ORIGIN_NETWORK}}}",
    **{
        f"config.worker.securityContext.{field}": "null"
        for field in ("runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy")
    },
}
"""For the marker `values`: each is what one test is about and the others do not mind, so that all need one
installation."""


def helm(*args: str, timeout: float = 180) -> str:
    """Run helm and return what it printed."""
    done = subprocess.run(["helm", *args], capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"helm {' '.join(args)}: {done.stderr.strip()}"
    return done.stdout


def ensure(**values: Any) -> None:
    """Install the release with the tests' values and these, unless it is there so.

    Once, however many processes ask.
    """
    if values:
        groups.must_be_alone("replacing the release")
    with (Path(tempfile.gettempdir()) / "modelsync-tests-release.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _installed() != _described(values):
            _install(**values)


def _installed() -> str:
    """How the last installation was described, or ''; Helm is asked once for each state of its records."""
    records = kube_api.items("secrets", SYSTEM, labels=f"owner=helm,name={RELEASE}", only_metadata=True)
    return _description(tuple(sorted(one["metadata"]["resourceVersion"] for one in records)))


@functools.lru_cache(maxsize=1)
def _description(records: tuple[str, ...]) -> str:
    """What Helm says of these records; it describes installations itself that say nothing."""
    if not records:
        return ""
    command = ["helm", "status", RELEASE, "-n", SYSTEM, "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        return ""
    info = json.loads(done.stdout)["info"]
    return str(info["description"]) if info["status"] == "deployed" else ""


def install(**values: Any) -> None:
    """Install or upgrade the release with the tests' values and some others, and wait for it."""
    groups.must_be_alone("replacing the release")
    _install(**values)


def _install(**values: Any) -> None:
    labels = {"name": SYSTEM, "labels": {**kube.RESTRICTED, **kube.OWN}}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": labels})
    before = _operators()
    if not before:
        forget_leader()
    document, accepted = _document(), _accepted() if before else 0.0
    settings = [f"{key}={value}" for key, value in {**FAST, **values}.items()]
    settings.append(occupied.chart_setting(occupied.Maker.TESTS))
    helm(
        "upgrade", "--install", RELEASE, "charts/modelsync", "-n", SYSTEM, "--wait", "--timeout", "120s",
        "--description", _described(values),
        # A fifth of an upgrade's processor time; the API server validates, and tests/chart does not set it.
        "--disable-openapi-validation",
        *(word for setting in settings for word in ("--set", setting)),
    )  # fmt: skip
    # A queue that a test before left, the chart leaves as it is.
    kube.patch("syncqueue", "default", SYSTEM, {"spec": {"maxActive": SLOTS}})
    if before and before == _operators() and document != _document():
        # Not every change restarts the operator, and Helm does not wait for the one that runs to act on it.
        read_at_once()
        kube.eventually(lambda: _accepted() != accepted, 60, "the operator acts on its new configuration")


def forget_leader() -> None:
    """Delete the Lease of a release that is gone, so that the next one's operator leads at once.

    An operator that ends gives its Lease back; one that was removed together with its rights cannot, and the
    next would wait until it expires (15 s).
    """
    kube_api.delete("lease", SYSTEM, naming.LEASE_NAME)


def _operators() -> set[str]:
    """The uids of the operator's Pods that run and are not on their way out."""
    return {one["metadata"]["uid"] for one in _operator_pods()}


def _operator_pods() -> list[dict[str, Any]]:
    component = "app.kubernetes.io/component=operator"
    found = kube_api.items("pods", SYSTEM, labels=component, fields="status.phase=Running")
    return [one for one in found if "deletionTimestamp" not in one["metadata"]]


def _document() -> Any:
    """The data of the operator's ConfigMap, or nothing."""
    found = kube_api.items("configmap", SYSTEM, fields=f"metadata.name={CONFIG_MAP}")
    return [one["data"] for one in found]


def _accepted() -> float:
    """When the operator accepted its configuration last; 0 while it does not answer."""
    with contextlib.suppress(OSError):
        return sample("modelsync_config_last_reload_success_timestamp_seconds")
    return 0.0


def read_at_once() -> None:
    """Change the operator's Pod: the kubelet looks at its ConfigMap at once, not within a minute."""
    mark = {"modelsync.dev-tests/changed": f"{time.time():.3f}"}
    pod = operator_pod()["metadata"]["name"]
    kube.patch("pod", pod, SYSTEM, {"metadata": {"annotations": mark}})


def _described(values: Mapping[str, Any]) -> str:
    return f"with {json.dumps(values)}" if values else "with the values that all tests share"


@contextlib.contextmanager
def queue(name: str, slots: int) -> Iterator[str]:
    """A SyncQueue of the test's own; removed at the end."""
    kube.apply(
        {
            "apiVersion": "modelsync.dev/v1alpha1",
            "kind": "SyncQueue",
            "metadata": {"name": name, "namespace": SYSTEM, "labels": kube.OWN},
            "spec": {"maxActive": slots},
        }
    )
    try:
        yield name
    finally:
        kube_api.delete("syncqueue", SYSTEM, name)


def scale(replicas: int) -> None:
    """Stop (0) or start (1) the operator, and wait until that is so."""
    groups.must_be_alone("stopping the operator")
    kube.kubectl("scale", "deployment", RELEASE, "-n", SYSTEM, f"--replicas={replicas}")
    if replicas:
        kube.kubectl("rollout", "status", f"deployment/{RELEASE}", "-n", SYSTEM, "--timeout=90s", timeout=95)
    else:
        selector = "app.kubernetes.io/component=operator"
        kube.kubectl("wait", "pod", "-n", SYSTEM, "-l", selector, "--for=delete", "--timeout=60s", timeout=65)


def operator_pod() -> dict[str, Any]:
    """The running operator's Pod."""
    items = _operator_pods()
    assert len(items) == 1, [pod["metadata"]["name"] for pod in items]
    return items[0]


def metrics() -> str:
    """The operator's /metrics page, read by the Pod's address."""
    import urllib.request

    address = operator_pod()["status"]["podIP"]
    with urllib.request.urlopen(f"http://{address}:8080/metrics", timeout=5) as answer:
        text: str = answer.read().decode()
    return text


def sample(name: str, **labels: str) -> float:
    """The sum of a metric's samples that carry these labels; 0 when there is none."""
    from prometheus_client.parser import text_string_to_metric_families

    return sum(
        found.value
        for family in text_string_to_metric_families(metrics())
        for found in family.samples
        if found.name == name and labels.items() <= found.labels.items()
    )
