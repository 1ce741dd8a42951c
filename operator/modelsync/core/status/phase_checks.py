"""What state a ModelSync is in: one chain of small checks, the first that applies decides.

Each check answers with a Verdict (phase, reason, a sentence) or passes on. The order is the meaning: a result
outranks a request to cancel, such a request outranks a running worker, a worker outranks an old failure.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from modelsync.api import conditions, presets, protocol
from modelsync.api.modelsync_status import LastFailure, ModelSyncStatus
from modelsync.api.reasons import ConditionType, Phase, Reason
from modelsync.core.attempts import completion, history, retries
from modelsync.core.cluster import lost_nodes, start_blockers, sync_view, worker_exit
from modelsync.core.cluster.snapshot import JobRecord, JobState, PodRecord, Sample
from modelsync.core.cluster.sync_view import View
from modelsync.core.jobs import allowances
from modelsync.core.status import worker_stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The state of a ModelSync and what follows from it."""

    phase: Phase
    reason: Reason
    message: str
    stalled: bool = False
    """Only a user can help (kstatus' Stalled)."""
    reconciling: bool = True
    """Something is going on or will by itself (kstatus' Reconciling)."""
    silent: bool = False
    """Downloading without a byte for too long (condition Progressing=False)."""
    job: JobRecord | None = None
    """The running attempt."""
    pod: PodRecord | None = None
    sample: Sample | None = None
    report: protocol.TerminationReport | None = None
    """The termination report of the attempt that completed."""
    ended: PodRecord | None = None
    """The Pod of the attempt that completed."""
    completed: datetime | None = None
    eligible: bool = False
    """Waits for nothing but a place in its queue."""
    backs_off: bool = False
    """Waits for its time to try again."""
    retry_at: datetime | None = None
    """When the creation that failed last is, or was, due again."""
    creating: bool = False
    """The creation of its Job is under way."""
    wake_at: datetime | None = None


Check = Callable[[View, ModelSyncStatus], Verdict | None]


def judge(view: View, status: ModelSyncStatus) -> Verdict:
    """The verdict on a ModelSync, given its status with up-to-date bookkeeping."""
    for check in _CHECKS:
        verdict = check(view, status)
        if verdict is not None:
            return verdict
    return _waiting(view, status)


def _invalid(view: View, status: ModelSyncStatus) -> Verdict | None:
    if view.sync.invalid is None:
        return None
    message = f"invalid object: {view.sync.invalid}; correct it, or delete it"
    return _final(Phase.FAILED, Reason.INVALID_SPEC, message[:1024])


def _already_complete(view: View, status: ModelSyncStatus) -> Verdict | None:
    if status.phase is not Phase.COMPLETE:
        return None
    message = completion.message(view.sync.spec.verification, completion.stored(status))
    return Verdict(phase=Phase.COMPLETE, reason=Reason.SYNCED, message=message, reconciling=False)


def _ended_unheard(view: View, status: ModelSyncStatus) -> Verdict | None:
    job = view.last_job
    if job is None or not view.ended_unheard or view.counted:
        return None
    pod = view.pod_of(job)
    if pod is not None and not start_blockers.is_waiting(pod):
        verdict = _working(view, job, pod)
    else:
        verdict = Verdict(phase=Phase.QUEUED, reason=Reason.STARTING, message=_STARTING, job=job, pod=pod)
    return replace(verdict, wake_at=(job.finished or view.now) + sync_view.UNHEARD)


def _just_complete(view: View, status: ModelSyncStatus) -> Verdict | None:
    job = view.last_job
    if job is None or job.state is not JobState.COMPLETE or status.was_verified_by(job.attempt):
        return None
    pod = view.pod_of(job)
    report = completion.report(pod)
    if pod is None or report is None:
        return None  # see published.missing
    return Verdict(
        phase=Phase.COMPLETE,
        reason=Reason.SYNCED,
        message=completion.message(view.sync.spec.verification, report.verified_by),
        reconciling=False,
        sample=view.sample_of(pod),
        report=report,
        ended=pod,
        completed=job.finished or pod.finished or job.created,
    )


def _being_stopped(view: View, status: ModelSyncStatus) -> Verdict | None:
    """A worker that has to end for a pause or a cancellation: its termination report belongs to the figures
    that stay.

    It has until its Pod's grace period ends; what a lost node says after that, the next attempt corrects.
    """
    pod, spec = view.worker, view.sync.spec
    if pod is None or not (spec.suspend or spec.cancel) or status.phase in (Phase.PAUSED, Phase.CANCELLED):
        return None
    if pod.deletion_due is not None and pod.deletion_due <= view.now:
        return None
    verdict = _working(view, view.last_job, pod)
    message = f"stopping the worker, for spec.{'cancel' if spec.cancel else 'suspend'} is true"
    return replace(verdict, reason=Reason.STOPPING, message=message, silent=False, wake_at=pod.deletion_due)


def _cancelled(view: View, status: ModelSyncStatus) -> Verdict | None:
    if not view.sync.spec.cancel:
        return None
    return _final(Phase.CANCELLED, Reason.CANCELLED, "cancelled; set spec.cancel to false to start again")


