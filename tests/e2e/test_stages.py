"""Stages as a user sees them: a slow listing is no stalled download, one that trickles ends."""

import pytest

from dev import kube
from dev.origins.faults import ALWAYS, Late, Slow
from dev.origins.hub import HubServer
from dev.origins.serving.messages import Role
from tests.e2e.sources import hub_source

FILES = {f"{number:03}.json": b"{}" for number in range(110)}


@pytest.mark.early
def test_a_slow_listing_is_no_stall_and_a_trickling_one_ends(space: str, hub: HubServer) -> None:
    hub.state.page_size = 10
    hub.strike("/api/models/org/*/tree/*", Late(3.5), role=Role.LIST, times=ALWAYS)
    hub.strike("/api/models/org/drip/tree/*", Slow(2), role=Role.LIST, times=ALWAYS)
    slow = kube.sync("slow", space, hub_source(hub, "org/slow", files=FILES), progressDeadlineSeconds=20)
    drip = kube.sync("drip", space, hub_source(hub, "org/drip", files=FILES), progressDeadlineSeconds=10)
    drip["spec"]["target"]["persistentVolumeClaim"]["subPath"] = "drip"
    kube.apply(drip, slow)
    with kube.Watch("modelsync", space) as watch:
        ended = watch.until(lambda sync: bool(_failure(sync)), 90, "the trickling listing's end")
        watch.until(lambda sync: _is("slow", sync) and kube.phase_is("Complete")(sync), 120, "Complete")
        seen = [sync for _, sync in watch.seen if _is("slow", sync)]
    failure = _failure(ended)
    assert ended["metadata"]["name"] == "drip"
    assert failure["reason"] == "ProgressDeadlineExceeded"
    assert "listed no further file" in failure["message"]
    assert "DownloadStalled" not in {kube.ready_reason(sync) for sync in seen if "status" in sync}
    listing = [sync["status"] for sync in seen if kube.ready_reason(sync) == "Resolving"]
    counts = [status["progress"].get("stageProgress", {}).get("filesDone", 0) for status in listing]
    assert len(set(counts)) > 3 and counts == sorted(counts), "the figures of the listing are seen to grow"
    assert listing[-1]["progress"]["stage"] == "Resolving"
    assert listing[-1]["display"]["stage"].startswith("Resolving ")


def _is(name: str, sync: kube.Object) -> bool:
    return bool(sync["metadata"]["name"] == name)


def _failure(sync: kube.Object) -> kube.Object:
    found: kube.Object = sync.get("status", {}).get("lastFailure", {})
    return found
