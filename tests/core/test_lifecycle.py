"""The state of a ModelSync: each row a cluster, and what the sync's user then reads."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from modelsync.api import conditions
from modelsync.api import modelsync as api
from modelsync.api.reasons import ConditionType, Phase, QueueReason, Reason, Stage
from modelsync.core import planner, snapshot
from tests import kstatus
from tests.builders import (
    NOW,
    JobBuilder,
    PodBuilder,
    SyncBuilder,
    a_failure,
    a_job,
    a_pod,
    a_progress,
    a_queue,
    a_sample,
    a_snapshot,
    a_sync,
    ago,
    last_words,
)

Part = SyncBuilder | JobBuilder | PodBuilder | snapshot.QueueRecord
POD = "pod-llama-1"
JOB = "job-llama-1"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A cluster around the ModelSync `llama`, and what should be read of it."""

    name: str
    parts: tuple[Part, ...]
    phase: Phase
    reason: Reason
    says: str = ""
    samples: dict[str, snapshot.Sample] = field(default_factory=dict)
    problems: dict[str, snapshot.Problem] = field(default_factory=dict)
    queue: QueueReason | None = None
    creates: int | None = None
    deletes: bool = False


def problem(message: str, reason: str = "") -> snapshot.Problem:
    return snapshot.Problem(message=message, reason=reason, since=ago(3))


RUNNING = (a_sync(), a_job(), a_pod().running())
WAITS = a_sync().with_status(phase=Phase.QUEUED, attempts=1, failures=1, last_failure=a_failure())
FAILED = a_sync().with_status(
    phase=Phase.FAILED,
    observed_generation=1,
    attempts=1,
    failures=1,
    last_failure=a_failure(Reason.ACCESS_DENIED),
)
DONE = a_sync().with_status(
    phase=Phase.COMPLETE, attempts=1, artifacts=(api.Artifact(path="llama", bytes=1),)
)
OLD = ago(61)

