"""Checks of a Complete sync, asked for by the annotation: each row a cluster, and what its user reads."""

from modelsync.api import exitcodes
from modelsync.api.reasons import Phase, QueueReason, Reason
from tests.builders import a_failure, a_job, a_pod, a_sync, ago, termination_report
from tests.core.rows import ASKED, CHECKED, CHECKING, DONE, OLD, Row

DENIED = exitcodes.BY_REASON[Reason.ACCESS_DENIED]

ROWS = (
    Row(
        name="Complete and asked: that is noted first, so that no operator forgets it",
        parts=(ASKED,),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=0,
    ),
    Row(
        name="Complete by an older operator, and asked",
        parts=(DONE.with_record(retry_requested="now", generation=7), a_job().complete(when=ago(9))),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=0,
    ),
    Row(
        name="Complete and asked, while the last attempt's Job is kept",
        parts=(ASKED, a_job().complete(when=ago(9)), a_pod().ended(0, termination_report(), when=ago(9))),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=0,
    ),
    Row(
        name="the same request again is no other one",
        parts=(CHECKED.with_record(retry_requested="before"),),
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
        creates=0,
    ),
    Row(
        name="the operator died after it noted the request",
        parts=(CHECKING, a_job().complete(when=ago(9)), a_pod().ended(0, termination_report(), when=ago(9))),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=2,
    ),
    Row(
        name="the operator died before it noted the request, after it made the Job",
        parts=(ASKED, a_job(attempt=2), a_pod(attempt=2).running()),
        phase=Phase.DOWNLOADING,
        reason=Reason.STARTING,
        creates=0,
    ),
    Row(
        name="a sidecar keeps the Job of the attempt that verified: it has to go first",
        parts=(
            CHECKING,
            a_job(),
            a_pod().ended(0, termination_report(), when=OLD).with_record(phase="Running"),
        ),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=0,
        deletes=True,
    ),
    Row(
        name="asked and suspended: the check waits for its user",
        parts=(ASKED.suspended(),),
        phase=Phase.PAUSED,
        reason=Reason.PAUSED,
        creates=0,
    ),
    Row(
        name="asked and cancelled",
        parts=(ASKED.cancelled(),),
        phase=Phase.CANCELLED,
        reason=Reason.CANCELLED,
        creates=0,
    ),
    Row(
        name="a check is paused",
        parts=(CHECKING.suspended().with_status(attempts=2), a_job(attempt=2).deleting()),
        phase=Phase.PAUSED,
        reason=Reason.PAUSED,
        creates=0,
    ),
    Row(
        name="a check waits for its slot as any attempt",
        parts=(CHECKING, a_sync("other"), a_job("other"), a_pod("other").running()),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        says="for a free slot",
        queue=QueueReason.CONCURRENCY_LIMIT,
    ),
    Row(
        name="asked again while it is checked: that comes after",
        parts=(CHECKING.with_record(retry_requested="later"), a_job(attempt=2), a_pod(attempt=2).running()),
        phase=Phase.DOWNLOADING,
        reason=Reason.STARTING,
        creates=0,
    ),
    Row(
        name="a check that finds what only a user can fix",
        parts=(CHECKING, a_job(attempt=2).failed(), a_pod(attempt=2).ended(DENIED)),
        phase=Phase.FAILED,
        reason=Reason.ACCESS_DENIED,
        says="annotating the ModelSync",
        creates=0,
    ),
    Row(
        name="a check that has failed as often as it may",
        parts=(
            CHECKING.with_spec(backoff_limit=0).with_status(
                phase=Phase.QUEUED, attempts=2, failures=1, last_failure=a_failure(attempt=2)
            ),
        ),
        phase=Phase.FAILED,
        reason=Reason.NETWORK_ERROR,
        creates=0,
    ),
    Row(
        name="a failed check is asked for again",
        parts=(
            CHECKING.with_status(
                phase=Phase.FAILED, attempts=2, failures=9, last_failure=a_failure(attempt=2)
            ).with_record(retry_requested="later"),
        ),
        phase=Phase.QUEUED,
        reason=Reason.QUEUED,
        creates=3,
    ),
    Row(
        name="a check that found all files, or fetched them",
        parts=(
            CHECKING,
            a_job(attempt=2).complete(),
            a_pod(attempt=2).ended(0, termination_report(attempt=2)),
        ),
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
        creates=0,
    ),
)
