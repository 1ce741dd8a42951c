"""Namespaces that share a queue: each gets its share, no matter who came first, deletes or restarts."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import hypothesis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.api import syncqueue
from modelsync.api.reasons import Phase, QueueReason
from modelsync.core import actions, planner
from modelsync.core.cluster import snapshot
from tests.builders import NOW, SyncBuilder, a_job, a_queue, a_snapshot, a_sync, ago


@dataclass
class Cluster:
    """A queue with ModelSyncs that download as long as a test says, and an operator that keeps nothing."""

    queue: snapshot.QueueRecord
    syncs: dict[str, snapshot.SyncRecord] = field(default_factory=dict)
    running: dict[str, tuple[datetime, snapshot.JobRecord]] = field(default_factory=dict)
    """Ends and Jobs by uid."""
    now: datetime = NOW
    started: list[str] = field(default_factory=list)
    """Namespaces, in the order in which their ModelSyncs started."""
    names: list[str] = field(default_factory=list)

    def add(self, *syncs: SyncBuilder) -> None:
        self.syncs |= {sync.uid: sync for sync in (each.build() for each in syncs)}

    def plan(self) -> actions.Plan:
        picture = a_snapshot(self.queue, now=self.now)
        jobs = tuple(job for _, job in self.running.values())
        return planner.plan(dataclasses.replace(picture, syncs=dict(self.syncs), jobs=jobs))

    def step(
        self, lasts: Callable[[snapshot.SyncRecord], int], *, deletes: Iterable[str] = ()
    ) -> actions.Plan:
        """Start what may start, then let the next one end; some namespaces delete what ended."""
        plan = self.plan()
        for wish in plan.creations:
            sync = wish.sync
            end = self.now + timedelta(seconds=lasts(sync))
            job = a_job(sync.name).with_record(sync_uid=sync.uid, namespace=sync.namespace, created=self.now)
            self.running[sync.uid] = end, job.build()
            self.started.append(sync.namespace)
            self.names.append(sync.name)
        status = self.plan().queue_statuses[self.queue.name]  # written while they run
        self.queue = dataclasses.replace(self.queue, status=status)
        if self.running:
            uid = min(self.running, key=lambda one: self.running[one][0])  # of several the first that started
            self.now = self.running.pop(uid)[0]
            sync = self.syncs.pop(uid)
            if sync.namespace not in deletes:
                self.syncs[uid] = dataclasses.replace(sync, status=sync.status.replace(phase=Phase.COMPLETE))
        return plan

    def held(self) -> Counter[str]:
        return Counter(job.namespace for _, job in self.running.values())


def crowd(namespace: str, count: int, *, first: float, **spec: int) -> list[SyncBuilder]:
    """ModelSyncs of a namespace, the oldest of which is `first` seconds old."""
    return [
        a_sync(f"{namespace}-{number:03}")
        .in_namespace(namespace)
        .created(ago(first - number))
        .with_spec(**spec)
        for number in range(count)
    ]


QUICK = settings(
    max_examples=8,
    deadline=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate],
)
NAMESPACES = st.lists(st.integers(100, 9000), min_size=2, max_size=5)
"""Namespaces by the age of their first ModelSync."""
LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=7)


def always_waiting(ages: list[int], slots: int, count: int = 12) -> Cluster:
    found = Cluster(a_queue(max_active=slots))
    for number, age in enumerate(ages):
        found.add(*crowd(f"team-{number}", count, first=age))
    return found


def length(lengths: list[int]) -> Callable[[snapshot.SyncRecord], int]:
    return lambda sync: lengths[int(sync.name[-3:]) % len(lengths)]


@QUICK
@given(NAMESPACES, LENGTHS, st.sets(st.integers(0, 4)))
def test_one_slot_goes_round_among_the_namespaces(
    ages: list[int], lengths: list[int], deleters: set[int]
) -> None:
    cluster = always_waiting(ages, slots=1, count=5)
    deletes = {f"team-{number}" for number in deleters}
    for _ in range(3 * len(ages) + 1):
        cluster.step(length(lengths), deletes=deletes)
        turns = Counter({f"team-{number}": 0 for number in range(len(ages))})
        turns.update(cluster.started)
        assert max(turns.values()) - min(turns.values()) <= 1


@QUICK
@given(NAMESPACES, LENGTHS, st.integers(2, 7))
def test_slots_are_held_in_equal_shares(ages: list[int], lengths: list[int], slots: int) -> None:
    cluster = always_waiting(ages, slots)
    names = [f"team-{number}" for number in range(len(ages))]
    for _ in range(10):
        plan = cluster.plan()
        held = cluster.held() + Counter(wish.sync.namespace for wish in plan.creations)
        assert sum(held.values()) == slots
        assert max(held[name] for name in names) - min(held[name] for name in names) <= 1
        cluster.step(length(lengths))


@pytest.mark.parametrize(("namespaces", "slots"), [(2, 1), (3, 1), (5, 1), (2, 2), (3, 3)])
def test_a_place_in_the_queue_is_the_place_in_which_it_starts(namespaces: int, slots: int) -> None:
    """Of equal lengths and shares: else it depends on who ends first, which nobody knows."""
    cluster = always_waiting([100 * (n + 1) for n in range(namespaces)], slots)
    plan = cluster.step(lambda _: 10)
    places = {
        status.queue.position: cluster.syncs[uid].name
        for uid, status in plan.statuses.items()
        if status.queue is not None and status.queue.position is not None
    }
    before = len(cluster.names)
    for _ in range(len(places) + slots):
        cluster.step(lambda _: 10)
    assert sorted(places) == list(range(1, 21))
    assert cluster.names[before : before + 20] == [places[place] for place in sorted(places)]


@pytest.mark.parametrize("deletes", [(), ("greedy",)], ids=["keeps what ended", "deletes what ended"])
def test_a_late_namespace_waits_for_a_turn_and_not_for_all_that_came_before(
    deletes: tuple[str, ...],
) -> None:
    cluster = Cluster(a_queue(max_active=1))
    cluster.add(*crowd("greedy", 30, first=9000))
    for _ in range(5):
        cluster.step(lambda _: 10, deletes=deletes)
    cluster.add(*crowd("modest", 1, first=0))
    cluster.step(lambda _: 10, deletes=deletes)
    assert cluster.started[-1] == "modest"


def test_priority_is_bounded_by_the_queue_and_then_namespaces_take_turns() -> None:
    cluster = Cluster(a_queue(max_active=1, max_priority=10))
    cluster.add(*crowd("greedy", 9, first=900, priority=1000), *crowd("modest", 9, first=100, priority=10))
    for _ in range(6):
        plan = cluster.step(lambda _: 10)
    assert Counter(cluster.started) == {"greedy": 3, "modest": 3}
    (ready,) = (
        status.conditions[0]
        for uid, status in plan.statuses.items()
        if cluster.syncs[uid].name == "greedy-005"
    )
    assert ready.message == (
        "waiting in queue 'default' for a free slot; its priority counts as 10, the queue's maxPriority"
    )


def test_priorities_above_the_bound_do_not_order_one_namespace_either() -> None:
    old, young = (
        a_sync(n).created(ago(a)).with_priority(p) for n, a, p in (("old", 9, 11), ("young", 1, 999))
    )
    plan = planner.plan(a_snapshot(old, young, a_queue(max_priority=10)))
    assert [wish.sync.name for wish in plan.creations] == ["old"]


@pytest.mark.parametrize("highest", [-1000, 0, 1000, None])
def test_a_bound_changes_nothing_below_it(highest: int | None) -> None:
    low, lower = a_sync("low").created(NOW).with_priority(-999), a_sync("lower").with_priority(-1000)
    plan = planner.plan(a_snapshot(low, lower, a_queue(max_priority=highest)))
    assert [wish.sync.name for wish in plan.creations] == ["lower" if highest == -1000 else "low"]


def test_a_namespace_at_its_limit_leaves_the_slots_to_others_and_says_so() -> None:
    cluster = Cluster(a_queue(max_active=5, max_active_per_namespace=2))
    cluster.add(*crowd("greedy", 9, first=900, priority=1000), *crowd("modest", 1, first=1))
    plan = cluster.step(lambda _: 10)
    assert cluster.started == ["greedy", "greedy", "modest"]
    waiting = [s for s in plan.statuses.values() if s.queue is not None]
    assert {s.queue.reason for s in waiting if s.queue} == {QueueReason.NAMESPACE_LIMIT}
    assert "'greedy'" in waiting[0].conditions[0].message
    assert "maxActivePerNamespace" in waiting[0].conditions[0].message


def test_why_a_namespace_at_its_limit_waits_does_not_change_with_every_slot_of_others() -> None:
    queue = a_queue(max_active=2, max_active_per_namespace=1)
    mine = (
        a_sync("runs").in_namespace("a"),
        a_job("runs").with_record(namespace="a"),
        a_sync("waits").in_namespace("a"),
    )
    full = (a_sync("other").in_namespace("b"), a_job("other").with_record(namespace="b"))
    reasons = {
        status.queue.reason
        for parts in (mine, (*mine, *full))
        for status in planner.plan(a_snapshot(*parts, queue)).statuses.values()
        if status.queue is not None
    }
    assert reasons == {QueueReason.NAMESPACE_LIMIT}


def test_a_worker_whose_modelsync_is_gone_is_of_its_namespace_still() -> None:
    gone = a_job("gone").with_record(namespace="greedy", queue="default", created=ago(1))
    greedy, modest = (
        a_sync("more").in_namespace("greedy").created(ago(900)),
        a_sync("one").in_namespace("modest"),
    )
    plan = planner.plan(a_snapshot(greedy, modest, gone, a_queue(max_active=2, max_active_per_namespace=1)))
    assert [wish.sync.namespace for wish in plan.creations] == ["modest"]
    assert [start.namespace for start in plan.queue_statuses["default"].last_starts] == ["greedy"]


def test_turns_are_stored_for_namespaces_that_use_the_queue_and_a_bounded_number_of_them() -> None:
    starts = tuple(
        syncqueue.NamespaceStart(namespace=f"n{number:03}", time=ago(number)) for number in range(300)
    )
    queue = a_queue()
    queue = dataclasses.replace(queue, status=queue.status.replace(last_starts=starts))
    syncs = [a_sync(f"s{number}").in_namespace(f"n{number:03}") for number in range(1, 300)]
    (kept,) = (s.last_starts for s in planner.plan(a_snapshot(*syncs, queue)).queue_statuses.values())
    assert kept == starts[1 : 1 + syncqueue.MOST_STARTS]


def test_a_start_that_nobody_has_seen_is_a_turn_but_is_not_stored() -> None:
    one, other = a_sync("one").in_namespace("a"), a_sync("other").in_namespace("b").created(ago(1))
    waits = a_sync("waits").in_namespace("a").created(ago(500))
    jobs = (
        a_job("one").assumed().with_record(namespace="a"),
        a_job("other").with_record(namespace="b"),
    )
    queue = a_queue(max_active=3)
    plan = planner.plan(a_snapshot(one, other, waits, *jobs, queue, a_queue("else")))
    assert [s.namespace for s in plan.queue_statuses["default"].last_starts] == ["b"]
