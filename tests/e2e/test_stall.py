"""An origin that falls silent: reported once, withdrawn when bytes flow again, and ended by the deadline."""

from collections.abc import Callable

import pytest

from dev import kube, kube_api
from dev.origins.faults import ALWAYS, Stall
from dev.origins.hub import HubServer
from tests.e2e.sources import hub_source

SIZE = 40_000_000


@pytest.mark.early
def test_silence_is_reported_once_withdrawn_and_ended_by_the_deadline(space: str, hub: HubServer) -> None:
    rate = 2_000_000
    patient = kube.sync("patient", space, hub_source(hub, "org/patient", size=SIZE, rate=rate))
    hurried = kube.sync(
        "hurried", space, hub_source(hub, "org/hurried", size=SIZE), progressDeadlineSeconds=10
    )
    kube.apply(patient, hurried)
    with kube.Watch("modelsync", space) as watch:
        for name in ("patient", "hurried"):
            watch.until(_is(name, lambda sync: _done(sync) > 0), 60, f"bytes of {name}")
        hub.strike("model.safetensors", Stall(), times=ALWAYS)
        failed = watch.until(_is("hurried", lambda sync: bool(_failure(sync))), 45, "the deadline's end")
        assert _failure(failed) == "ProgressDeadlineExceeded"
        stalled = watch.until(_is("patient", lambda sync: _progressing(sync) is not None), 45, "stalled")
        condition = _progressing(stalled)
        assert condition is not None
        assert (condition["status"], condition["reason"]) == ("False", "DownloadStalled")
        assert stalled["status"]["phase"] == "Downloading"
        hub.rate = None
        hub.clear()
        seen = len(watch.seen)
        watch.until(_is("patient", kube.phase_is("Complete")), 60, "Complete after the silence")
        after = [s for _, s in watch.seen[seen:] if s["metadata"]["name"] == "patient"]
        assert _progressing(after[-1]) is None
        done = watch.until(_is("hurried", kube.phase_is("Complete")), 60, "Complete by another attempt")
        assert done["status"]["attempts"] >= 2
    _reported_once(space, stalled["status"]["worker"]["podName"])


def _reported_once(space: str, pod: str) -> None:
    log = kube_api.log(space, pod)
    assert log.count("Download stalled") == 1, log
    assert log.count("Download goes on") == 1, log
    found = kube.get("events", namespace=space)
    events = [
        event
        for event in found
        if event["reason"] == "DownloadStalled" and event["involvedObject"]["name"] == "patient"
    ]
    assert len(events) == 1, events
    assert events[0].get("count", 1) in (None, 1)


def _is(name: str, wanted: Callable[[kube.Object], bool]) -> Callable[[kube.Object], bool]:
    return lambda sync: sync["metadata"]["name"] == name and wanted(sync)


def _done(sync: kube.Object) -> int:
    return int(sync.get("status", {}).get("progress", {}).get("bytesDone", 0))


def _failure(sync: kube.Object) -> str:
    return str(sync.get("status", {}).get("lastFailure", {}).get("reason", ""))


def _progressing(sync: kube.Object) -> kube.Object | None:
    conditions = sync.get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == "Progressing"), None)
