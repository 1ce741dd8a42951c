"""What has to be remembered about attempts: how many, which failed, when the next may start.

Everything is derived from the stored status and the Jobs that are there, and an attempt is counted once (its
number stands in `lastFailure.attempt`), so an operator may die after any step and its successor goes on.
"""

from datetime import datetime

from modelsync.api import conditions
from modelsync.api.modelsync_status import LastFailure, ModelSyncStatus
from modelsync.api.reasons import ConditionType, Phase, Reason
from modelsync.api.worker_pod.status import JobReference
from modelsync.core import status_patch
from modelsync.core.attempts import completion, evictions, progress_deadline, retries
from modelsync.core.cluster import lost_nodes
from modelsync.core.cluster.snapshot import JobRecord, JobState, PodRecord
from modelsync.core.cluster.sync_view import View

_WITH_WORKER = frozenset(
    {
        Reason.STARTING,
        Reason.RESOLVING,
        Reason.CHECKING,
        Reason.DOWNLOADING,
        Reason.VERIFYING,
        Reason.DOWNLOAD_STALLED,
        Reason.RATE_LIMITED,
        Reason.NODE_LOST,
        Reason.VOLUME_NOT_FOUND,
        Reason.SECRET_NOT_FOUND,
        Reason.IMAGE_PULL_FAILED,
        Reason.WORKER_UNSCHEDULABLE,
    }
)
"""Ready's reasons that say that an attempt's Job was there."""
SILENT_STARTS = 10
"""A start that is merely slow (a big image, a slow disk) gets so many times the start deadline."""


def ready_reason(status: ModelSyncStatus) -> str:
    """The reason of the stored Ready condition, or ''."""
    found = conditions.find(status.conditions, ConditionType.READY)
    return found.reason if found is not None else ""


def update(view: View) -> ModelSyncStatus:
    """The stored status with attempts, requests for a retry, and the last failure brought up to date."""
    status = status_patch.updated(
        view.sync.status,
        attempts=view.attempts or None,
        job=_job(view),
        start_time=view.sync.status.start_time or (view.jobs[0].created if view.jobs else None),
    )
    return _failed(view, _restarted(view, _asked(view, status)))


def _job(view: View) -> JobReference | None:
    """The last attempt's Job, which is believed from then on and no other one."""
    job, stored = view.last_job, view.sync.status
    if job is not None:
        return JobReference(name=job.name, uid=job.uid)
    return stored.job if view.attempts == (stored.attempts or 0) else None


def _asked(view: View, status: ModelSyncStatus) -> ModelSyncStatus:
    """A new value of the retry annotation is noted, whether or not there is something to retry.

    Not while an attempt checks what was published: it may have passed by the file that the request is about.
    """
    asked = view.sync.retry_requested
    checking = bool(status.artifacts) and status.phase is not Phase.COMPLETE
    if asked is None or (checking and view.last_job is not None and not view.counted):
        return status
    return status_patch.updated(status, last_handled_retry=asked[:256])


def _restarted(view: View, status: ModelSyncStatus) -> ModelSyncStatus:
    """What a user does to a sync that waits or has failed begins a new count of failures."""
    spec, phase = view.sync.spec, status.phase
    asked = status.last_handled_retry != view.sync.status.last_handled_retry
    if asked and phase is Phase.COMPLETE:
        return _to_check(status, view.sync.status.attempts)
    resumed = phase in (Phase.PAUSED, Phase.CANCELLED) and not (spec.suspend or spec.cancel)
    fixed = phase is Phase.FAILED and view.changed
    if resumed or fixed or (asked and view.counted):
        return status_patch.updated(status, failures=None, next_retry_time=None)
    if view.changed and view.counted and status.next_retry_time is not None and view.rejection is None:
        # The cause may be gone with the change. The failures stay counted, so that changes are no way round.
        return status_patch.updated(status, next_retry_time=None)
    if status.next_retry_time is not None and not view.counted and view.rejection is None:
        return status_patch.updated(status, next_retry_time=None)
    return status


def _to_check(status: ModelSyncStatus, verified_by: int | None) -> ModelSyncStatus:
    """A Complete sync as one that waits for an attempt: the artifact keeps what was known, and by whom.

    Progress begins again, since nobody knows how much of it is still there.
    """
    artifacts = tuple(one.replace(attempt=one.attempt or verified_by) for one in status.artifacts)
    return status_patch.updated(
        status, phase=Phase.QUEUED, completion_time=None, progress=None, artifacts=artifacts
    )


