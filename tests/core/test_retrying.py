"""What is tried again is said: what, which try of how many, when next; once a spell, while it lasts."""

from datetime import timedelta

import pytest

from modelsync.api import conditions, wire
from modelsync.api.modelsync import ModelSyncStatus
from modelsync.api.reasons import ConditionType, Phase, Reason
from modelsync.core import actions, planner, snapshot, statusdiff
from tests.builders import NOW, a_failure, a_job, a_pod, a_progress, a_sample, a_snapshot, a_sync, ago

POD = "pod-llama-1"
CAUSE = "The origin https://hub answers with HTTP 503."


def sampled(
    tries: int | None, *, idle: float = 5.0, next_seconds: float = 8.0, at: float = 0.0, done: int = 0
) -> snapshot.Sample:
    again = (
        None if tries is None else wire.Retrying(cause=CAUSE, tries=tries, most=6, next_seconds=next_seconds)
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
        transitions += statusdiff.is_transition(status, new)
        status = new
    assert events == [("Warning", Reason.RETRYING)]
    assert transitions == 0
    over = after(status, sampled(None, idle=0.0, at=31, done=5)).statuses["uid-llama"]
    assert over.progress is not None and over.progress.retrying is None
    assert CAUSE not in message(over)


def test_one_wait_that_is_told_again_and_again_changes_nothing() -> None:
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


def test_a_failed_attempt_says_which_in_a_row_of_how_many_it_was() -> None:
    sync = (
        a_sync()
        .with_spec(backoff_limit=5)
        .with_status(attempts=7, failures=1, last_failure=a_failure(attempt=6))
    )
    plan = planner.plan(a_snapshot(sync, a_job(attempt=7).failed(when=ago(1)), a_pod(attempt=7).ended(52)))
    status = plan.statuses["uid-llama"]
    assert status.phase is Phase.QUEUED
    assert "attempt 7 failed (2 of 6 in a row)" in message(status)
    assert "attempt 7 failed (2 of 6 in a row)" in plan.events[0].message