ROWS = [
    Row(
        name="a new one is admitted",
        parts=(a_sync(),),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=1,
    ),
    Row(
        name="no slot is free",
        parts=(a_sync(), a_queue(max_active=0)),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        says="free slot",
        queue=QueueReason.CONCURRENCY_LIMIT,
    ),
    Row(
        name="the queue is suspended",
        parts=(a_sync(), a_queue(suspend=True)),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        says="spec.suspend",
        queue=QueueReason.SUSPENDED,
    ),
    Row(
        name="the queue is not there",
        parts=(a_sync().in_queue("gpu"),),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        says="spec.queue",
        queue=QueueReason.QUEUE_NOT_FOUND,
    ),
    Row(
        name="another one writes there",
        parts=(
            a_sync().on_claim("models", "a/b"),
            a_sync("other").on_claim("models", "a"),
            a_job("other"),
            a_queue(max_active=9),
        ),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        says="same target",
        queue=QueueReason.DUPLICATE,
    ),
    Row(
        name="the object cannot be read",
        parts=(a_sync().with_record(invalid="spec.source: missing"),),
        phase=Phase.FAILED,
        reason=Reason.INVALID_SPEC,
        says="spec.source: missing",
    ),
    Row(
        name="cancelled",
        parts=(a_sync().cancelled().with_status(attempts=1), *RUNNING[1:]),
        phase=Phase.CANCELLED,
        reason=Reason.CANCELLED,
        says="spec.cancel",
        deletes=True,
    ),
    Row(
        name="paused",
        parts=(a_sync().suspended().with_status(attempts=1), *RUNNING[1:]),
        phase=Phase.PAUSED,
        reason=Reason.PAUSED,
        says="spec.suspend",
        deletes=True,
    ),
    Row(
        name="cancelling outranks pausing",
        parts=(a_sync().suspended().cancelled(),),
        phase=Phase.CANCELLED,
        reason=Reason.CANCELLED,
    ),
    Row(
        name="a result outranks a wish to cancel",
        parts=(a_sync().cancelled(), a_job().complete(), a_pod().ended(0, last_words())),
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
    ),
    Row(
        name="the Job is there, its Pod not yet",
        parts=(a_sync(), a_job()),
        phase=Phase.QUEUED,
        reason=Reason.STARTING,
    ),
    Row(
        name="the container is being created",
        parts=(a_sync(), a_job(), a_pod().waiting("ContainerCreating")),
        phase=Phase.QUEUED,
        reason=Reason.STARTING,
    ),
    Row(
        name="running without a report yet",
        parts=RUNNING,
        phase=Phase.DOWNLOADING,
        reason=Reason.DOWNLOADING,
    ),
    Row(
        name="resolving counts as downloading",
        parts=RUNNING,
        samples={POD: a_sample(stage=Stage.RESOLVING)},
        phase=Phase.DOWNLOADING,
        reason=Reason.DOWNLOADING,
    ),
    Row(
        name="verifying",
        parts=RUNNING,
        samples={POD: a_sample(stage=Stage.VERIFYING)},
        phase=Phase.VERIFYING,
        reason=Reason.VERIFYING,
    ),
    Row(
        name="publishing counts as verifying",
        parts=RUNNING,
        samples={POD: a_sample(stage=Stage.PUBLISHING)},
        phase=Phase.VERIFYING,
        reason=Reason.VERIFYING,
    ),
    Row(
        name="verifying stays until the first report to a new operator",
        parts=(
            a_sync().with_status(
                phase=Phase.VERIFYING, worker=api.WorkerStatus(pod_name=a_pod().build().name)
            ),
            *RUNNING[1:],
        ),
        phase=Phase.VERIFYING,
        reason=Reason.VERIFYING,
    ),
    Row(
        name="a silence of 29 s is none",
        parts=RUNNING,
        samples={POD: a_sample(idle_seconds=29.9)},
        phase=Phase.DOWNLOADING,
        reason=Reason.DOWNLOADING,
    ),
    Row(
        name="a silence of 30 s is a stall",
        parts=RUNNING,
        samples={POD: a_sample(idle_seconds=30)},
        phase=Phase.DOWNLOADING,
        reason=Reason.DOWNLOAD_STALLED,
    ),
    Row(
        name="verifying is never a stall",
        parts=RUNNING,
        samples={POD: a_sample(stage=Stage.VERIFYING, idle_seconds=99)},
        phase=Phase.VERIFYING,
        reason=Reason.VERIFYING,
    ),
    Row(
        name="the Pod has ended and its Job not yet",
        parts=(a_sync(), a_job(), a_pod().ended(0, last_words())),
        phase=Phase.DOWNLOADING,
        reason=Reason.DOWNLOADING,
    ),
    Row(
        name="the Pod is being replaced",
        parts=(a_sync(), a_job(), a_pod().running().with_record(deleting=True)),
        phase=Phase.QUEUED,
        reason=Reason.STARTING,
    ),
    Row(
        name="missing Secret",
        parts=(a_sync(), a_job(), a_pod().waiting("ContainerCreating")),
        problems={
            POD: problem('MountVolume.SetUp failed for volume "secret": secret "t" not found', "FailedMount")
        },
        phase=Phase.QUEUED,
        reason=Reason.SECRET_NOT_FOUND,
        says="spec.source.huggingFace.secretRef",
    ),
    Row(
        name="Secret without the key",
        parts=(a_sync(), a_job(), a_pod().waiting("ContainerCreating")),
        problems={POD: problem("references non-existent secret key: token", "FailedMount")},
        phase=Phase.QUEUED,
        reason=Reason.SECRET_NOT_FOUND,
        says="lacks the key",
    ),
    Row(
        name="missing claim",
        parts=(
            a_sync(),
            a_job(),
            a_pod().unschedulable(
                '0/2 nodes are available: persistentvolumeclaim "models" not found. preemption: 0/2 nodes'
            ),
        ),
        phase=Phase.QUEUED,
        reason=Reason.VOLUME_NOT_FOUND,
        says="spec.target.persistentVolumeClaim.claimName",
    ),
    Row(
        name="unbound claim",
        parts=(
            a_sync(),
            a_job(),
            a_pod().unschedulable("pod has unbound immediate PersistentVolumeClaims. preemption: none"),
        ),
        phase=Phase.QUEUED,
        reason=Reason.VOLUME_NOT_FOUND,
        says="not bound",
    ),
    Row(
        name="volume that cannot be attached",
        parts=(a_sync(), a_job(), a_pod().waiting("ContainerCreating")),
        problems={POD: problem("Multi-Attach error for volume", "FailedAttachVolume")},
        phase=Phase.QUEUED,
        reason=Reason.VOLUME_NOT_FOUND,
        says="Multi-Attach",
    ),
    Row(
        name="unschedulable",
        parts=(
            a_sync(),
            a_job(),
            a_pod().unschedulable("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity."),
        ),
        phase=Phase.QUEUED,
        reason=Reason.WORKER_UNSCHEDULABLE,
        says="spec.podTemplate",
    ),
    Row(
        name="image that cannot be pulled",
        parts=(a_sync(), a_job(), a_pod().waiting("ErrImagePull", "no such image")),
        phase=Phase.QUEUED,
        reason=Reason.IMAGE_PULL_FAILED,
        says="spec.podTemplate.imagePullSecrets",
    ),
    Row(
        name="image that is not on the node",
        parts=(a_sync(), a_job(), a_pod().waiting("ErrImageNeverPull", "not present")),
        phase=Phase.QUEUED,
        reason=Reason.IMAGE_PULL_FAILED,
    ),
    Row(
        name="Pod refused by quota",
        parts=(a_sync(), a_job()),
        problems={JOB: problem("exceeded quota: tight", "FailedCreate")},
        phase=Phase.QUEUED,
        reason=Reason.JOB_REJECTED,
        says="exceeded quota: tight",
    ),
    Row(
        name="Job refused",
        parts=(a_sync(), a_queue(max_active=0)),
        problems={"uid-llama": problem("denied by webhook")},
        phase=Phase.QUEUED,
        reason=Reason.JOB_REJECTED,
        says="denied by webhook",
        queue=QueueReason.CONCURRENCY_LIMIT,
    ),
    Row(
        name="a stranger's Job has the name",
        parts=(a_sync(), a_queue(max_active=0)),
        problems={"uid-llama": problem("taken", "NameConflict")},
        phase=Phase.QUEUED,
        reason=Reason.NAME_CONFLICT,
        queue=QueueReason.CONCURRENCY_LIMIT,
    ),
    Row(
        name="blocked for the whole start deadline",
        parts=(
            a_sync(),
            a_job().with_record(created=OLD),
            a_pod().unschedulable("0/2 nodes are available: 2 node(s) had untolerated taint(s)."),
        ),
        phase=Phase.QUEUED,
        reason=Reason.WORKER_UNSCHEDULABLE,
        says="another attempt follows",
        queue=QueueReason.BACK_OFF,
    ),
    Row(
        name="a slow start is no failure",
        parts=(a_sync(), a_job().with_record(created=OLD), a_pod().waiting("ContainerCreating")),
        phase=Phase.QUEUED,
        reason=Reason.STARTING,
    ),
    Row(
        name="a start that never ends is one",
        parts=(a_sync(), a_job().with_record(created=ago(601)), a_pod().waiting("ContainerCreating")),
        phase=Phase.QUEUED,
        reason=Reason.BACKING_OFF,
        says="does not start",
        queue=QueueReason.BACK_OFF,
    ),
    Row(
        name="failed for now",
        parts=(a_sync(), a_job().failed(), a_pod().ended(50)),
        phase=Phase.QUEUED,
        reason=Reason.BACKING_OFF,
        says="NetworkError",
        queue=QueueReason.BACK_OFF,
        creates=0,
    ),
    Row(
        name="failed for good by its reason",
        parts=(a_sync(), a_job().failed(), a_pod().ended(11, last_words(Reason.AUTHENTICATION_FAILED, "no"))),
        phase=Phase.FAILED,
        reason=Reason.AUTHENTICATION_FAILED,
        says="modelsync.dev/retry-requested-at",
    ),
    Row(
        name="failed for good by its number",
        parts=(
            a_sync()
            .with_spec(backoff_limit=1)
            .with_status(attempts=1, failures=1, last_failure=a_failure(), phase=Phase.DOWNLOADING),
            a_job(attempt=2).failed(),
            a_pod(attempt=2).ended(50),
        ),
        phase=Phase.FAILED,
        reason=Reason.NETWORK_ERROR,
    ),
    Row(
        name="its time to try again has not come",
        parts=(WAITS.with_status(next_retry_time=NOW + timedelta(seconds=5)), a_job().failed()),
        phase=Phase.QUEUED,
        reason=Reason.BACKING_OFF,
        queue=QueueReason.BACK_OFF,
        creates=0,
    ),
    Row(
        name="its time to try again has come",
        parts=(WAITS.with_status(next_retry_time=NOW), a_job().failed()),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=2,
    ),
    Row(
        name="Failed stays Failed",
        parts=(FAILED, a_job().failed(), a_pod().ended(12)),
        phase=Phase.FAILED,
        reason=Reason.ACCESS_DENIED,
        creates=0,
    ),
    Row(
        name="Failed stays Failed when its Job is gone",
        parts=(FAILED,),
        phase=Phase.FAILED,
        reason=Reason.ACCESS_DENIED,
        creates=0,
    ),
    Row(
        name="a retry that is asked for starts a Failed one",
        parts=(FAILED.with_record(retry_requested="now"),),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=2,
    ),
    Row(
        name="a retry that was handled does nothing",
        parts=(FAILED.with_record(retry_requested="now").with_status(last_handled_retry="now"),),
        phase=Phase.FAILED,
        reason=Reason.ACCESS_DENIED,
    ),
    Row(
        name="a retry that is asked for ends the waiting",
        parts=(
            WAITS.with_status(next_retry_time=NOW + timedelta(hours=1)).with_record(retry_requested="now"),
        ),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=2,
    ),
    Row(
        name="a retry does not touch a running worker",
        parts=(a_sync().with_record(retry_requested="now"), *RUNNING[1:]),
        phase=Phase.DOWNLOADING,
        reason=Reason.DOWNLOADING,
        creates=0,
    ),
    Row(
        name="a mended spec starts a Failed one",
        parts=(FAILED.with_record(generation=2),),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=2,
    ),
    Row(
        name="going on after a pause forgets failures",
        parts=(FAILED.with_status(phase=Phase.PAUSED),),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=2,
    ),
    Row(
        name="starting again after a cancellation forgets failures",
        parts=(FAILED.with_status(phase=Phase.CANCELLED),),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=2,
    ),
    Row(
        name="Complete stays Complete",
        parts=(DONE,),
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
        creates=0,
    ),
    Row(
        name="Complete ignores a request to retry",
        parts=(DONE.with_record(retry_requested="now", generation=7),),
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
        creates=0,
    ),
    Row(
        name="complete without a readable report",
        parts=(a_sync(), a_job().complete()),
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
    ),
    Row(
        name="never two workers: the last one has not ended",
        parts=(WAITS.with_status(next_retry_time=NOW), a_pod().running().with_record(deleting=True)),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        says="to end",
        creates=0,
    ),
    Row(
        name="an assumed Job is a worker",
        parts=(a_sync(), a_job().with_record(uid="assumed-llama-1")),
        phase=Phase.QUEUED,
        reason=Reason.STARTING,
        creates=0,
    ),
]


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
    words = last_words(
        attempt=2,
        progress=a_progress(100, 100, files_total=3, files_done=3),
        resolved=api.Resolved(revision="c0ffee", files=3, bytes=100),
    )
    job, pod = a_job(attempt=2).complete(), a_pod(attempt=2).ended(0, words, when=ago(1))
    status = planner.plan(a_snapshot(sync, job, pod)).statuses["uid-llama"]
    assert status.completion_time == NOW
    assert status.artifacts == (
        api.Artifact(revision="c0ffee", path="llama", bytes=100, verified_at=NOW, current=True),
    )
    assert (status.failures, status.last_failure, status.next_retry_time) == (None, None, None)
    assert status.progress is not None
    assert (status.progress.percent, status.progress.files_done) == (100, 3)
    assert status.worker is None


def test_completing_without_any_report_is_a_hundred_per_cent() -> None:
    status = planner.plan(a_snapshot(a_sync(), a_job().complete())).statuses["uid-llama"]
    assert status.progress is not None
    assert status.progress.percent == 100


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
