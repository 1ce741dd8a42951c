"""An operator that was away: figures say when they were taken, and Events need an observation."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.api.modelsync_status import ModelSyncStatus
from modelsync.api.reasons import Reason, Stage
from modelsync.core import planner
from modelsync.core.attempts.history import ready_reason
from modelsync.core.cluster import snapshot
from tests import counts
from tests.builders import (
    MB,
    NOW,
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
HALF = a_progress(50 * MB, bytes_per_second=MB)
SILENCE = 40
"""Seconds without a byte: a stall."""


def planned(
    stored: ModelSyncStatus | None, sample: snapshot.Sample | None, now: datetime = NOW
) -> tuple[ModelSyncStatus, list[str]]:
    """The status that a plan wants of a running sync, and its Events."""
    sync = a_sync() if stored is None else a_sync().with_status(stored)
    samples = {} if sample is None else {POD: sample}
    plan = planner.plan(a_snapshot(sync, a_job(), a_pod().running(), samples=samples, now=now))
    return plan.statuses["uid-llama"], [event.message for event in plan.events]


def observed(status: ModelSyncStatus) -> datetime | None:
    assert status.progress is not None
    return status.progress.observed_time


def test_figures_say_when_the_worker_reported_them() -> None:
    status, _ = planned(None, a_sample(HALF, received=NOW + timedelta(milliseconds=700)))
    assert observed(status) == NOW
    later = NOW + timedelta(seconds=9)
    status, _ = planned(status, a_sample(HALF.replace(bytes_done=59 * MB), received=later), later)
    assert observed(status) == later


@settings(max_examples=counts.chosen(short=20, full=50), deadline=None)
@given(st.lists(st.tuples(st.sampled_from([50, 60]), st.sampled_from([None, 0, MB])), min_size=1, max_size=8))
def test_the_time_is_never_written_alone(reports: list[tuple[int, int | None]]) -> None:
    stored, now = planned(None, a_sample(HALF))[0], NOW
    for done, speed in reports:
        now += timedelta(seconds=1)
        sample = a_sample(a_progress(done * MB, bytes_per_second=speed), received=now)
        wanted, _ = planned(stored, sample, now)
        assert wanted.progress is not None
        assert stored.progress is not None
        figures = wanted.progress.replace(observed_time=None)
        if figures == stored.progress.replace(observed_time=None):
            assert wanted == stored, "equal figures are no write"
        else:
            assert observed(wanted) == now
        stored = wanted


def test_the_last_report_of_a_worker_is_from_its_end() -> None:
    stored, _ = planned(None, a_sample(HALF, received=ago(60)))
    end = termination_report(Reason.NETWORK_ERROR, progress=a_progress(70 * MB))
    pod = a_pod().ended(21, end, when=ago(3))
    plan = planner.plan(a_snapshot(a_sync().with_status(stored), a_job().failed(), pod))
    assert observed(plan.statuses["uid-llama"]) == ago(3)
    done = a_pod().ended(0, termination_report(), when=ago(2))
    plan = planner.plan(a_snapshot(a_sync().with_status(stored), a_job().complete(), done))
    assert observed(plan.statuses["uid-llama"]) == ago(2)


def test_a_speed_is_not_shown_of_a_worker_that_this_operator_has_not_heard_for_long() -> None:
    stored, _ = planned(None, a_sample(HALF))
    assert stored.display is not None
    assert stored.display.speed is not None
    soon, _ = planned(stored, None, NOW + timedelta(seconds=5))
    assert soon == stored, "an operator that returns at once writes nothing"
    late, events = planned(stored, None, NOW + timedelta(minutes=5))
    assert late.display is not None
    assert (late.display.speed, late.display.eta) == (None, None)
    assert late.display.amount == stored.display.amount
    assert (observed(late), events) == (NOW, [])


STAGES = {
    "downloads": (a_sample(HALF), Reason.DOWNLOADING),
    "stalls": (a_sample(HALF, idle_seconds=SILENCE), Reason.DOWNLOAD_STALLED),
    "verifies": (a_sample(HALF, stage=Stage.VERIFYING), Reason.VERIFYING),
}


@pytest.mark.parametrize(("sample", "reason"), STAGES.values(), ids=STAGES)
def test_an_operator_that_returns_says_of_a_worker_what_was_said_until_it_hears_of_it(
    sample: snapshot.Sample, reason: Reason
) -> None:
    stored, _ = planned(None, sample)
    away = NOW + timedelta(minutes=5)
    returned, events = planned(stored, None, away)
    assert (ready_reason(returned), events) == (reason, [])
    assert returned.conditions == stored.conditions
    again = a_sample(
        sample.report.progress, stage=sample.report.stage, idle_seconds=sample.report.idle_seconds
    )
    heard, events = planned(returned, again, away)
    assert (ready_reason(heard), events) == (reason, []), "the same observation is no news"


def test_bytes_that_arrive_again_and_a_stall_are_news_once_they_are_seen() -> None:
    stalled, events = planned(None, a_sample(HALF, idle_seconds=SILENCE))
    assert len(events) == 1
    returned, _ = planned(stalled, None)
    flowing, events = planned(returned, a_sample(HALF.replace(bytes_done=51 * MB)))
    assert events == ["bytes arrive again"]
    _, events = planned(planned(flowing, None)[0], a_sample(HALF, idle_seconds=SILENCE))
    assert len(events) == 1


def test_what_was_said_of_another_worker_says_nothing_of_this_one() -> None:
    stalled, _ = planned(None, a_sample(HALF, idle_seconds=SILENCE))
    assert stalled.worker is not None
    other = stalled.replace(worker=stalled.worker.replace(pod_name="llama-older"))
    returned, _ = planned(other, None)
    assert ready_reason(returned) != Reason.DOWNLOAD_STALLED
