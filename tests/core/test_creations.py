"""Jobs that could not be created: no slot while they wait, then their own place, no trouble for others."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.api import modelsync_status as api
from modelsync.api.reasons import Phase, QueueReason
from modelsync.core import planner
from modelsync.core.cluster import snapshot
from modelsync.core.queueing import admission
from tests import counts
from tests.builders import NOW, SyncBuilder, a_job, a_queue, a_snapshot, a_sync
from tests.core.test_queueing import place, started


def refused(*, due: float, tries: int = 1, message: str = "quota") -> snapshot.StartProblem:
    """A creation that failed three days ago for the first time and is due so many seconds from now."""
    later = NOW + timedelta(seconds=due)
    return snapshot.StartProblem(message=message, due=later, tries=tries)


@settings(max_examples=counts.chosen(short=25, full=60), deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.sampled_from([None, -1.0, 0.0, 0.5, 300.0])), max_size=9),
    st.integers(0, 4),
)
def test_what_waits_for_its_retry_holds_no_slot_and_then_has_its_own_place_again(
    drawn: list[tuple[int, float | None]], slots: int
) -> None:
    syncs = [a_sync(f"s{n}").with_priority(priority) for n, (priority, _) in enumerate(drawn)]
    problems = {f"uid-s{n}": refused(due=due) for n, (_, due) in enumerate(drawn) if due is not None}
    plan = planner.plan(a_snapshot(*syncs, a_queue(max_active=slots), problems=problems))
    ready = [(-priority, f"s{n}") for n, (priority, due) in enumerate(drawn) if due is None or due <= 0]
    assert started(plan) == [name for _, name in sorted(ready)][:slots], "as if the others were not there"
    waits = {due for _, due in drawn if due is not None and due > 0}
    assert plan.wake_at == (NOW + timedelta(seconds=min(waits)) if waits else None)
    for n, (_, due) in enumerate(drawn):
        status = plan.statuses[f"uid-s{n}"]
        if due is not None:
            ready_condition = next(c for c in status.conditions if c.type == "Ready")
            assert (ready_condition.reason, "quota" in ready_condition.message) == ("JobRejected", True)
            assert status.next_retry_time == NOW + timedelta(seconds=due)


def test_a_creation_that_is_tried_again_and_again_costs_one_write_each_time() -> None:
    def planned(sync: SyncBuilder, *, due: float) -> api.ModelSyncStatus:
        picture = a_snapshot(sync, problems={"uid-llama": refused(due=due)})
        return planner.plan(picture).statuses["uid-llama"]

    waits = planned(a_sync(), due=5)
    stored = a_sync().with_status(waits)
    problems, later = {"uid-llama": refused(due=5)}, NOW + timedelta(seconds=5)
    for picture in (
        a_snapshot(stored, problems=problems, now=later),
        a_snapshot(stored, a_job().assumed(), problems=problems, now=later),
    ):
        plan = planner.plan(picture)
        assert plan.statuses["uid-llama"].dump() == waits.dump(), "due, and under way"
        assert plan.events == ()
    again = planned(stored, due=9)
    assert again.replace(next_retry_time=None).dump() == waits.replace(next_retry_time=None).dump()


def test_what_is_derived_from_a_creation_without_an_answer_is_nothing_but_its_slot() -> None:
    sync = a_sync().with_status(phase=Phase.QUEUED)
    plan = planner.plan(a_snapshot(sync, a_job().assumed(), a_sync("next").created(NOW)))
    status = plan.statuses["uid-llama"]
    assert (started(plan), plan.deletions) == ([], ())
    assert (status.phase, status.attempts, status.start_time, status.queue) == (
        Phase.QUEUED,
        None,
        None,
        None,
    )
    gone = planner.plan(a_snapshot(a_sync().with_status(status)))
    assert gone.statuses["uid-llama"].last_failure is None, "what was never seen has not failed"
    assert [(job.sync.name, job.attempt) for job in gone.creations] == [("llama", 1)]


def test_a_namespace_that_does_not_answer_holds_few_slots() -> None:
    hangs = [a_sync(f"h{n:02}").in_namespace("hangs") for n in range(30)]
    fine = [a_sync(f"f{n}") for n in range(3)]
    plan = planner.plan(a_snapshot(*hangs, *fine, a_queue(max_active=99)))
    assert sorted(started(plan)) == ["f0", "f1", "f2", *(f"h{n:02}" for n in range(admission.UNANSWERED))]
    under_way = [a_job(f"h{n:02}").assumed() for n in range(admission.UNANSWERED)]
    plan = planner.plan(a_snapshot(*hangs, *fine, *under_way, a_queue(max_active=99)))
    assert started(plan) == ["f0", "f1", "f2"]


@pytest.mark.parametrize(
    ("due", "under_way", "starts"),
    [
        pytest.param(9, False, ["fine"], id="not due"),
        pytest.param(
            0, False, ["h2", "fine"], id="due: the one that was tried least, in the first one's place"
        ),
        pytest.param(0, True, ["fine"], id="one is tried"),
    ],
)
def test_after_a_failure_one_of_the_namespace_is_tried_at_a_time(
    due: float, under_way: bool, starts: list[str]
) -> None:
    hangs = [a_sync(f"h{n}").in_namespace("hangs") for n in range(4)]
    tried = {f"uid-h{n}": refused(due=0, tries=1) for n in (0, 1)}
    jobs = [a_job("h3").assumed()] if under_way else []
    trouble = {("hangs", "default"): refused(due=due, tries=3, message="webhook w: refused")}
    fine, queue = a_sync("fine").created(NOW), a_queue(max_active=9)
    plan = planner.plan(a_snapshot(*hangs, fine, *jobs, queue, problems=tried, troubles=trouble))
    assert started(plan) == starts
    if due > 0:
        assert plan.wake_at == NOW + timedelta(seconds=due)
        found = place(plan, "h2")
        assert found is not None and found.reason is QueueReason.BACK_OFF
        assert "webhook w: refused" in plan.statuses["uid-h2"].conditions[0].message
        assert plan.events[0].sync.name == "h0", "an Event where something was tried"
        assert "h2" not in [event.sync.name for event in plan.events]
