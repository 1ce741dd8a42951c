"""Each fact about a ModelSync is found once in a planning, however many checks ask for it."""

import sys
from collections import Counter
from types import CodeType, FrameType
from typing import Any

import pytest

from modelsync.api.reasons import Phase
from modelsync.core import planner
from modelsync.core.cluster import lost_nodes, start_blockers, sync_view, unschedulable, worker_exit
from modelsync.core.cluster.snapshot import Snapshot
from tests.builders import JobBuilder, PodBuilder, SyncBuilder, a_job, a_pod, a_snapshot, a_sync, ago

N = 5
NO_ROOM = "0/2 nodes are available: 2 Insufficient memory."
ONCE_EACH: dict[str, Any] = {
    "why a worker does not start": start_blockers.find,
    "how a Job ended": worker_exit.settled,
    "whether a Pod is lost": lost_nodes.is_lost,
    "all of a ModelSync": sync_view.Gatherer.view,
}
ONCE_IN_ALL: dict[str, Any] = {
    "who waits for room": unschedulable.parked,
    "in which queues somebody waits": unschedulable.contended,
    "who holds a slot": sync_view.Gatherer.occupied,
    "whose ModelSync is gone": sync_view.Gatherer.orphans,
}
Parts = tuple[SyncBuilder | JobBuilder | PodBuilder, ...]


def starting(name: str) -> Parts:
    return a_sync(name).with_status(phase=Phase.QUEUED, attempts=1), a_job(name), a_pod(name)


def blocked(name: str) -> Parts:
    return a_sync(name), a_job(name), a_pod(name).unschedulable(NO_ROOM)


def changed_while_blocked(name: str) -> Parts:
    sync = a_sync(name).with_record(generation=2).with_status(attempts=1, observed_generation=1)
    return sync, a_job(name), a_pod(name).unschedulable(NO_ROOM)


def running(name: str) -> Parts:
    return a_sync(name).with_status(attempts=1), a_job(name), a_pod(name).running(ago(60))


def ended(name: str) -> Parts:
    return a_sync(name).with_status(attempts=1), a_job(name).failed(), a_pod(name).ended(50)


def calls(snapshot: Snapshot) -> Counter[CodeType]:
    """How often each function is called while this snapshot is planned."""
    counted: Counter[CodeType] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            counted[frame.f_code] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        planner.plan(snapshot)
    finally:
        sys.setprofile(before)
    return counted


@pytest.mark.parametrize("state", [starting, blocked, changed_while_blocked, running, ended])
def test_a_fact_is_found_once_for_each_modelsync(state: Any) -> None:
    counted = calls(a_snapshot(*(part for n in range(N) for part in state(f"sync-{n}"))))
    each = {fact: counted[function.__code__] for fact, function in ONCE_EACH.items()}
    assert {fact: count for fact, count in each.items() if count > N} == {}
    in_all = {fact: counted[function.__code__] for fact, function in ONCE_IN_ALL.items()}
    assert in_all == dict.fromkeys(ONCE_IN_ALL, 1)


def test_what_keeps_a_worker_from_starting_is_looked_for_at_all() -> None:
    counted = calls(a_snapshot(*blocked("llama")))
    assert counted[start_blockers.find.__code__] == 1
