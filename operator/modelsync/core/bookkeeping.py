"""What has to be remembered about attempts: how many, which failed, when the next may start.

Everything is derived from the stored status and the Jobs that are there, and an attempt is counted once (its
number stands in `lastFailure.attempt`), so an operator may die after any step and its successor goes on.
"""

from modelsync.api import conditions
from modelsync.api.modelsync import LastFailure, ModelSyncStatus
from modelsync.api.reasons import ConditionType, Phase, Reason
from modelsync.core import blocked, changes, retries
from modelsync.core.snapshot import JobState
from modelsync.core.views import View

_WITH_WORKER = frozenset(
    {
        Reason.STARTING,
        Reason.DOWNLOADING,
        Reason.VERIFYING,
        Reason.DOWNLOAD_STALLED,
        Reason.VOLUME_NOT_FOUND,
        Reason.SECRET_NOT_FOUND,
        Reason.IMAGE_PULL_FAILED,
        Reason.WORKER_UNSCHEDULABLE,
    }
)
"""Ready's reasons that say that an attempt's Job was there."""


def ready_reason(status: ModelSyncStatus) -> str:
    """The reason of the stored Ready condition, or ''."""
    found = conditions.find(status.conditions, ConditionType.READY)
    return found.reason if found is not None else ""


def update(view: View) -> ModelSyncStatus:
    """The stored status with attempts, requests for a retry, and the last failure brought up to date."""
    status = changes.apply(
        view.sync.status,
        attempts=view.attempts or None,
        start_time=view.sync.status.start_time or (view.jobs[0].created if view.jobs else None),
    )
    return _failed(view, _asked(view, status))


def _asked(view: View, status: ModelSyncStatus) -> ModelSyncStatus:
    """A new value of the retry annotation, or a changed spec of a Failed sync, begins a new count."""
    sync = view.sync
    asked = sync.retry_requested is not None and sync.retry_requested != status.last_handled_retry
    mended = status.phase is Phase.FAILED and (status.observed_generation or 0) < sync.generation
    if asked:
        value = (sync.retry_requested or "")[:256]
        status = changes.apply(status, last_handled_retry=value)
    if (asked or mended) and status.phase is not Phase.COMPLETE:
        status = changes.apply(status, failures=None, next_retry_time=None)
    return status


def _failed(view: View, status: ModelSyncStatus) -> ModelSyncStatus:
    failure = _failure(view, status)
    if failure is None:
        return status
    progress = status.progress
    report = _last_words(view)
    done = report if report is not None else (progress.bytes_done if progress is not None else None)
    failures = retries.count(status.last_failure, status.failures, done)
    record = LastFailure(
        reason=failure.reason,
        message=failure.message[:1024],
        time=failure.time,
        attempt=view.attempts,
        bytes_done=done,
    )
    again = failures <= view.sync.spec.backoff_limit and retries.is_retryable(failure.reason)
    pause = retries.wait(failures, view.sync.uid, view.attempts, view.settings)
    due = (failure.time + pause).replace(microsecond=0) if again else None
    return changes.apply(status, failures=failures, last_failure=record, next_retry_time=due)


def _last_words(view: View) -> int | None:
    """Bytes done by the report of the last attempt's worker."""
    job = view.last_job
    pod = view.pod_of(job) if job is not None else None
    if pod is not None and pod.termination is not None:
        return pod.termination.progress.bytes_done
    sample = view.sample_of(pod)
    return sample.report.progress.bytes_done if sample is not None else None


def _failure(view: View, status: ModelSyncStatus) -> retries.Failure | None:
    """The failure of the last attempt that is not in the status yet."""
    recorded = status.last_failure.attempt if status.last_failure is not None else None
    if not view.attempts or recorded == view.attempts or status.phase is Phase.COMPLETE:
        return None
    if view.sync.spec.suspend or view.sync.spec.cancel:
        return None
    job = view.last_job
    if job is None:
        gone = not view.occupied and ready_reason(status) in _WITH_WORKER
        return retries.lost(view.now) if gone else None
    if job.state is JobState.FAILED:
        return retries.classify(job, view.pod_of(job), view.now)
    return _never_started(view)


def _never_started(view: View) -> retries.Failure | None:
    """An attempt that was kept from starting for too long gives its slot back."""
    job = view.active_job
    if job is None or view.now - job.created < view.settings.start_deadline:
        return None
    pod = view.pod_of(job)
    why = blocked.why_blocked(view.sync, job, pod, view.problem(pod.uid if pod else None, job.uid))
    if why is None:
        return None
    return retries.Failure(reason=why[0], message=why[1], time=job.created + view.settings.start_deadline)
