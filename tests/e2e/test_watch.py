"""What a watch of ModelSyncs, such as `kubectl get modelsyncs -w`, gets: it moves and never backwards."""

import itertools

import pytest

from dev import kube
from dev.origins.hub import HubServer
from tests import counts
from tests.e2e.sources import hub_source

SECONDS = counts.chosen(short=14, full=30)
"""More than the ten seconds over which lines are counted."""
RATE = 2_000_000


@pytest.mark.timing
def test_watch_of_a_download_is_lively_and_monotone(space: str, hub: HubServer) -> None:
    source = hub_source(hub, "org/minute", size=SECONDS * RATE, rate=RATE)
    with kube.Watch("modelsync", space) as watch:
        kube.apply(kube.sync("minute", space, source))
        watch.until(kube.phase_is("Complete", "Failed"), SECONDS + 60, "Complete")
    lines = [
        (when, sync["status"])
        for when, sync in watch.seen
        if sync.get("status", {}).get("phase") in ("Downloading", "Verifying", "Complete")
    ]
    percents = [
        status["progress"]["percent"] for _, status in lines if "percent" in status.get("progress", {})
    ]
    assert lines[-1][1]["phase"] == "Complete"
    assert percents == sorted(percents)
    assert percents[-1] == 100
    during = [when for when, status in lines if status["phase"] == "Downloading"]
    gaps = [after - before for before, after in itertools.pairwise(during)]
    print(f"{len(during)} lines in {during[-1] - during[0]:.0f} s, longest gap {max(gaps):.2f} s")
    assert during[-1] - during[0] > SECONDS * 0.8
    assert max(gaps) <= 2.0
    for start in range(len(during)):
        window = [when for when in during[start:] if when - during[start] <= 10]
        assert len(window) <= 12, "no more than one line a second, over any ten seconds"


def test_columns_fit_eighty_characters_while_downloading(space: str, hub: HubServer) -> None:
    kube.apply(kube.sync("narrow", space, hub_source(hub, "org/narrow", size=30_000_000, rate=3_000_000)))
    kube.wait_for("narrow", space, lambda s: "eta" in s.get("status", {}).get("display", {}), 60, "an ETA")
    table = kube.kubectl("get", "modelsyncs", "-n", space)
    print(table)
    assert table.split("\n")[0].split() == ["NAME", "PHASE", "PROGRESS", "SPEED", "ETA", "AGE"]
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 80
