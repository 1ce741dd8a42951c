"""The one place of decisions: from a picture of the cluster to everything that should be done about it.

    views.gather ─► bookkeeping.update ─► lifecycle.judge ─► queueing.decide ─► statuses.render
                                                        └─► Jobs to create and delete, limits, Events

Pure and total: no clock, no I/O, and one object that cannot be handled never stops the others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from modelsync.api.modelsync import ModelSyncStatus, QueueStatus
from modelsync.api.quantity import parse_bytes
from modelsync.api.reasons import Phase, QueueReason
from modelsync.core import (
    actions,
    announcements,
    bookkeeping,
    lifecycle,
    queueing,
    queuestatus,
    statuses,
    views,
)
from modelsync.core.lifecycle import Verdict
from modelsync.core.snapshot import JobState, Snapshot, SyncRecord
from modelsync.core.views import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A ModelSync on its way through the planner."""

    view: View
    base: ModelSyncStatus
    verdict: Verdict


def plan(snapshot: Snapshot) -> actions.Plan:
    """Everything that should be done about this snapshot."""
    judged = [_judge(view) for view in views.gather(snapshot) if not view.sync.deleting]
    usage = queueing.Usage(queues=snapshot.queues)
    for item in judged:
        if item.view.occupied:
            usage.take(item.view.sync)
    candidates = [
        queueing.Candidate(
            sync=item.view.sync,
            attempt=item.view.attempts + 1,
            refused=item.view.problem(item.view.sync.uid) is not None,
        )
        for item in judged
        if item.verdict.eligible and _is_recorded(item)
    ]
    decision = queueing.decide(candidates, usage, exact_positions=snapshot.settings.exact_positions)
    wanted = {item.view.sync.uid: _status(item, decision) for item in judged}
    return actions.Plan(
        creations=tuple(actions.CreateJob(sync=c.sync, attempt=c.attempt) for c in decision.admitted),
        deletions=tuple(_deletions(judged)),
        limits=tuple(_limits(judged)),
        statuses=wanted,
        queue_statuses=queuestatus.render(snapshot, wanted, decision),
        events=tuple(_events(judged, wanted)),
        wake_at=_wake_at(judged),
    )


def _judge(view: View) -> Judged:
    base = bookkeeping.update(view)
    return Judged(view=view, base=base, verdict=lifecycle.judge(view, base))


def _is_recorded(item: Judged) -> bool:
    """Whether the stored status knows the last failure: only then may the next attempt start.

    Else an operator that dies now would leave a successor that sees a new Job and never counts the old one.
    """
    return item.base.last_failure == item.view.sync.status.last_failure


def _status(item: Judged, decision: queueing.Decision) -> ModelSyncStatus:
    sync, verdict = item.view.sync, item.verdict
    place = decision.waiting.get(sync.uid)
    if (
        place is None
        and verdict.wake_at is not None
        and verdict.job is None
        and verdict.phase is Phase.QUEUED
    ):
        place = queueing.place(sync, QueueReason.BACK_OFF, None)
    if place is not None and verdict.eligible:
        verdict = _why_waiting(sync, verdict, place)
    return statuses.render(item.view, item.base, verdict, place)


_WAITS = {
    QueueReason.CONCURRENCY_LIMIT: "waiting in queue {queue!r} for a free slot",
    QueueReason.SUSPENDED: "queue {queue!r} is suspended; set spec.suspend of the SyncQueue to false",
    QueueReason.DUPLICATE: "waiting for another ModelSync that writes to the same target",
    QueueReason.QUEUE_NOT_FOUND: "spec.queue: there is no SyncQueue {queue!r} in the operator's namespace;"
    " create it or name another one",
}


def _why_waiting(sync: SyncRecord, verdict: Verdict, place: QueueStatus) -> Verdict:
    text = _WAITS.get(place.reason)
    if text is None or verdict.reason != "Queued":
        return verdict
    return replace(verdict, message=text.format(queue=sync.spec.queue))


def _deletions(judged: Iterable[Judged]) -> Iterator[actions.DeleteJob]:
    for item in judged:
        for job in item.view.jobs:
            if job.deleting:
                continue
            why = _why_delete(item, job.attempt, job.state, job.finished)
            if why:
                yield actions.DeleteJob(job=job, why=why)


def _why_delete(item: Judged, attempt: int, state: JobState, finished: datetime | None) -> str:
    """Why a Job has to go, or ''. A result goes only once it stands in the stored status."""
    view, stored = item.view, item.view.sync.status
    if state is JobState.ACTIVE:
        if item.verdict.phase in (Phase.PAUSED, Phase.CANCELLED):
            return f"the ModelSync is {item.verdict.phase}"
        if stored.last_failure is not None and stored.last_failure.attempt == attempt:
            return "the attempt counts as failed: it could not start"
        return "a later attempt exists" if attempt < view.attempts else ""
    recorded = stored.phase is Phase.COMPLETE or attempt < (stored.attempts or 0)
    recorded |= stored.last_failure is not None and stored.last_failure.attempt == attempt
    old = finished is not None and view.now - finished >= view.settings.job_history
    return "its result is in the status" if recorded and old else ""


def _limits(judged: Iterable[Judged]) -> Iterator[actions.SetLimit]:
    for item in judged:
        verdict, text = item.verdict, item.view.sync.spec.bandwidth_limit
        if verdict.sample is None or verdict.pod is None:
            continue
        limit = _limit(text)
        if verdict.sample.report.bandwidth_limit != limit:
            yield actions.SetLimit(pod=verdict.pod, bytes_per_second=limit)


def _limit(text: str | None) -> int | None:
    """Bytes per second; a value that is none (an object older than the schema's rule) limits nothing."""
    try:
        return parse_bytes(text) if text is not None else None
    except ValueError:
        return None


def _events(judged: Iterable[Judged], wanted: dict[str, ModelSyncStatus]) -> Iterator[actions.Announce]:
    for item in judged:
        new = wanted[item.view.sync.uid]
        if new is not item.view.sync.status:
            yield from announcements.between(item.view.sync, new)


def _wake_at(judged: Sequence[Judged]) -> datetime | None:
    """The first time to come at which a verdict changes by itself."""
    times = (item.verdict.wake_at for item in judged)
    coming = zip(times, (item.view.now for item in judged), strict=True)
    return min((time for time, now in coming if time is not None and time > now), default=None)
