"""A node that goes away with a worker on it: named at once, its slot given back, never two writers."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from modelsync.api.conditions import find
from modelsync.api.reasons import ConditionType, Phase, QueueReason, Reason
from modelsync.core import actions, planner
from modelsync.core.cluster import snapshot
from tests.builders import (
    NOW,
    PodBuilder,
    SyncBuilder,
    a_job,
    a_pod,
    a_sample,
    a_snapshot,
    a_sync,
    ago,
    termination_report,
)
from tests.core.rows import POD
from tests.core.world import World

RUNS = a_pod().running(since=ago(900))
DARK = RUNS.with_record(unreachable_since=ago(45))
STORED = a_sync().with_status(attempts=1, phase=Phase.DOWNLOADING)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A worker's Pod in trouble, and what its user reads."""

    name: str
    pod: PodBuilder
    phase: Phase = Phase.QUEUED
    reason: Reason = Reason.NODE_LOST
    says: str = "node 'node-1'"
    samples: dict[str, snapshot.Sample] = field(default_factory=dict)
    ends: bool = False
    """The attempt is over: it counts, its Job goes, its slot is free."""


def overdue(seconds: float, pod: PodBuilder = RUNS) -> PodBuilder:
    """A Pod that should have been gone so many seconds ago."""
    return pod.with_record(deleting=True, deletion_due=ago(seconds))


LOSSES = (
    Loss(name="the node does not report", pod=DARK, phase=Phase.DOWNLOADING, says="does not report"),
    Loss(
        name="the node does not report, and the worker was last heard long ago",
        pod=DARK,
        samples={POD: a_sample(received=ago(31))},
        phase=Phase.DOWNLOADING,
    ),
    Loss(
        name="the node does not report, but the worker does",
        pod=DARK,
        samples={POD: a_sample(received=ago(2))},
        phase=Phase.DOWNLOADING,
        reason=Reason.DOWNLOADING,
        says="downloading",
    ),
    Loss(name="the phase is unknown", pod=RUNS.with_record(phase="Unknown"), phase=Phase.DOWNLOADING),
    Loss(
        name="the Pod is being deleted in its grace period",
        pod=overdue(-20),
        reason=Reason.STARTING,
        says="being stopped",
    ),
    Loss(
        name="the Pod is a little late, as with a slow unmount",
        pod=overdue(20),
        reason=Reason.STARTING,
        says="being stopped",
    ),
    Loss(name="the Pod on a dark node is being deleted", pod=overdue(-20, DARK), phase=Phase.DOWNLOADING),
    Loss(name="the node does not confirm the deletion", pod=overdue(31), ends=True, says="not confirmed"),
    Loss(name="nor does a dark one", pod=overdue(31, DARK), ends=True),
    Loss(
        name="the node does not confirm the deletion of a Pod that never started",
        pod=overdue(31, a_pod().waiting("ContainerCreating")),
        ends=True,
    ),
    Loss(
        name="a worker that tolerates a dark node forever, after ten minutes",
        pod=RUNS.with_record(unreachable_since=ago(600)),
        ends=True,
    ),
    Loss(
        name="a worker that tolerates a dark node forever, and works",
        pod=RUNS.with_record(unreachable_since=ago(6000)),
        samples={POD: a_sample(received=ago(2))},
        phase=Phase.DOWNLOADING,
        reason=Reason.DOWNLOADING,
        says="downloading",
    ),
)


def plan_of(
    loss: Loss, sync: SyncBuilder = STORED, *more: SyncBuilder | snapshot.QueueRecord
) -> actions.Plan:
    job = a_job().with_record(created=ago(1000))
    return planner.plan(a_snapshot(sync, job, loss.pod, *more, samples=loss.samples))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_a_lost_node_is_reported_by_its_name(loss: Loss) -> None:
    plan = plan_of(loss)
    status = plan.statuses["uid-llama"]
    ready = find(status.conditions, ConditionType.READY)
    assert ready is not None
    assert (status.phase, ready.reason) == (loss.phase, loss.reason)
    assert loss.says in ready.message
    reported = [event for event in plan.events if event.reason is Reason.NODE_LOST]
    if loss.reason is Reason.NODE_LOST:
        assert [event.type for event in reported] == ["Warning"]
        assert "node 'node-1'" in reported[0].message
    else:
        assert reported == []


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_a_lost_attempt_is_free_and_its_job_goes_once_that_is_stored(loss: Loss) -> None:
    first = plan_of(loss)
    status = first.statuses["uid-llama"]
    assert first.deletions == ()
    assert (status.last_failure is not None) == loss.ends
    if loss.ends:
        assert status.last_failure is not None
        assert (status.last_failure.reason, status.failures or 0) == (Reason.NODE_LOST, 0)
    second = plan_of(loss, a_sync().with_status(status))
    assert len(second.deletions) == loss.ends


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_others_get_its_slot_but_not_its_target(loss: Loss) -> None:
    # The worker may still write: nobody else may write to the same place, and no second attempt starts.
    status = plan_of(loss).statuses["uid-llama"]
    due = status.replace(next_retry_time=ago(1)) if loss.ends else status
    sync, other = a_sync().with_status(due), a_sync("other")
    same = a_sync("same").on_claim("models", "llama/sub").with_priority(9)
    jobs = [] if loss.ends else [a_job().with_record(created=ago(1000))]
    plan = planner.plan(a_snapshot(sync, other, same, loss.pod, *jobs, samples=loss.samples))
    assert [made.sync.name for made in plan.creations] == (["other"] if loss.ends else [])
    if loss.ends:
        place = plan.statuses["uid-same"].queue
        assert place is not None and place.reason is QueueReason.DUPLICATE
    active = plan.queue_statuses["default"].active
    assert active == (0 if loss.ends else 1)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_time_alone_brings_the_next_verdict(loss: Loss) -> None:
    plan = plan_of(loss)
    if loss.ends or loss.pod.build().phase == "Unknown":
        return  # only an Event of the Pod does
    assert plan.wake_at is not None and plan.wake_at > NOW


