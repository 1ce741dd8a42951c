"""The operator's backstop: a worker without progress is ended once, by what this operator saw."""

from datetime import timedelta

import pytest

from modelsync.api.reasons import Phase, Reason, Stage
from modelsync.core import actions, planner
from modelsync.core.cluster import snapshot
from tests.builders import (
    NOW,
    JobBuilder,
    PodBuilder,
    SyncBuilder,
    a_failure,
    a_job,
    a_pod,
    a_sample,
    a_snapshot,
    a_sync,
    ago,
    termination_report,
)

POD, JOB = "pod-llama-1", "job-llama-1"
LONG = snapshot.Silence(seconds=661.0, answers=True)


def planned(
    sync: SyncBuilder,
    *parts: JobBuilder | PodBuilder,
    silence: snapshot.Silence | None = LONG,
    stage: Stage = Stage.PUBLISHING,
) -> actions.Plan:
    sample = a_sample(stage=stage, received=ago(900))
    picture = a_snapshot(sync, *(parts or (a_job(), a_pod().running(ago(9000)))), samples={POD: sample})
    silences = {POD: silence} if silence is not None else {}
    return planner.plan(
        snapshot.Snapshot(
            **{
                **{name: getattr(picture, name) for name in picture.__slots__},
                "silences": silences,
            }
        )
    )


@pytest.mark.parametrize(
    ("deadline", "seconds", "ends"),
    [(600, 659.9, False), (600, 660, True), (10, 69.9, False), (10, 70, True), (86_400, 86_459, False)],
)
@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize("stage", list(Stage))
def test_a_worker_is_ended_after_its_deadline_and_a_margin(
    deadline: int, seconds: float, ends: bool, answers: bool, stage: Stage
) -> None:
    sync = a_sync().with_spec(progress_deadline_seconds=deadline).with_status(attempts=1)
    plan = planned(sync, silence=snapshot.Silence(seconds=seconds, answers=answers), stage=stage)
    status = plan.statuses["uid-llama"]
    if not ends:
        assert (status.last_failure, plan.deletions) == (None, ())
        return
    assert status.last_failure is not None
    assert status.last_failure.reason is Reason.PROGRESS_DEADLINE_EXCEEDED
    assert ("has not answered" in status.last_failure.message) == (not answers)
    assert (status.failures, status.last_failure.attempt) == (1, 1)
    assert status.next_retry_time is not None
    assert [event.reason for event in plan.events] == [Reason.PROGRESS_DEADLINE_EXCEEDED]
    # The record is stored first; then the Job goes, even if the next plan is of an operator that saw nothing.
    stored = sync.with_status(status)
    for silence in (LONG, None):
        after = planned(stored, silence=silence)
        assert [wish.job.uid for wish in after.deletions] == [JOB]
        assert after.statuses["uid-llama"].last_failure == status.last_failure, "counted once"
        assert after.creations == ()


RUNNING = (a_job(), a_pod().running(ago(9000)))


@pytest.mark.parametrize(
    ("sync", "parts", "silence"),
    [
        pytest.param(a_sync(), RUNNING, None, id="never heard of, or only just, by this operator"),
        pytest.param(a_sync().suspended(), RUNNING, LONG, id="paused: its Job goes anyway"),
        pytest.param(a_sync().cancelled(), RUNNING, LONG, id="cancelled"),
        pytest.param(a_sync(), (a_job(), a_pod()), LONG, id="its Pod waits"),
        pytest.param(
            a_sync(),
            (a_job(), a_pod().running(ago(9000)).with_record(unreachable_since=ago(400))),
            snapshot.Silence(seconds=9000, answers=False),
            id="its node is the silent one, and Kubernetes has not given it up",
        ),
        pytest.param(a_sync(), (a_job(), a_pod().running().with_record(deleting=True)), LONG, id="it goes"),
        pytest.param(
            a_sync(),
            (a_job().complete(), a_pod().ended(0, termination_report())),
            LONG,
            id="it has ended well",
        ),
        pytest.param(
            a_sync(),
            (a_job().failed(), a_pod().ended(50)),
            LONG,
            id="it has ended by itself, by another reason",
        ),
    ],
)
def test_nobody_else_is_ended_for_silence(
    sync: SyncBuilder, parts: tuple[JobBuilder | PodBuilder, ...], silence: snapshot.Silence | None
) -> None:
    failed = planned(sync.with_status(attempts=1), *parts, silence=silence).statuses["uid-llama"].last_failure
    assert failed is None or failed.reason is not Reason.PROGRESS_DEADLINE_EXCEEDED


def test_a_new_attempt_is_not_blamed_for_the_last_one() -> None:
    sync = a_sync().with_status(attempts=2, failures=1, last_failure=a_failure(attempt=1))
    status = planned(sync, a_job(attempt=2), a_pod(attempt=2).running()).statuses["uid-llama"]
    assert (status.phase, status.last_failure) == (Phase.DOWNLOADING, sync.status.last_failure)


def test_the_slot_is_free_only_when_the_pod_is_gone() -> None:
    sync = a_sync().with_status(attempts=1)
    stored = sync.with_status(planned(sync).statuses["uid-llama"])
    later = stored.with_status(next_retry_time=NOW - timedelta(seconds=1))
    lingering = planned(later, a_pod().running().with_record(deleting=True))
    assert lingering.creations == (), "never two workers of one sync"
