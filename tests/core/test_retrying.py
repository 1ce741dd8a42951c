"""What is tried again is said: what, which try of how many, when next; once a spell, while it lasts."""

from datetime import timedelta

import pytest

from modelsync.api import conditions, protocol
from modelsync.api.modelsync_status import ModelSyncStatus
from modelsync.api.reasons import ConditionType, Phase, Reason, Stage
from modelsync.core import actions, planner, status_patch
from modelsync.core.cluster import snapshot
from tests.builders import (
    NOW,
    a_failure,
    a_job,
    a_pod,
    a_progress,
    a_sample,
    a_snapshot,
    a_sync,
    ago,
    termination_report,
)

POD = "pod-llama-1"
CAUSE = "The origin https://hub answers with HTTP 503."
LIMIT = "hub limits the rate of requests (HTTP 429). Use a token, or fewer syncs at once."


def sampled(
    tries: int | None, *, idle: float = 5.0, next_seconds: float = 8.0, at: float = 0.0, done: int = 0
) -> snapshot.Sample:
    again = (
        None
        if tries is None
        else protocol.Retrying(cause=CAUSE, tries=tries, most=6, next_seconds=next_seconds)
    )
    received = NOW + timedelta(seconds=at)
    return a_sample(a_progress(done), idle_seconds=idle, retrying=again, received=received)


def after(status: ModelSyncStatus | None, sample: snapshot.Sample) -> actions.Plan:
    sync = a_sync() if status is None else a_sync().with_status(status)
    picture = a_snapshot(sync, a_job(), a_pod().running(), samples={POD: sample}, now=sample.received)
    return planner.plan(picture)


def message(status: ModelSyncStatus) -> str:
    found = conditions.find(status.conditions, ConditionType.READY)
    assert found is not None
    return found.message


def test_a_status_says_what_is_tried_again_which_try_of_how_many_and_when_next() -> None:
    status = after(None, sampled(3)).statuses["uid-llama"]
    assert status.progress is not None and status.progress.retrying is not None
    again = status.progress.retrying
    assert (again.message, again.tries, again.most_tries) == (CAUSE, 3, 6)
    assert again.next_time == NOW + timedelta(seconds=8)
    assert CAUSE in message(status)
    assert status.display is not None and status.display.stage == "Downloading, 3 of 6 tries failed"


@pytest.mark.parametrize(
    ("sample", "shown"),
    [
        pytest.param(sampled(None), False, id="nothing is tried again"),
        pytest.param(sampled(1, idle=0.4), False, id="a single refusal, bytes came just now"),
        pytest.param(sampled(1, idle=2.0), True, id="nothing came since"),
        pytest.param(sampled(5, idle=45.0), True, id="the download stalls, too"),
    ],
)
def test_a_retry_is_news_only_while_nothing_comes(sample: snapshot.Sample, shown: bool) -> None:
    status = after(None, sample).statuses["uid-llama"]
    assert status.progress is not None
    assert (status.progress.retrying is not None) == shown
    assert (CAUSE in message(status)) == shown


