"""The worker container's own end settles its attempt, whatever else was put into its Pod and runs on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from modelsync.api.reasons import Phase, Reason
from modelsync.core import actions, planner
from tests.builders import (
    NOW,
    JobBuilder,
    PodBuilder,
    SyncBuilder,
    a_job,
    a_pod,
    a_queue,
    a_snapshot,
    a_sync,
    ago,
    termination_report,
)
from tests.core.world import World

LONG_AGO = ago(60)
ACTIVE = a_job()


def beside_a_sidecar(
    code: int, reason: Reason, *, when: datetime | None = LONG_AGO, **fields: Any
) -> PodBuilder:
    """A worker that ended while another container of its Pod runs."""
    return (
        a_pod()
        .ended(code, termination_report(reason, "as it says"))
        .with_record(finished=when, phase="Running")
    ).with_record(**fields)


@dataclass(frozen=True, kw_only=True)
class End:
    """A worker's end in a Pod with more containers, and what follows of it."""

    name: str
    pod: PodBuilder
    phase: Phase
    reason: Reason
    job: JobBuilder = ACTIVE
    failures: int | None = None


ENDS = (
    End(
        name="done beside a sidecar",
        pod=beside_a_sidecar(0, Reason.SYNCED),
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
    ),
    End(
        name="failed for good beside a sidecar",
        pod=beside_a_sidecar(13, Reason.NOT_FOUND),
        phase=Phase.FAILED,
        reason=Reason.NOT_FOUND,
        failures=1,
    ),
    End(
        name="failed for now beside a sidecar",
        pod=beside_a_sidecar(50, Reason.NETWORK_ERROR),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        failures=1,
    ),
    End(
        name="killed by the kernel beside a sidecar",
        pod=a_pod().ended(137, reason="OOMKilled", when=LONG_AGO).with_record(phase="Running"),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        failures=1,
    ),
    End(
        name="done beside a sidecar whose image is never pulled",
        pod=beside_a_sidecar(0, Reason.SYNCED, phase="Pending"),
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
    ),
    End(
        name="done at a time that nobody knows",
        pod=beside_a_sidecar(0, Reason.SYNCED, when=None),
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
    ),
    End(
        name="done by a clock that is an hour ahead",
        pod=beside_a_sidecar(0, Reason.SYNCED, when=ago(-3600)),
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
    ),
    End(
        name="done, and then the sidecar failed",
        pod=beside_a_sidecar(0, Reason.SYNCED, phase="Failed"),
        job=a_job().failed(),
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
    ),
    End(
        name="done, and then the node was drained",
        pod=beside_a_sidecar(0, Reason.SYNCED, deleting=True, disruption="drained"),
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
    ),
    End(
        name="failed, and then the sidecar failed",
        pod=beside_a_sidecar(13, Reason.NOT_FOUND, phase="Failed"),
        job=a_job().failed(),
        phase=Phase.FAILED,
        reason=Reason.NOT_FOUND,
        failures=1,
    ),
    End(
        name="stopped for the Job's deadline, which its conditions then report",
        pod=beside_a_sidecar(143, Reason.INTERRUPTED, deleting=True),
        phase=Phase.QUEUED,
        reason=Reason.STARTING,
    ),
    End(
        name="just ended: its Job follows, and keeps the log",
        pod=beside_a_sidecar(0, Reason.SYNCED, when=ago(1)),
        phase=Phase.DOWNLOADING,
        reason=Reason.STARTING,
    ),
)


def plan_of(*parts: SyncBuilder | JobBuilder | PodBuilder) -> actions.Plan:
    return planner.plan(a_snapshot(*parts))


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_the_workers_own_end_settles_the_attempt(end: End) -> None:
    status = plan_of(a_sync(), end.job, end.pod).statuses["uid-llama"]
    ready = next(c for c in status.conditions if c.type == "Ready")
    assert (status.phase, ready.reason) == (end.phase, end.reason)
    assert status.failures == end.failures


@pytest.mark.parametrize(
    "end", [e for e in ENDS if e.job == ACTIVE and e.reason is not Reason.STARTING], ids=lambda end: end.name
)
def test_its_job_goes_once_the_result_is_stored_and_not_before(end: End) -> None:
    first = plan_of(a_sync().with_status(attempts=1), end.job, end.pod)
    assert first.deletions == (), "an operator that dies now must find the result again"
    stored = a_sync().with_status(first.statuses["uid-llama"])
    second = plan_of(stored, end.job, end.pod)
    settled = end.phase is not Phase.DOWNLOADING
    assert [wish.job.uid for wish in second.deletions] == (["job-llama-1"] if settled else [])
    assert second.creations == ()


def test_a_worker_that_just_ended_is_looked_at_again_in_time() -> None:
    plan = plan_of(a_sync(), a_job(), beside_a_sidecar(0, Reason.SYNCED, when=ago(1)))
    assert plan.wake_at is not None
    assert NOW < plan.wake_at <= NOW + timedelta(seconds=10)


@pytest.mark.parametrize("code", [0, 13, 50])
def test_a_slot_is_free_and_a_second_attempt_starts_only_when_the_pod_is_gone(code: int) -> None:
    pod = beside_a_sidecar(code, {0: Reason.SYNCED, 13: Reason.NOT_FOUND, 50: Reason.NETWORK_ERROR}[code])
    status = plan_of(a_sync(), a_job(), pod).statuses["uid-llama"]
    due = status.replace(next_retry_time=ago(1)) if status.next_retry_time else status
    sync, other = a_sync().with_status(due), a_sync("other")
    for left in ([a_job(), pod], [a_job().deleting(), pod], [pod.with_record(deleting=True)]):
        assert planner.plan(a_snapshot(sync, other, *left)).creations == ()
    freed = planner.plan(a_snapshot(sync, other, a_queue(max_active=2))).creations
    again = {("llama", 2)} if code == 50 else set()
    assert {(made.sync.name, made.attempt) for made in freed} == {("other", 1)} | again


def test_48_hours_beside_a_sidecar_are_a_matter_of_seconds() -> None:
    world = World(*(a_sync(name) for name in "abc"), max_active=1)
    world.sidecars = set(world.syncs)
    for _ in range(120):
        world.plan()
        world.tick(2.0)
    assert {sync.status.phase for sync in world.syncs.values()} == {Phase.COMPLETE}
    assert world.pods == {}