def _paused(view: View, status: ModelSyncStatus) -> Verdict | None:
    if not view.sync.spec.suspend:
        return None
    message = "paused; set spec.suspend to false to continue"
    return Verdict(phase=Phase.PAUSED, reason=Reason.PAUSED, message=message, reconciling=False)


def _running(view: View, status: ModelSyncStatus) -> Verdict | None:
    job = view.active_job
    recorded = status.last_failure.attempt if status.last_failure is not None else None
    if job is None or recorded == job.attempt:
        return None
    pod = view.pod_of(job)
    if pod is not None and _is_unheard(view, pod):
        return _unreachable(view, job, pod)
    if pod is not None and not pod.deleting and not view.is_starting:
        # Also when the Pod has ended: its Job's conditions follow in a moment, till then nothing is new.
        return replace(_working(view, job, pod), wake_at=_next_look(view, pod))
    why = view.start_blocker or start_blockers.StartBlocker(Reason.STARTING, _starting(pod))
    return Verdict(
        phase=Phase.QUEUED,
        reason=why.reason,
        message=steady(status, why.reason, why.message[:1024]),
        job=job,
        pod=pod,
        wake_at=_next_look(view, pod) or history.gives_up_at(view, job),
    )


def _next_look(view: View, pod: PodRecord | None) -> datetime | None:
    """When time alone changes what is said of a worker that runs or ends."""
    if pod is None:
        return None
    if pod.exit_code is not None and pod.finished is not None and not pod.deleting:
        return pod.finished + worker_exit.LINGER
    sample = view.sample_of(pod)
    silent = lost_nodes.unheard_since(sample, view.settings) if lost_nodes.is_unreachable(pod) else None
    times = (silent, lost_nodes.lost_at(pod, sample, view.settings))
    return min((time for time in times if time is not None and time > view.now), default=None)


def _is_unheard(view: View, pod: PodRecord) -> bool:
    """Whether neither a Pod's node nor its worker reports."""
    silent = lost_nodes.unheard_since(view.sample_of(pod), view.settings)
    return lost_nodes.is_unreachable(pod) and (silent is None or silent <= view.now)


def _unreachable(view: View, job: JobRecord, pod: PodRecord) -> Verdict:
    return Verdict(
        phase=Phase.DOWNLOADING,
        reason=Reason.NODE_LOST,
        message=lost_nodes.unreachable(pod),
        silent=True,
        job=job,
        pod=pod,
        sample=view.sample_of(pod),
        wake_at=_next_look(view, pod),
    )


def _creating(view: View, status: ModelSyncStatus) -> Verdict | None:
    """A creation without an answer changes nothing but that its slot is taken: it may yet be refused."""
    if not view.creating:
        return None
    waiting = _rejected(view, status) or _waiting(view, status)
    return replace(waiting, eligible=False, backs_off=False, creating=True)


def _starting(pod: PodRecord | None) -> str:
    if pod is not None and pod.deleting:
        return "the worker's Pod is being stopped; another one follows"
    if pod is None or not pod.init_container:
        return _STARTING
    return f"the worker waits for the init container {pod.init_container!r}, which was added to its Pod"


def steady(status: ModelSyncStatus, reason: Reason, message: str) -> str:
    """The stored message if the new one differs in numbers alone (a port, a count): they are no news."""
    ready = conditions.find(status.conditions, ConditionType.READY)
    if ready is None or ready.reason != reason or _DIGITS.sub("", ready.message) != _DIGITS.sub("", message):
        return message
    return ready.message


def _working(view: View, job: JobRecord | None, pod: PodRecord) -> Verdict:
    sample = view.sample_of(pod)
    if sample is None:
        phase, reason, message = worker_stage.before(view.sync.status, pod.name)
    else:
        stored = view.sync.status.progress
        phase, reason, message = worker_stage.state(sample, view.settings.stall_after, stored)
    silent = reason is Reason.DOWNLOAD_STALLED
    return Verdict(
        phase=phase, reason=reason, message=message, silent=silent, job=job, pod=pod, sample=sample
    )


def _protected(view: View, status: ModelSyncStatus) -> Verdict | None:
    namespace = view.sync.namespace
    if namespace not in view.settings.protected_namespaces:
        return None
    message = (
        f"no worker starts in namespace {namespace!r}, which is Kubernetes' or the operator's own;"
        " create the ModelSync and its claim in another namespace"
    )
    return _final(Phase.FAILED, Reason.NAMESPACE_PROTECTED, message)


def _no_such_preset(view: View, status: ModelSyncStatus) -> Verdict | None:
    name, known = view.sync.spec.preset, view.settings.presets
    if name is None or name in known:
        return None
    message = (
        f"spec.preset: {presets.unknown(name, known)}; create another ModelSync with one of them, or add it"
    )
    return _final(Phase.FAILED, Reason.INVALID_SPEC, f"{message[:900]} to the operator's presets")


def _not_allowed(view: View, status: ModelSyncStatus) -> Verdict | None:
    message = allowances.refusal(view.sync.spec, view.settings)
    return None if message is None else _final(Phase.FAILED, Reason.INVALID_SPEC, message[:1024])


