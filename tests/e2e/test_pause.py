"""A pause as a user makes it: the worker ends at once, at any moment of its life, and what it has is kept."""

import time

from dev import kube
from dev.origins.hub import HubServer
from tests.e2e.sources import hub_source

SIZE = 60_000_000
SECONDS = 10
"""For the operator to see the pause (1), the worker to end (5) and the kubelet to remove the Pod; a worker
that does not hear its signal is killed after 30."""


def test_a_pause_ends_the_worker_at_once_and_resuming_fetches_nothing_twice(
    space: str, hub: HubServer
) -> None:
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", size=SIZE, rate=4_000_000)))
    with kube.Watch("modelsync", space) as watch:
        watch.until(lambda sync: _done(sync) > 6_000_000, 60, "some bytes")
        print(f"paused in {_pause(space):.1f} s")
        had = _done(watch.until(kube.phase_is("Paused"), 10, "Paused"))
        hub.log.clear()
        hub.rate = None
        kube.patch("modelsync", "llama", space, {"spec": {"suspend": False}})
        watch.until(kube.phase_is("Complete"), 60, "Complete")
    assert 6_000_000 < had < SIZE
    assert 0 < hub.bytes_sent() <= SIZE - had


def test_a_pause_in_a_workers_first_moment_is_heard(space: str, hub: HubServer) -> None:
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", size=SIZE, rate=1_000_000)))
    with kube.Watch("pod", space) as pods:
        pods.until(lambda pod: pod["status"].get("phase") == "Running", 60, "a worker")
        print(f"paused in {_pause(space):.1f} s")


def _pause(space: str) -> float:
    """Pause the sync and wait until its worker's Pod is gone; the seconds it took."""
    begun = time.monotonic()
    kube.patch("modelsync", "llama", space, {"spec": {"suspend": True}})
    kube.eventually(lambda: not kube.get("pods", namespace=space), SECONDS, "the worker has ended")
    return time.monotonic() - begun


def _done(sync: kube.Object) -> int:
    return int(sync.get("status", {}).get("progress", {}).get("bytesDone", 0))
