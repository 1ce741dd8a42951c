"""The one place of decisions: from a picture of the cluster to everything that should be done about it.

    ownership.separate_foreign ─► sync_view ─► history.update ─► phase_checks.judge ─► admission.decide
                                       sync_status.render, Jobs to create and delete, Events ◄─┘

Pure and total: no clock, no I/O, and one object that cannot be handled never stops the others.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from modelsync.api.modelsync_status import ModelSyncStatus, QueueStatus
from modelsync.api.reasons import Phase, QueueReason, Reason
from modelsync.core import actions, plan_cache
from modelsync.core.attempts import history
from modelsync.core.cluster import ownership, sync_view
from modelsync.core.cluster.snapshot import JobState, Snapshot
from modelsync.core.cluster.sync_view import View
from modelsync.core.jobs import job_manifest
from modelsync.core.plan_cache import Judged
from modelsync.core.queueing import admission, last_starts, queue_status
from modelsync.core.status import event_rules, phase_checks, sync_status


def plan(snapshot: Snapshot, remembered: plan_cache.Recall | None = None) -> actions.Plan:
    """Everything that should be done about this snapshot.

    `remembered` spares the work on objects at which nothing has changed since the plan before, if all plans
    in a row are given the same one. It decides nothing.
    """
    remembered = remembered or plan_cache.Recall()
    snapshot, foreign = ownership.separate_foreign(snapshot)
    gatherer = sync_view.Gatherer(snapshot)
    busy, idle = _all_judged(gatherer, snapshot, remembered)
    judged = [*busy, *idle.values()]
    usage = admission.Usage(
        queues=snapshot.queues,
        now=snapshot.now,
        troubles=snapshot.troubles,
        starts=last_starts.known(snapshot),
        disabled=snapshot.settings.downloads_disabled,
    )
    holders = gatherer.occupied()
    for uid in holders:
        hold = usage.hold_target if uid in gatherer.parked else usage.take
        hold(snapshot.syncs[uid])
    orphans = gatherer.orphans()
    for queue, names in orphans.items():
        for name in names:
            usage.take_slot(name.partition("/")[0], queue)
    for job in snapshot.jobs:
        if job.assumed and job.sync_uid in snapshot.syncs:
            usage.unanswered[admission.group(snapshot.syncs[job.sync_uid])] += 1
    for uid in gatherer.on_lost_nodes() - holders:
        usage.hold_target(snapshot.syncs[uid])
    decision = admission.decide(
        (item.candidate for item in judged if item.candidate is not None),
        usage,
        exact_positions=snapshot.settings.exact_positions,
    )
    wanted = {item.view.sync.uid: _status(item, decision, snapshot) for item in judged}
    remembered.keep(idle, snapshot.settings)
    return actions.Plan(
        creations=tuple(actions.CreateJob(sync=c.sync, attempt=c.attempt) for c in decision.admitted),
        deletions=(*_deletions(busy), *_orphans(snapshot)),
        limits=tuple(_limits(busy)),
        statuses=wanted,
        queue_statuses=queue_status.render(snapshot, wanted, holders, orphans),
        events=tuple(_events(judged, wanted)),
        foreign=tuple(event_rules.foreign(one) for one in foreign),
        workers=Counter(pod.namespace for pod in snapshot.pods if pod.phase == "Running"),
        wake_at=_wake_at(judged, snapshot),
    )


def _all_judged(
    gatherer: sync_view.Gatherer, snapshot: Snapshot, remembered: plan_cache.Recall
) -> tuple[list[Judged], dict[str, Judged]]:
    """The verdicts on those with Jobs, Pods or problems, and on all others by uid."""
    busy, idle = [], {}
    for uid, sync in snapshot.syncs.items():
        if not gatherer.is_idle(uid):
            item = _judged(gatherer.view(sync))
            if item is not None:
                busy.append(item)
            continue
        item = remembered.find(sync, snapshot.now, snapshot.settings) or _judged(gatherer.view(sync))
        if item is not None:
            idle[uid] = item
    return busy, idle


def _judged(view: View) -> Judged | None:
    """The verdict on one object; one that breaks the planner is reported as invalid, and the others go on."""
    try:
        return _judge(view)
    except Exception as error:
        broken = replace(view.sync, invalid=f"{type(error).__name__}: {error}"[:500])
    try:
        return _judge(replace(view, sync=broken))
    except Exception:
        return None


def _judge(view: View) -> Judged:
    base = history.update(view)
    verdict = phase_checks.judge(view, base)
    # The stored status must know the last failure before the next attempt starts: else an operator that dies
    # in between would leave a successor that sees the new Job and never counts the old one. So must it know a
    # request to check: else the successor would take the new Job for the answer to a later request.
    stored = view.sync.status
    recorded = base.last_failure is stored.last_failure and stored.phase is not Phase.COMPLETE
    candidate = None
    if verdict.eligible and recorded and not view.sync.deleting:
        tries = view.rejection.tries if view.rejection is not None else 0
        candidate = admission.candidate(view.sync, view.attempts + 1, tries)
    return Judged(view=view, base=base, verdict=verdict, candidate=candidate)


def _status(item: Judged, decision: admission.Decision, snapshot: Snapshot) -> ModelSyncStatus:
    """The wanted status; the one of the last plan when the place in the queue is the same, too."""
    sync, verdict = item.view.sync, item.verdict
    if sync.deleting:
        return sync.status
    place = decision.waiting.get(sync.uid)
    if verdict.backs_off or (place is None and verdict.retry_at is not None):
        # A creation that is tried again keeps the place that it had between the tries: one write, not two.
        place = admission.place(sync, QueueReason.BACK_OFF, None, item.view.now)
    writer = decision.writers.get(sync.uid, "")
    same = writer == item.writer and (place is item.place or place == item.place)
    if item.status is None or not same:
        item.place, item.writer = place, writer
        item.status = _rendered(item, place, snapshot)
    return item.status


def _rendered(item: Judged, place: QueueStatus | None, snapshot: Snapshot) -> ModelSyncStatus:
    sync, verdict = item.view.sync, item.verdict
    if verdict.reason is Reason.QUEUED and (verdict.eligible or verdict.creating):
        message = phase_checks.CREATING if place is None else _why_waiting(item, place, snapshot)
        verdict = replace(verdict, message=message)
    try:
        return sync_status.render(item.view, item.base, verdict, place)
    except Exception:  # its status stays as it is, and the others go on
        return sync.status


_WAITS = {
    QueueReason.CONCURRENCY_LIMIT: "waiting in queue {queue!r} for a free slot{bounded}",
    QueueReason.NAMESPACE_LIMIT: "waiting in queue {queue!r} for another ModelSync of namespace {namespace!r}"
    " to end: it has as many slots there as one namespace may have (maxActivePerNamespace){bounded}",
    QueueReason.SUSPENDED: "queue {queue!r} is suspended; set spec.suspend of the SyncQueue to false",
    QueueReason.DOWNLOADS_DISABLED: "downloads are disabled in the operator (attempts.disabled);"
    " it starts when they are enabled again",
    QueueReason.DUPLICATE: "waiting for {writer} to end, which writes to the same directory, or above or"
    " below it; to run both at once, create this one with another spec.target.persistentVolumeClaim.subPath",
    QueueReason.QUEUE_NOT_FOUND: "spec.queue: there is no SyncQueue {queue!r} in the operator's namespace;"
    " create it or name another one",
    QueueReason.BACK_OFF: "no Job can be created in namespace {namespace!r} at present: {trouble};"
    " one at a time is tried, and this one when its turn comes",
}


def _why_waiting(item: Judged, place: QueueStatus, snapshot: Snapshot) -> str:
    sync = item.view.sync
    trouble = snapshot.troubles.get(admission.group(sync))
    queue = snapshot.queues.get(sync.spec.queue)
    highest = queue.spec.max_priority if queue is not None else None
    bounded = highest is not None and sync.spec.priority > highest
    text = _WAITS[place.reason].format(
        queue=sync.spec.queue,
        namespace=sync.namespace,
        trouble=trouble.message[:800] if trouble else "",
        writer=f"ModelSync {item.writer!r}" if item.writer else "another ModelSync",
        bounded=f"; its priority counts as {highest}, the queue's maxPriority" if bounded else "",
    )
    return phase_checks.steady(sync.status, item.verdict.reason, text)


def _deletions(judged: Iterable[Judged]) -> Iterator[actions.DeleteJob]:
    for item in judged:
        for job in item.view.jobs:
            if job.deleting:
                continue
            why = _why_delete(item, job.attempt, job.state, job.finished)
            if why:
                yield actions.DeleteJob(job=job, why=why)


def _orphans(snapshot: Snapshot) -> Iterator[actions.DeleteJob]:
    """Jobs of ours whose ModelSync is gone and does not take them with it."""
    for job in snapshot.jobs:
        if job.sync_uid in snapshot.syncs or job.owned or job.deleting:
            continue
        kept = snapshot.settings.job_history
        if job.state is JobState.ACTIVE or (job.finished is not None and snapshot.now - job.finished >= kept):
            yield actions.DeleteJob(job=job, why="its ModelSync is gone")


def _why_delete(item: Judged, attempt: int, state: JobState, finished: datetime | None) -> str:
    """Why a Job has to go, or ''. A result goes only once it stands in the stored status."""
    view, stored, phase = item.view, item.view.sync.status, item.verdict.phase
    over = stored.has_result_of(attempt)
    if state is JobState.ACTIVE:
        if view.sync.deleting:
            return "the ModelSync is being deleted"
        if attempt > (stored.attempts or 0):
            return ""  # its number must be stored before it goes, or another Job gets the same one
        if item.verdict.reason is Reason.STOPPING:
            return "the ModelSync is paused or cancelled"
        if phase in (Phase.PAUSED, Phase.CANCELLED) or stored.phase is Phase.COMPLETE:
            return f"the ModelSync is {phase}"
        if over:
            return "the attempt is over and its result is in the status, but its Pod runs or waits on"
        if view.is_stale:
            return "the spec has changed and the worker could not start"
        return "a later attempt exists" if attempt < view.attempts else ""
    recorded = over or attempt < (stored.attempts or 0)
    old = finished is not None and view.now - finished >= view.settings.job_history
    return "its result is in the status" if recorded and old else ""


def _limits(judged: Iterable[Judged]) -> Iterator[actions.SetLimit]:
    for item in judged:
        sample, pod = item.verdict.sample, item.verdict.pod
        if sample is None or pod is None or pod.phase != "Running":
            continue
        limit = job_manifest.bandwidth_limit(item.view.sync.spec)
        if sample.report.bandwidth_limit != limit:
            yield actions.SetLimit(pod=pod, bytes_per_second=limit)


def _events(judged: Iterable[Judged], wanted: dict[str, ModelSyncStatus]) -> Iterator[actions.Announce]:
    for item in judged:
        new = wanted[item.view.sync.uid]
        if new is not item.view.sync.status:
            yield from event_rules.between(item.view.sync, new)


def _wake_at(judged: Iterable[Judged], snapshot: Snapshot) -> datetime | None:
    """The first time to come at which a verdict changes, or a finished Job has been kept long enough."""
    verdicts = [item.verdict.wake_at for item in judged if item.verdict.wake_at is not None]
    kept = [
        job.finished + snapshot.settings.job_history
        for job in snapshot.jobs
        if job.finished is not None and job.finished <= snapshot.now
    ]
    kept += [trouble.due for trouble in snapshot.troubles.values() if trouble.due is not None]
    return min((time for time in verdicts + kept if time > snapshot.now), default=None)
