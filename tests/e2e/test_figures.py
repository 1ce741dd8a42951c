"""The figures of a sync that was stopped: those of its volume, and of its origin's log."""

import os
import signal

import pytest

from dev import kube
from dev.origins.faults import Stall
from dev.origins.hub import HubServer, Repository, Synthetic
from modelsync.worker.checksums.file_digest import BLOCK
from tests.e2e.test_kills import worker_process

SIZE = 60_000_000
REST = 1_000_000
PERMILLE = (SIZE + REST) // 1000
CUT = 8 * 256 * 1024
"""What eight connections that are cut may hold: sent by the origin, and received by nobody."""
UNWRITTEN = 8 * BLOCK
"""What eight connections may hold in memory: received, lost by a kill, and fetched again. The busier the
machine, the fuller it is."""


@pytest.fixture
def model(hub: HubServer) -> kube.Object:
    """A model whose first file comes at once, and whose second not before its stall is lifted."""
    hub.rate = 30_000_000
    files = {"model.safetensors": Synthetic(SIZE), "z.bin": Synthetic(REST, seed=1)}
    hub.add(Repository("org/llama", files))
    hub.strike("z.bin", Stall(), times=99)
    return {"huggingFace": {"repository": "org/llama", "endpoint": hub.url}}


def progress(sync: kube.Object) -> dict[str, int]:
    """`status.progress`."""
    return dict(sync["status"]["progress"])


def test_a_pause_at_the_last_byte_shows_all_of_them(space: str, hub: HubServer, model: kube.Object) -> None:
    kube.apply(kube.sync("llama", space, model))
    with kube.Watch("modelsync", space) as watch:
        kube.eventually(lambda: hub.bytes_sent("model.safetensors") >= SIZE, 90, "the last byte")
        kube.patch("modelsync", "llama", space, {"spec": {"suspend": True}})
        paused = progress(watch.until(kube.phase_is("Paused"), 40, "Paused"))
        assert SIZE <= paused["bytesDone"] <= SIZE + REST
        assert abs(paused["bytesNetwork"] - hub.bytes_sent()) <= PERMILLE + CUT
        hub.clear()
        kube.patch("modelsync", "llama", space, {"spec": {"suspend": False}})
        done = progress(watch.until(kube.phase_is("Complete"), 90, "Complete"))
    print(f"paused at {paused['bytesDone']}, received {done['bytesNetwork']} of {hub.bytes_sent()} sent")
    assert done["bytesReused"] == 0
    assert SIZE + REST - PERMILLE <= done["bytesNetwork"] <= hub.bytes_sent()
    assert hub.bytes_sent() - done["bytesNetwork"] <= PERMILLE + CUT


@pytest.mark.skipif("MODELSYNC_DEV_CLUSTER" not in os.environ, reason="kills processes of our own nodes")
def test_what_a_killed_worker_received_is_in_the_next_ones_first_report(
    space: str, hub: HubServer, model: kube.Object
) -> None:
    kube.apply(kube.sync("llama", space, model))
    with kube.Watch("modelsync", space) as watch, kube.Watch("pod", space) as pods:
        pod = pods.until(lambda each: each["status"].get("phase") == "Running", 60, "a worker")
        kube.eventually(lambda: hub.bytes_sent() > SIZE // 2, 90, "half of it")
        pid = worker_process(pod["metadata"]["name"])
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        hub.clear()
        done = progress(watch.until(kube.phase_is("Complete"), 120, "Complete"))
    print(f"received {done['bytesNetwork']} of {hub.bytes_sent()} sent")
    assert done["bytesReused"] == 0
    assert SIZE + REST - PERMILLE <= done["bytesNetwork"] <= hub.bytes_sent()
    assert hub.bytes_sent() - done["bytesNetwork"] <= PERMILLE + CUT + UNWRITTEN