def _failed(view: View, status: ModelSyncStatus) -> Verdict | None:
    last = status.last_failure
    if last is None or last.attempt != view.attempts or not status.failures:
        return None
    if retries.is_retryable(last.reason) and status.failures <= view.sync.spec.backoff_limit:
        return None
    asks = f"; then ask for another attempt by annotating the ModelSync with {_RETRY}"
    cause = last.message.replace(start_blockers.HEALS, "").rstrip(". ")
    return _final(Phase.FAILED, last.reason, cause[: 1023 - len(asks)] + asks)


def _node_lost(view: View, status: ModelSyncStatus) -> Verdict | None:
    pod = view.lost_pod
    if pod is None:
        return None
    return Verdict(phase=Phase.QUEUED, reason=Reason.NODE_LOST, message=lost_nodes.lost(pod)[:1024])


def _backing_off(view: View, status: ModelSyncStatus) -> Verdict | None:
    last, due = status.last_failure, status.next_retry_time
    if last is None or due is None or due <= view.now or _was_rejected(view, last.reason):
        return None
    reason = last.reason if last.reason in _SELF_HEALING else Reason.BACKING_OFF
    message = _again(view, status, last)
    return Verdict(phase=Phase.QUEUED, reason=reason, message=message, backs_off=True, wake_at=due)


def _again(view: View, status: ModelSyncStatus, last: LastFailure) -> str:
    which = retries.of_most(view.sync.spec.backoff_limit, status.failures)
    text = f"attempt {last.attempt} failed{which} ({last.reason}): {retries.clause(last.message)}"
    return f"{text}; another attempt follows"


def _was_rejected(view: View, failed: Reason) -> bool:
    """Whether the stored nextRetryTime is that of a creation: it binds only while its problem is known."""
    reason = history.ready_reason(view.sync.status)
    return reason in _REJECTED and failed not in _REJECTED


def _stopping(view: View, status: ModelSyncStatus) -> Verdict | None:
    if not view.occupied:
        return None
    waiting = _waiting(view, status)
    if waiting.reason is not Reason.QUEUED:
        return replace(waiting, eligible=False)
    message = "waiting for the worker of the last attempt to end"
    return Verdict(phase=Phase.QUEUED, reason=Reason.QUEUED, message=message)


def _waiting(view: View, status: ModelSyncStatus) -> Verdict:
    last, due = status.last_failure, status.next_retry_time
    if (
        last is not None
        and due is not None
        and last.reason in _SELF_HEALING
        and last.attempt == view.attempts
    ):
        # What a person has to fix does not become less so by waiting for a slot.
        return Verdict(
            phase=Phase.QUEUED, reason=last.reason, message=_again(view, status, last), eligible=True
        )
    message = f"waiting in queue {view.sync.spec.queue!r}"
    return Verdict(phase=Phase.QUEUED, reason=Reason.QUEUED, message=message, eligible=True)


def _rejected(view: View, status: ModelSyncStatus) -> Verdict | None:
    """A Job that could not be created: till the next try it asks for no slot, then it has its own place."""
    problem = view.rejection
    if problem is None:
        return None
    reason = Reason.NAME_CONFLICT if problem.reason == Reason.NAME_CONFLICT else Reason.JOB_REJECTED
    message = (
        f"the worker's Job cannot be created: {problem.message[:900]}; it is tried again at nextRetryTime"
    )
    waits = problem.due is not None and problem.due > view.now
    return Verdict(
        phase=Phase.QUEUED,
        reason=reason,
        message=steady(status, reason, message),
        eligible=not waits,
        backs_off=waits,
        retry_at=problem.due,
        wake_at=problem.due if waits else None,
    )


def _final(phase: Phase, reason: Reason, message: str) -> Verdict:
    return Verdict(phase=phase, reason=reason, message=message, stalled=True, reconciling=False)


_REJECTED = frozenset({Reason.JOB_REJECTED, Reason.NAME_CONFLICT})
_STARTING = "the worker is starting"
CREATING = "the worker's Job is being created"
_DIGITS = re.compile(r"\d+")
_RETRY = "modelsync.dev/retry-requested-at=<any new value>"
_SELF_HEALING = frozenset(
    {
        Reason.VOLUME_NOT_FOUND,
        Reason.SECRET_NOT_FOUND,
        Reason.IMAGE_PULL_FAILED,
        Reason.WORKER_UNSCHEDULABLE,
        Reason.JOB_REJECTED,
    }
)
"""Reasons that stay the news between two attempts: what the user has to fix is still the same."""

_CHECKS: tuple[Check, ...] = (
    _invalid,
    _already_complete,  # a result is never taken back, unless its user asks for a check
    _ended_unheard,
    _just_complete,
    _being_stopped,
    _cancelled,
    _paused,
    _running,
    _creating,
    _protected,
    _no_such_preset,
    _not_allowed,
    _failed,
    _node_lost,  # before the backoff, which it outlasts
    _backing_off,
    _stopping,  # never two workers of one sync
    _rejected,
)