def _failed(view: View, status: ModelSyncStatus) -> ModelSyncStatus:
    failure = _failure(view, status)
    if failure is None:
        return status
    done = _bytes_done(view, status)
    failures = retries.count(
        status.last_failure,
        status.failures,
        done,
        disruption=failure.disruption or failure.blocked,
        reason=failure.reason,
    )
    record = LastFailure(
        reason=failure.reason,
        message=failure.message[:1024],
        time=failure.time,
        attempt=view.attempts,
        bytes_done=done,
    )
    again = failures <= view.sync.spec.backoff_limit and failure.retryable
    if failure.blocked:
        pause = retries.wait_to_start(
            status.last_failure, failure, view.sync.uid, view.attempts, view.settings
        )
    else:
        pause = retries.wait(failures, view.sync.uid, view.attempts, view.settings)
    due = (failure.time + pause).replace(microsecond=0) if again else None
    # A source that changed has to be resolved again; staying on what is gone would fail forever. But what
    # was published is checked against itself, and not replaced by another model under its readers.
    moved = failure.reason is Reason.SOURCE_CHANGED and not status.artifacts
    resolved = None if moved else status.resolved
    return status_patch.updated(
        status, failures=failures, last_failure=record, next_retry_time=due, resolved=resolved
    )


def _bytes_done(view: View, status: ModelSyncStatus) -> int | None:
    """How far all attempts together have come: the most that was ever reported."""
    pod = view.pod_of(view.last_job) if view.last_job is not None else None
    sample = view.sample_of(pod)
    reported = [
        pod.termination.progress.bytes_done if pod is not None and pod.termination is not None else None,
        sample.report.progress.bytes_done if sample is not None else None,
        status.progress.bytes_done if status.progress is not None else None,
    ]
    return max((count for count in reported if count is not None), default=None)


def _failure(view: View, status: ModelSyncStatus) -> retries.Failure | None:
    """The failure of the last attempt that is not in the status yet."""
    if not view.attempts or view.counted or status.phase is Phase.COMPLETE:
        return None
    if view.sync.invalid is not None or view.sync.spec.suspend or view.sync.spec.cancel or view.ended_unheard:
        return None
    job = view.last_job
    if job is None or (job.deleting and job.state is JobState.ACTIVE):
        # We delete a running Job for a pause, a cancellation or a changed spec alone: else somebody did.
        somebody = ready_reason(status) in _WITH_WORKER and not view.changed
        return retries.lost(view.now) if somebody else None
    if job.state is JobState.FAILED:
        own_deadline = view.sync.spec.active_deadline_seconds
        return retries.classify(job, view.pod_of(job), view.now, own_deadline=own_deadline)
    if view.is_stale:
        return None
    return (
        _node_lost(view)
        or _never_started(view)
        or progress_deadline.failure(view)
        or completion.missing(view)
    )


def _node_lost(view: View) -> retries.Failure | None:
    """An attempt whose node does not confirm its end: no fault of its own, so it is free."""
    job = view.active_job
    pod = view.pod_of(job) if job is not None else None
    lost = lost_nodes.lost_at(pod, view.sample_of(pod), view.settings) if pod is not None else None
    if pod is None or lost is None or lost > view.now:
        return None
    return retries.failure(Reason.NODE_LOST, lost_nodes.lost(pod), lost, disruption=True)


def _never_started(view: View) -> retries.Failure | None:
    """An attempt that was kept from starting for too long gives its slot back."""
    job, limit = view.active_job, view.settings.start_deadline
    if job is None:
        return None
    why, end = view.start_blocker, view.start_given_up_at
    if why is not None and end is not None:
        return retries.blocked(why.reason, why.message, view.now) if end <= view.now else None
    if not view.is_starting or view.now - job.created < limit * SILENT_STARTS:
        return None
    message = _why_silent(view.pod_of(job))
    return retries.failure(Reason.WORKER_LOST, message, job.created + limit * SILENT_STARTS)


def _why_silent(pod: PodRecord | None) -> str:
    if pod is None or not pod.init_container:
        return "the worker's Pod does not start and nothing says why; see its Events and its node"
    return (
        f"the init container {pod.init_container!r}, which was added to the worker's Pod, does not end; see"
        f" its log, or {evictions.SWITCH_OFF}"
    )


def gives_up_at(view: View, job: JobRecord) -> datetime:
    """When the attempt's Job, which starts, is given up if nothing changes."""
    silent = job.created + view.settings.start_deadline * SILENT_STARTS
    return view.start_given_up_at or silent
