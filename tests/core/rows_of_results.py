"""Attempts that end, retries and results: each row a cluster, and what its user reads."""

from datetime import timedelta

from modelsync.api.reasons import Phase, QueueReason, Reason
from tests.builders import (
    NOW,
    a_failure,
    a_job,
    a_pod,
    a_sync,
    ago,
    termination_report,
)
from tests.core.rows import DONE, FAILED, OLD, RUNNING, WAITS, Row

ROWS = (
    Row(
        name="a preset that the operator does not know",
        parts=(a_sync().with_spec(preset="ggfu"),),
        phase=Phase.FAILED,
        reason=Reason.INVALID_SPEC,
        says="spec.preset: 'ggfu' is no preset; known are diffusers, diffusers-fp16",
        creates=0,
    ),
    Row(
        name="a preset that it knows",
        parts=(a_sync().with_spec(preset="onnx"),),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=1,
    ),
    Row(
        name="a preset that went while its worker runs",
        parts=(a_sync().with_spec(preset="ggfu"), *RUNNING[1:]),
        phase=Phase.DOWNLOADING,
        reason=Reason.STARTING,
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
        name="an added init container never ends",
        parts=(
            a_sync(),
            a_job().with_record(created=ago(601)),
            a_pod().waiting("PodInitializing").with_record(init_container="vault-agent-init"),
        ),
        phase=Phase.QUEUED,
        reason=Reason.BACKING_OFF,
        says="'vault-agent-init'",
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
        parts=(
            a_sync(),
            a_job().failed(),
            a_pod().ended(11, termination_report(Reason.AUTHENTICATION_FAILED, "no")),
        ),
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
        reason=Reason.STARTING,
        creates=0,
    ),
    Row(
        name="a fixed spec starts a Failed one",
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
        name="an exit code of 0 without a report is no result",
        parts=(a_sync(), a_job().complete(when=ago(6))),
        phase=Phase.QUEUED,
        reason=Reason.BACKING_OFF,
        says="termination report is lost",
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
        parts=(a_sync(), a_job().assumed()),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        says="being created",
        creates=0,
    ),
)