LOST = overdue(3600)


@pytest.mark.parametrize("seconds", [0, 3600])
def test_the_words_stay_as_long_as_the_node_does_not_confirm(seconds: float) -> None:
    status = plan_of(Loss(name="lost", pod=LOST)).statuses["uid-llama"]
    sync, later = a_sync().with_status(status), NOW + timedelta(seconds=seconds)
    plan = planner.plan(a_snapshot(sync, LOST, now=later))
    ready = find(plan.statuses["uid-llama"].conditions, ConditionType.READY)
    assert ready is not None and ready.reason == Reason.NODE_LOST
    assert "kubectl delete pod" in ready.message
    assert (plan.creations, plan.events) == ((), ())


@pytest.mark.parametrize(
    "left",
    [
        pytest.param([], id="the Node was deleted, and the Pod with it"),
        pytest.param([a_pod().ended(137)], id="the node is back, and the worker is dead"),
        pytest.param(
            [a_pod().ended(0, termination_report())], id="the node is back, and the worker was done"
        ),
    ],
)
def test_the_next_attempt_starts_when_the_pod_has_ended(left: list[PodBuilder]) -> None:
    status = plan_of(Loss(name="lost", pod=LOST)).statuses["uid-llama"]
    sync = a_sync().with_status(status.replace(next_retry_time=ago(1)))
    plan = planner.plan(a_snapshot(sync, *left))
    assert [(made.sync.name, made.attempt) for made in plan.creations] == [("llama", 2)]


@pytest.mark.parametrize("fields", [{"cancel": True}, {"suspend": True}])
def test_a_sync_that_is_stopped_on_a_lost_node_gives_its_slot_back(fields: dict[str, bool]) -> None:
    sync = a_sync().with_spec(**fields).with_status(attempts=1, phase=Phase.QUEUED)
    plan = planner.plan(a_snapshot(sync, LOST, a_sync("other")))
    assert [made.sync.name for made in plan.creations] == ["other"]


def test_a_pod_without_a_node_is_not_lost_with_one() -> None:
    pod = a_pod().with_record(deleting=True, deletion_due=ago(600))
    plan = planner.plan(a_snapshot(STORED, a_job(), pod))
    ready = find(plan.statuses["uid-llama"].conditions, ConditionType.READY)
    assert ready is not None and ready.reason == Reason.STARTING


def test_a_deletion_time_is_a_servers_and_a_far_future_is_kept() -> None:
    pod = RUNS.with_record(deleting=True, deletion_due=NOW + timedelta(hours=2))
    plan = planner.plan(a_snapshot(STORED, a_job(), pod))
    assert plan.statuses["uid-llama"].last_failure is None


def test_a_world_whose_nodes_are_lost_goes_on_and_the_lost_ones_complete_when_they_are_back() -> None:
    names = [f"s{n}" for n in range(6)]
    world = World(*(a_sync(name) for name in names), max_active=2)
    world.plan()
    world.tick(1, lambda: None)
    world.tick(1, lambda: None)
    dark = set(world.pods)
    assert len(dark) == 2
    world.dark = dark
    for _ in range(400):
        world.plan()
        world.tick(3.0)
    done = {s.uid for s in world.syncs.values() if s.status.phase is Phase.COMPLETE}
    assert len(done) == 4, "two lost nodes do not hold the queue's two slots forever"
    world.dark = set()
    for _ in range(60):
        world.plan()
        world.tick(3.0)
    assert {s.status.phase for s in world.syncs.values()} == {Phase.COMPLETE}
