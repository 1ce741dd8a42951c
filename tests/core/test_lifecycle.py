"""The state of a ModelSync: each row a cluster, and what the sync's user then reads."""

from datetime import timedelta

import pytest

from modelsync.api import conditions
from modelsync.api import modelsync_status as api
from modelsync.api.reasons import ConditionType, Phase, Reason
from modelsync.api.source import transfer
from modelsync.core import planner
from modelsync.core.cluster import snapshot
from tests import kstatus
from tests.builders import (
    NOW,
    a_failure,
    a_job,
    a_pod,
    a_progress,
    a_snapshot,
    a_sync,
    ago,
    termination_report,
)
from tests.core import rows_of_checks, rows_of_results, rows_of_stops, rows_of_workers
from tests.core.rows import JOB, RUNNING, Row

ROWS = (*rows_of_workers.ROWS, *rows_of_results.ROWS, *rows_of_checks.ROWS, *rows_of_stops.ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_cluster_gives_the_state_that_its_user_reads(row: Row) -> None:
    picture = a_snapshot(*row.parts, samples=row.samples, problems=row.problems)
    plan = planner.plan(picture)
    status = plan.statuses["uid-llama"]
    ready = conditions.find(status.conditions, ConditionType.READY)
    assert ready is not None
    assert (status.phase, ready.reason) == (row.phase, row.reason)
    assert row.says in ready.message
    if row.queue is not None or row.creates == 0:
        assert (status.queue.reason if status.queue else None) == row.queue
    if row.creates is not None:
        assert [job.attempt for job in plan.creations] == ([row.creates] if row.creates else [])
    assert [wish.job.uid for wish in plan.deletions] == ([JOB] if row.deletes else [])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_status_that_was_written_is_wanted_again(row: Row) -> None:
    # Without this, each plan would cause a write, and each write a plan.
    picture = a_snapshot(*row.parts, samples=row.samples, problems=row.problems)
    for later in (0, 2):
        wanted = planner.plan(picture).statuses
        stored = {
            uid: snapshot.SyncRecord(
                **{name: getattr(sync, name) for name in sync.__slots__ if name != "status"},
                status=api.ModelSyncStatus.model_validate(wanted[uid].dump()),
            )
            for uid, sync in picture.syncs.items()
        }
        picture = snapshot.Snapshot(
            now=NOW + timedelta(seconds=later),
            syncs=stored,
            jobs=picture.jobs,
            pods=picture.pods,
            queues=picture.queues,
            samples=picture.samples,
            problems=picture.problems,
        )
    again = planner.plan(picture)
    assert {uid: status.dump() for uid, status in again.statuses.items()} == {
        uid: sync.status.dump() for uid, sync in picture.syncs.items()
    }
    assert again.events == ()
    assert all(again.statuses[uid] is sync.status for uid, sync in picture.syncs.items())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_conditions_say_what_kstatus_expects(row: Row) -> None:
    status = planner.plan(a_snapshot(*row.parts, samples=row.samples, problems=row.problems)).statuses[
        "uid-llama"
    ]
    shown = {condition.type: condition.status for condition in status.conditions}
    assert shown["Ready"] == ("True" if row.phase is Phase.COMPLETE else "False")
    assert shown.get("Reconciling") == (
        "True" if row.phase in (Phase.QUEUED, Phase.DOWNLOADING, Phase.VERIFYING) else None
    )
    assert shown.get("Stalled") == ("True" if row.phase in (Phase.FAILED, Phase.CANCELLED) else None)
    judged = kstatus.judge({"metadata": {"generation": status.observed_generation}, "status": status.dump()})
    assert (judged is kstatus.Verdict.CURRENT) == (row.phase is Phase.COMPLETE)
    assert (judged is kstatus.Verdict.FAILED) == (row.phase in (Phase.FAILED, Phase.CANCELLED))
    assert shown.get("Progressing") == ("False" if row.reason is Reason.DOWNLOAD_STALLED else None)


def test_progress_of_a_stopped_worker_is_kept_without_speed_and_forecast() -> None:
    running = api.ProgressStatus(
        bytes_total=100, bytes_done=40, percent=40, bytes_per_second=9, current_file="a"
    )
    sync = a_sync().suspended().with_status(phase=Phase.DOWNLOADING, progress=running)
    status = planner.plan(a_snapshot(sync)).statuses["uid-llama"]
    assert status.progress == api.ProgressStatus(bytes_total=100, bytes_done=40, percent=40)
    assert status.display is not None
    assert (status.display.progress, status.display.speed, status.display.eta) == ("40.0%", None, None)


def test_completing_records_what_was_published_and_clears_what_failed() -> None:
    sync = a_sync().with_status(
        phase=Phase.DOWNLOADING,
        attempts=2,
        failures=1,
        last_failure=a_failure(),
        next_retry_time=ago(9),
        progress=api.ProgressStatus(bytes_total=100, bytes_done=90),
    )
    words = termination_report(
        attempt=2,
        progress=a_progress(100, 100, files_total=3, files_done=3),
        resolved=transfer.Resolved(revision="c0ffee", files=3, bytes=100),
    )
    job, pod = a_job(attempt=2).complete(), a_pod(attempt=2).ended(0, words, when=ago(1))
    status = planner.plan(a_snapshot(sync, job, pod)).statuses["uid-llama"]
    assert status.completion_time == NOW
    assert status.artifacts == (
        api.Artifact(revision="c0ffee", path="llama", bytes=100, verified_at=NOW, attempt=2, current=True),
    )
    assert (status.failures, status.last_failure, status.next_retry_time) == (None, None, None)
    assert status.progress is not None
    assert (status.progress.percent, status.progress.files_done) == (100, 3)
    assert status.worker is None


def test_a_message_that_differs_in_numbers_alone_is_no_news() -> None:
    pod = a_pod().waiting("ErrImagePull", "dial 10.0.0.1:5000: read 10.0.0.2:41234: refused")
    first = planner.plan(a_snapshot(a_sync(), a_job(), pod)).statuses["uid-llama"]
    again = a_pod().waiting(
        "ImagePullBackOff",
        'Back-off pulling image "x": ErrImagePull: dial 10.0.0.1:5000: read 10.0.0.2:40000: refused',
    )
    sync = a_sync().with_status(first)
    assert planner.plan(a_snapshot(sync, a_job(), again)).statuses["uid-llama"] is sync.status


def test_a_changed_spec_replaces_a_worker_that_cannot_start() -> None:
    blocked = a_pod().unschedulable("0/2 nodes are available: 2 node(s) had taints")
    first = planner.plan(a_snapshot(a_sync(), a_job(), blocked)).statuses["uid-llama"]
    changed = a_sync().with_status(first).with_record(generation=2)
    plan = planner.plan(a_snapshot(changed, a_job(), blocked))
    assert [wish.job.uid for wish in plan.deletions] == [JOB]
    assert plan.statuses["uid-llama"].observed_generation == 1
    gone = planner.plan(a_snapshot(changed))
    assert [(job.attempt, gone.statuses["uid-llama"].failures) for job in gone.creations] == [(2, None)]
    assert gone.statuses["uid-llama"].observed_generation == 2


def test_a_changed_spec_leaves_a_running_worker_alone() -> None:
    changed = a_sync().with_status(phase=Phase.DOWNLOADING, observed_generation=1).with_record(generation=2)
    plan = planner.plan(a_snapshot(changed, *RUNNING[1:]))
    assert plan.deletions == ()
    assert plan.statuses["uid-llama"].observed_generation == 2
