"""kill -9, again and again: of the operator, and of the worker."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dev import kube
from dev.origins.hub import HubServer
from tests import counts
from tests.e2e import release
from tests.e2e.release import ORIGIN_HOST
from tests.e2e.sources import hub_source

KILLS = counts.chosen(short=3, full=20)
SEED = 20
LEASE = {"leaseDuration": "3s", "renewDeadline": "2s", "retryPeriod": "0.5s"}


@pytest.fixture
def no_operator(operator: None) -> Iterator[None]:
    """The release scaled to zero, so that the test's own operator processes lead."""
    release.scale(0)
    yield
    release.scale(1)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of the test's own operator processes."""
    document = {
        "apiVersion": "config.modelsync.dev/v1alpha1",
        "kind": "OperatorConfiguration",
        "metrics": {"port": 18080},
        "health": {"port": 18082},
        "leaderElection": LEASE,
        "attempts": {"retryBase": "1s"},
        "worker": {
            "image": release.IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "addresses": {"allowed": [ORIGIN_HOST]},
            "chunk": str(release.CHUNK),
            "connections": release.CONNECTIONS,
        },
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def start_operator(config: Path) -> subprocess.Popen[bytes]:
    """`modelsync operator` as on a laptop, against the kubeconfig, with a short lease."""
    command = [sys.executable, "-m", "modelsync", "operator", "--config", str(config)]
    environment = os.environ | {"PYTHONPATH": str(Path("operator").absolute())}
    return subprocess.Popen([*command, "--operator-namespace", release.SYSTEM], env=environment)


@pytest.mark.alone
def test_operator_killed_again_and_again_loses_nothing(
    space: str, no_operator: None, hub: HubServer, config: Path
) -> None:
    source = hub_source(hub, "org/op-kill", size=150_000_000, rate=1_500_000)
    kube.apply(kube.sync("survivor", space, source))
    pause, dice = threading.Event(), random.Random(SEED)
    with kube.Watch("modelsync", space) as watch, kube.Watch("job", space) as jobs:
        process = start_operator(config)
        try:
            watch.until(kube.phase_is("Downloading"), 60, "Downloading")
            for _ in range(KILLS):
                pause.wait(dice.uniform(0.2, 4.5))  # the random instant is the test itself
                process.send_signal(signal.SIGKILL)
                process.wait()
                process = start_operator(config)
            hub.rate = 50_000_000
            sync = watch.until(kube.phase_is("Complete", "Failed"), 120, "Complete")
        finally:
            process.terminate()
            process.wait(15)
        done = [s["status"].get("progress", {}).get("bytesDone") for _, s in watch.seen if "status" in s]
    known = [count for count in done if count is not None]
    assert sync["status"]["phase"] == "Complete"
    assert known == sorted(known), "progress was lost"
    assert len({job["metadata"]["uid"] for _, job in jobs.seen}) == 1, "a second Job"
    assert sync["status"]["attempts"] == 1


def worker_process(pod: str) -> int | None:
    """The pid of a Pod's worker on this machine, found by the Pod's host name."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                words = (folder / "environ").read_bytes().split(b"\0")
                command = (folder / "cmdline").read_bytes()
                if f"HOSTNAME={pod}".encode() in words and b"worker" in command:
                    return int(folder.name)
    return None


@pytest.mark.early
@pytest.mark.skipif("MODELSYNC_DEV_CLUSTER" not in os.environ, reason="kills processes of our own nodes")
def test_worker_killed_again_and_again_resumes_inside_the_file(space: str, hub: HubServer) -> None:
    size = 300_000_000
    source = hub_source(hub, "org/worker-kill", size=size, rate=6_000_000)
    allowed = release.CHUNK * release.CONNECTIONS
    dice, pause = random.Random(SEED), threading.Event()
    kube.apply(kube.sync("phoenix", space, source, backoffLimit=5))
    with kube.Watch("modelsync", space) as watch, kube.Watch("pod", space) as pods:
        for attempt in range(1, KILLS + 1):
            pod = pods.until(lambda p, n=attempt: _runs(p, n), 60, f"worker {attempt}")  # type: ignore[misc]
            before = hub.bytes_sent()
            kube.eventually(lambda n=before: hub.bytes_sent() > n, 30, "new bytes")  # type: ignore[misc]
            pause.wait(dice.uniform(0.0, 2.0))
            pid = worker_process(pod["metadata"]["name"])
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        hub.rate = 100_000_000
        sync = watch.until(kube.phase_is("Complete", "Failed"), 120, "Complete")
    assert sync["status"]["phase"] == "Complete", sync["status"]
    twice = hub.bytes_sent() - size
    print(f"{KILLS} kills: {twice / 2**20:.1f} MiB fetched twice, allowed {KILLS * allowed / 2**20:.0f} MiB")
    assert twice <= KILLS * allowed
    assert sync["status"]["attempts"] == KILLS + 1


def _runs(pod: kube.Object, attempt: int) -> bool:
    labels = pod["metadata"].get("labels", {})
    running = pod["status"].get("phase") == "Running"
    return bool(running and labels.get("modelsync.dev/attempt") == str(attempt))