def test_a_spell_is_one_event_and_none_of_its_tries_is_a_transition() -> None:
    status = after(None, sampled(None, idle=0.0)).statuses["uid-llama"]
    events, transitions = [], 0
    for second in range(30):
        plan = after(status, sampled(1 + second // 6, at=second, next_seconds=6.0 - second % 6))
        new = plan.statuses["uid-llama"]
        events += [(event.type, event.reason) for event in plan.events]
        transitions += status_patch.is_transition(status, new)
        status = new
    assert events == [("Warning", Reason.RETRYING)]
    assert transitions == 0
    over = after(status, sampled(None, idle=0.0, at=31, done=5)).statuses["uid-llama"]
    assert over.progress is not None and over.progress.retrying is None
    assert CAUSE not in message(over)


def test_one_wait_that_is_reported_again_and_again_changes_nothing() -> None:
    status = after(None, sampled(2, next_seconds=20.0)).statuses["uid-llama"]
    for second in range(1, 20):
        sample = sampled(2, at=second, idle=5.0 + second, next_seconds=20.4 - second)
        new = after(status, sample).statuses["uid-llama"]
        assert new.progress is not None and status.progress is not None
        assert new.progress.retrying == status.progress.retrying
        status = new


def test_it_goes_with_its_worker() -> None:
    status = after(None, sampled(3)).statuses["uid-llama"]
    ended = planner.plan(
        a_snapshot(a_sync().with_status(status), a_job().failed(), a_pod().ended(52))
    ).statuses["uid-llama"]
    assert ended.progress is not None and ended.progress.retrying is None


@pytest.mark.parametrize("cause", ["it broke", "The origin broke.", "why. How to fix it. "])
def test_a_failed_attempt_says_which_in_a_row_of_how_many_it_was_and_why(cause: str) -> None:
    sync = (
        a_sync()
        .with_spec(backoff_limit=5)
        .with_status(attempts=7, failures=1, last_failure=a_failure(attempt=6))
    )
    report = termination_report(Reason.ORIGIN_ERROR, cause, attempt=7)
    pod = a_pod(attempt=7).ended(52, report)
    plan = planner.plan(a_snapshot(sync, a_job(attempt=7).failed(when=ago(1)), pod))
    status, why = plan.statuses["uid-llama"], cause.rstrip(". ")
    failed = "attempt 7 failed (2 of 6 in a row)"
    assert status.phase is Phase.QUEUED
    assert message(status) == f"{failed} (OriginError): {why}; another attempt follows"
    assert plan.events[0].message == f"{failed}: {why}; another attempt follows"


def limited(
    seconds: float, *, idle: float, at: float = 0.0, stage: Stage = Stage.DOWNLOADING
) -> snapshot.Sample:
    again = protocol.Retrying(cause=LIMIT, tries=0, most=6, next_seconds=seconds, asked=True)
    received = NOW + timedelta(seconds=at)
    return a_sample(a_progress(0), stage=stage, idle_seconds=idle, retrying=again, received=received)


@pytest.mark.parametrize("stage", [Stage.RESOLVING, Stage.DOWNLOADING])
@pytest.mark.parametrize("idle", [3.0, 200.0])
def test_an_origin_that_names_a_time_is_a_rate_limit_until_then_and_no_stall(
    stage: Stage, idle: float
) -> None:
    status = after(None, limited(250.0, idle=idle, stage=stage)).statuses["uid-llama"]
    ready = conditions.find(status.conditions, ConditionType.READY)
    assert (status.phase, ready.reason if ready else "") == (Phase.DOWNLOADING, Reason.RATE_LIMITED)
    due = NOW + timedelta(seconds=250)
    assert status.progress is not None and status.progress.retrying is not None
    assert status.progress.retrying.next_time == due
    assert f"until {due:%Y-%m-%dT%H:%M:%SZ}" in message(status) and LIMIT in message(status)
    assert status.display is not None and status.display.stage == f"{stage}, waiting"


def test_a_wait_for_the_origin_is_one_event_at_its_beginning_and_one_at_its_end() -> None:
    status = after(None, sampled(None, idle=0.0)).statuses["uid-llama"]
    events, messages = [], set()
    for second in range(0, 300, 10):
        left = max(0.0, 250.4 - second)
        plan = after(status, limited(left, idle=3.0 + second, at=second))
        status = plan.statuses["uid-llama"]
        events += [(event.type, event.reason) for event in plan.events]
        messages.add(message(status))
    assert events == [("Warning", Reason.RATE_LIMITED)] and len(messages) == 1, "also while it is overdue"
    over = after(status, sampled(None, idle=0.0, at=301, done=5))
    assert [(event.reason, event.message) for event in over.events] == [
        (Reason.DOWNLOADING, "bytes arrive again")
    ]


def test_a_worker_that_waits_for_its_origin_and_is_deleted_is_a_lost_one() -> None:
    status = after(None, limited(250.0, idle=9.0)).statuses["uid-llama"]
    gone = planner.plan(a_snapshot(a_sync().with_status(status))).statuses["uid-llama"]
    assert gone.last_failure is not None and gone.last_failure.reason is Reason.WORKER_LOST


@pytest.mark.parametrize(("generation", "starts"), [(1, False), (2, True)], ids=["as it was", "changed"])
def test_a_changed_spec_ends_the_wait_for_the_next_attempt_and_keeps_the_count(
    generation: int, starts: bool
) -> None:
    sync = a_sync().with_status(
        phase=Phase.QUEUED,
        attempts=2,
        failures=2,
        observed_generation=1,
        last_failure=a_failure(attempt=2),
        next_retry_time=NOW + timedelta(seconds=80),
    )
    plan = planner.plan(a_snapshot(sync.with_record(generation=generation)))
    assert bool(plan.creations) == starts
    if starts:
        status = plan.statuses["uid-llama"]
        assert (status.next_retry_time, status.failures) == (None, 2)
