"""A worker that has to end for a pause or a cancellation: its last report is awaited, for so long."""

from datetime import timedelta

from modelsync.api.reasons import Phase, Reason, Stage
from tests.builders import NOW, a_job, a_pod, a_sample, a_sync, termination_report
from tests.core.rows import POD, RUNNING, Row

ROWS = (
    Row(
        name="a worker that is to be cancelled",
        parts=(a_sync().cancelled().with_status(attempts=1), *RUNNING[1:]),
        phase=Phase.DOWNLOADING,
        reason=Reason.STOPPING,
        says="spec.cancel",
        deletes=True,
    ),
    Row(
        name="a worker that is to be paused",
        parts=(a_sync().suspended().with_status(attempts=1), *RUNNING[1:]),
        phase=Phase.DOWNLOADING,
        reason=Reason.STOPPING,
        says="spec.suspend",
        deletes=True,
    ),
    Row(
        name="a worker that is to be paused while it verifies",
        parts=(a_sync().suspended().with_status(attempts=1), *RUNNING[1:]),
        samples={POD: a_sample(stage=Stage.VERIFYING)},
        phase=Phase.VERIFYING,
        reason=Reason.STOPPING,
        deletes=True,
    ),
    Row(
        name="a worker that ends for a pause, its Job gone",
        parts=(
            a_sync().suspended().with_status(attempts=1),
            a_pod().running().with_record(deleting=True, deletion_due=NOW + timedelta(minutes=5)),
        ),
        phase=Phase.DOWNLOADING,
        reason=Reason.STOPPING,
    ),
    Row(
        name="a worker that was to end and whose node says nothing",
        parts=(
            a_sync().suspended().with_status(attempts=1),
            a_pod().running().with_record(deleting=True, deletion_due=NOW),
        ),
        phase=Phase.PAUSED,
        reason=Reason.PAUSED,
    ),
    Row(
        name="a worker that ended for a pause",
        parts=(
            a_sync().suspended().with_status(attempts=1),
            a_pod()
            .ended(5, termination_report(Reason.INTERRUPTED))
            .with_record(deleting=True, deletion_due=NOW),
        ),
        phase=Phase.PAUSED,
        reason=Reason.PAUSED,
    ),
    Row(
        name="paused before its worker has started",
        parts=(a_sync().suspended().with_status(attempts=1), a_job(), a_pod()),
        phase=Phase.PAUSED,
        reason=Reason.PAUSED,
        says="spec.suspend",
        deletes=True,
    ),
    Row(
        name="cancelled while a worker that was paused still ends",
        parts=(a_sync().cancelled().with_status(attempts=1, phase=Phase.PAUSED), *RUNNING[1:]),
        phase=Phase.CANCELLED,
        reason=Reason.CANCELLED,
        says="spec.cancel",
        deletes=True,
    ),
)
