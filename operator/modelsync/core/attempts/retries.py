"""Why an attempt failed, whether another one can help, and when.

The exit code decides, because it survives a lost report; the report adds its sentence. A worker that the
platform ended (evicted, out of memory, lost) is distinguished from one that gave up; only the condition
DisruptionTarget makes an attempt free, since a Pod that is evicted for its own limit would be so again.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from modelsync.api import exitcodes
from modelsync.api.common.backoff import Backoff
from modelsync.api.modelsync_status import LastFailure
from modelsync.api.reasons import Reason
from modelsync.core.attempts import evictions
from modelsync.core.cluster.snapshot import JobRecord, PodRecord, Settings

_DEADLINE = "DeadlineExceeded"
_FINAL = frozenset({Reason.NAME_CONFLICT})
_HEALING = frozenset({Reason.SECRET_NOT_FOUND})
"""Fixed outside of the ModelSync, which then goes on by itself; so another attempt looks again."""
_FIX: dict[Reason, str] = {
    Reason.WORKER_OOM_KILLED: "the worker ran out of memory; raise spec.podTemplate.resources.limits.memory",
    Reason.WORKER_EVICTED: "the worker was evicted from its node",
    Reason.WORKER_LOST: "the worker was killed or its node was lost; what it had on the volume is kept",
    Reason.INTERRUPTED: "the worker was asked to stop",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt failed."""

    reason: Reason
    message: str
    time: datetime
    retryable: bool
    """Whether another attempt can help without a user's act."""
    disruption: bool = False
    """The platform ended a worker that was well: this uses up no attempt of spec.backoffLimit."""
    blocked: bool = False
    """The worker never ran: it waits for a cause to go, and this uses up no attempt either."""


def is_retryable(reason: Reason) -> bool:
    """Whether another attempt can help without a user's act."""
    if reason in _HEALING:
        return True
    if reason in _FINAL:
        return False
    code = exitcodes.BY_REASON.get(reason)
    return code is None or exitcodes.is_retryable(code)


def classify(
    job: JobRecord, pod: PodRecord | None, now: datetime, *, own_deadline: int | None = None
) -> Failure:
    """The failure of a Job that failed; `now` where no object has the time, or a node's clock is ahead.

    `own_deadline` are the ModelSync's activeDeadlineSeconds, which its queue's may have cut short.
    """
    when = min((pod.finished if pod else None) or job.finished or now, now)
    reason, message = _reason(job, pod)
    if reason is Reason.DEADLINE_EXCEEDED:
        message = _overrun(job, own_deadline, now)
    text = message or _FIX.get(reason, "the worker failed; see its log")
    return failure(reason, text, when, disruption=pod is not None and _is_disrupted(job, pod))


def failure(reason: Reason, message: str, when: datetime, *, disruption: bool = False) -> Failure:
    """The failure of a reason, with what follows from the reason."""
    return Failure(
        reason=reason, message=message, time=when, retryable=is_retryable(reason), disruption=disruption
    )


def blocked(reason: Reason, message: str, when: datetime) -> Failure:
    """The failure of an attempt whose worker was kept from starting."""
    return Failure(reason=reason, message=message, time=when, retryable=True, blocked=True)


def lost(when: datetime) -> Failure:
    """The failure of an attempt whose Job is gone without a result."""
    message = "the worker's Job was deleted before it ended; what it had on the volume is kept"
    return failure(Reason.WORKER_LOST, message, when)


def _overrun(job: JobRecord, own_deadline: int | None, now: datetime) -> str:
    took = ((job.finished or now) - job.created).total_seconds()
    if own_deadline is None or took < own_deadline:
        return "the attempt took longer than activeDeadlineSeconds of the queue; raise it in the SyncQueue"
    return "the attempt took longer than spec.activeDeadlineSeconds; raise or remove it"


def _is_disrupted(job: JobRecord, pod: PodRecord) -> bool:
    return bool(pod.disruption) and job.failure_reason != _DEADLINE


def _reason(job: JobRecord, pod: PodRecord | None) -> tuple[Reason, str]:
    if job.failure_reason == _DEADLINE:
        return Reason.DEADLINE_EXCEEDED, ""
    if pod is None:
        return Reason.WORKER_LOST, ""
    if pod.disruption:
        return Reason.WORKER_EVICTED, pod.disruption
    if pod.status_reason == evictions.EVICTED:
        return Reason.WORKER_EVICTED, evictions.explain(pod)
    if pod.terminated_reason == "OOMKilled":
        return Reason.WORKER_OOM_KILLED, ""
    if pod.exit_code is None or pod.exit_code not in exitcodes.BY_CODE:
        return Reason.WORKER_LOST, evictions.explain(pod)
    report = pod.termination
    if report is not None and exitcodes.BY_REASON.get(report.reason) == pod.exit_code:
        return report.reason, report.message
    return exitcodes.reason_for(pod.exit_code), ""


def count(
    previous: LastFailure | None,
    failures: int | None,
    bytes_done: int | None,
    *,
    disruption: bool,
    reason: Reason,
) -> int:
    """Failures in a row, this one included: one that got further than the one before begins again.

    Not one that was too slow: it always gets further, and would do so forever.
    """
    if disruption:
        return failures or 0
    before = previous.bytes_done if previous is not None else None
    further = bytes_done is not None and before is not None and bytes_done > before
    if further and reason is not Reason.DOWNLOAD_TOO_SLOW:
        return 1
    return (failures or 0) + 1


def clause(message: str) -> str:
    """A failure's message, which may be a sentence, for the middle of one."""
    return message[:900].rstrip(". ")


def of_most(backoff_limit: int, failures: int | None) -> str:
    """Which failure in a row it was, of how many that end the sync: ` (2 of 6 in a row)`."""
    return f" ({failures} of {backoff_limit + 1} in a row)" if failures else ""


def wait(failures: int, uid: str, attempt: int, settings: Settings) -> timedelta:
    """Time between a failure and the next attempt: doubled with each, capped, ±10 % by uid and attempt.

    The jitter is a function of the attempt and not of chance, so that every planning finds the same time.
    """
    return _wait(settings.retry_base, failures, uid, attempt, settings)


def wait_to_start(
    previous: LastFailure | None, found: Failure, uid: str, attempt: int, settings: Settings
) -> timedelta:
    """Time until a blocked start is tried again: twice what passed since it was blocked alike before.

    So a cause that went is noticed after as long again as it lasted, and one that stays costs ever less.
    """
    first = settings.retry_base
    if previous is not None and previous.time is not None and previous.reason is found.reason:
        first = max(first, 2 * (found.time - previous.time))
    return _wait(first, 1, uid, attempt, settings)


def _wait(first: timedelta, failures: int, uid: str, attempt: int, settings: Settings) -> timedelta:
    backoff = Backoff(first=first.total_seconds(), cap=settings.retry_cap.total_seconds(), jitter=0.1)
    digest = hashlib.sha256(f"{uid}/{attempt}".encode()).digest()
    return timedelta(seconds=backoff.wait(failures, random=int.from_bytes(digest[:8]) / 2**64))
