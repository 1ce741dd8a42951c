"""A worker that is admitted, blocked, running or silent: each row a cluster, and what its user reads."""

from modelsync.api import protocol
from modelsync.api.reasons import Phase, QueueReason, Reason, Stage
from modelsync.api.worker_pod.status import WorkerStatus
from tests.builders import (
    a_condition,
    a_job,
    a_pod,
    a_queue,
    a_sample,
    a_sync,
    termination_report,
)
from tests.core.rows import JOB, POD, RUNNING, Row, problem

CHECKED = protocol.StageProgress(
    files_done=12, files_total=40, bytes_done=30_100_000_000, bytes_total=100_000_000_000
)
ROWS = (
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
        says="ModelSync 'other' to end",
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
        name="cancelling outranks pausing",
        parts=(a_sync().suspended().cancelled(),),
        phase=Phase.CANCELLED,
        reason=Reason.CANCELLED,
    ),
    Row(
        name="a result outranks a wish to cancel",
        parts=(a_sync().cancelled(), a_job().complete(), a_pod().ended(0, termination_report())),
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
        name="an init container that was added runs first",
        parts=(
            a_sync(),
            a_job(),
            a_pod().waiting("PodInitializing").with_record(init_container="istio-init"),
        ),
        phase=Phase.QUEUED,
        reason=Reason.STARTING,
        says="init container 'istio-init', which was added to its Pod",
    ),
    Row(
        name="running without a report yet",
        parts=RUNNING,
        phase=Phase.DOWNLOADING,
        reason=Reason.STARTING,
        says="first report",
    ),
    Row(
        name="listing the source",
        parts=RUNNING,
        samples={
            POD: a_sample(stage=Stage.RESOLVING, stage_progress=protocol.StageProgress(files_done=3000))
        },
        phase=Phase.DOWNLOADING,
        reason=Reason.RESOLVING,
        says="listing the files of the source",
    ),
    Row(
        name="a listing of which nothing is known yet",
        parts=RUNNING,
        samples={POD: a_sample(stage=Stage.RESOLVING)},
        phase=Phase.DOWNLOADING,
        reason=Reason.RESOLVING,
        says="listing the files of the source",
    ),
    Row(
        name="checking what is on the volume",
        parts=RUNNING,
        samples={POD: a_sample(stage=Stage.CHECKING, stage_progress=CHECKED)},
        phase=Phase.DOWNLOADING,
        reason=Reason.CHECKING,
        says="checking the files on the volume",
    ),
    *(
        Row(
            name=f"{stage} brings no byte and is no stall",
            parts=RUNNING,
            samples={POD: a_sample(stage=stage, idle_seconds=3600)},
            phase=phase,
            reason=Reason(reason),
        )
        for stage, phase, reason in (
            (Stage.RESOLVING, Phase.DOWNLOADING, "Resolving"),
            (Stage.CHECKING, Phase.DOWNLOADING, "Checking"),
            (Stage.PUBLISHING, Phase.VERIFYING, "Verifying"),
            (Stage.DONE, Phase.VERIFYING, "Verifying"),
        )
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
    *(
        Row(
            name=f"{reason} stays until the first report to a new operator",
            parts=(
                a_sync().with_status(
                    phase=phase,
                    worker=WorkerStatus(pod_name=a_pod().build().name),
                    conditions=(
                        a_condition("False", reason=reason, message="so it was", observed_generation=1),
                    ),
                ),
                *RUNNING[1:],
            ),
            phase=phase,
            reason=reason,
            says="so it was",
        )
        for reason, phase in (
            (Reason.RESOLVING, Phase.DOWNLOADING),
            (Reason.CHECKING, Phase.DOWNLOADING),
            (Reason.DOWNLOADING, Phase.DOWNLOADING),
            (Reason.DOWNLOAD_STALLED, Phase.DOWNLOADING),
            (Reason.VERIFYING, Phase.VERIFYING),
        )
    ),
    Row(
        name="what another attempt's worker said is not said of this one",
        parts=(
            a_sync().with_status(
                phase=Phase.VERIFYING,
                worker=WorkerStatus(pod_name="another"),
                conditions=(a_condition("False", reason=Reason.VERIFYING),),
            ),
            *RUNNING[1:],
        ),
        phase=Phase.DOWNLOADING,
        reason=Reason.STARTING,
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
        parts=(a_sync(), a_job(), a_pod().ended(0, termination_report())),
        phase=Phase.DOWNLOADING,
        reason=Reason.STARTING,
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
)
