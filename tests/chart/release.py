"""The chart on the cluster: installed, upgraded and removed by real Helm, under Pod Security `restricted`."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from dev import kube, occupied
from tests import needs
from tests.chart import helm
from tests.e2e import release as e2e
from tests.parallel import groups

NAME, SYSTEM = occupied.RELEASE, occupied.SYSTEM
CRDS = tuple(occupied.CRDS.values())
ON_CLUSTER = [
    pytest.mark.e2e,
    pytest.mark.alone,
    needs.CLUSTER,
]
"""The marks of tests that install the chart."""
_OURS = (
    occupied.chart_setting(occupied.Maker.TESTS),
    "image.repository=localhost/modelsync",
    "image.tag=dev",
    "image.pullPolicy=Never",
    # The tests' Hub is on this machine, which the Pods see by this address.
    f"config.worker.addresses.allowed={{{e2e.ORIGIN_HOST}}}",
)


def upgrade(*settings: str, chart: str | Path = helm.CHART, wait: bool = True) -> str:
    """`helm upgrade --install` with some `--set` values; returns what Helm printed."""
    groups.must_be_alone("replacing the release")
    labels = {"name": SYSTEM, "labels": {**kube.RESTRICTED, **kube.OWN}}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": labels})
    words = [word for setting in (*_OURS, *settings) for word in ("--set", setting)]
    waiting = ("--wait", "--timeout", "110s") if wait else ()
    return _done(helm.run("upgrade", "--install", NAME, str(chart), "-n", SYSTEM, *waiting, *words))


def uninstall() -> None:
    """`helm uninstall`, done when all of the release is gone but what it keeps."""
    _done(helm.run("uninstall", NAME, "-n", SYSTEM, "--ignore-not-found", "--wait", "--timeout", "60s"))
    e2e.forget_leader()


def purge() -> None:
    """No release and no CRDs of the tests: the cluster as it was before the first installation."""
    uninstall()
    own = f"{occupied.LABEL}={occupied.Maker.TESTS}"
    kube.kubectl("delete", "crd", "-l", own, "--ignore-not-found", "--timeout=60s", timeout=70)


def queue(name: str = "default") -> Any:
    """A SyncQueue of the release's namespace."""
    return kube.get("syncqueue", name, SYSTEM)


def paused(name: str, namespace: str, **spec: Any) -> kube.Object:
    """A ModelSync that starts no worker."""
    source = {"huggingFace": {"repository": "org/name"}}
    return kube.sync(name, namespace, spec.pop("source", source), suspend=True, **spec)


def _done(process: subprocess.CompletedProcess[str]) -> str:
    assert process.returncode == 0, process.stderr
    return process.stdout
