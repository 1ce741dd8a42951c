"""The status of every SyncQueue: who holds its slots, who waits, what came of the rest."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime

from modelsync.api import conditions, syncqueue
from modelsync.api.conditions import Condition
from modelsync.api.modelsync import ModelSyncStatus
from modelsync.api.reasons import ConditionType, Phase
from modelsync.core.queueing import Decision
from modelsync.core.snapshot import JobState, QueueRecord, Snapshot

_LISTED = 3


def render(
    snapshot: Snapshot, wanted: Mapping[str, ModelSyncStatus], decision: Decision
) -> dict[str, syncqueue.SyncQueueStatus]:
    """The wanted status of every SyncQueue, by name."""
    holders = {job.sync_uid for job in snapshot.jobs if job.state is JobState.ACTIVE and not job.deleting}
    running: dict[str, list[str]] = defaultdict(list)
    phases: dict[str, Counter[str]] = defaultdict(Counter)
    oldest: dict[str, datetime] = {}
    for uid, status in wanted.items():
        sync = snapshot.syncs[uid]
        name = sync.spec.queue
        phases[name][str(status.phase)] += 1
        if uid in holders:
            running[name].append(f"{sync.namespace}/{sync.name}")
        if status.queue is not None:
            phases[name]["waiting"] += 1
            since = status.queue.since
            if since is not None and (name not in oldest or since < oldest[name]):
                oldest[name] = since
    return {
        name: _status(snapshot.now, queue, running[name], phases[name], oldest.get(name))
        for name, queue in snapshot.queues.items()
    }


def _status(
    now: datetime, queue: QueueRecord, running: list[str], counts: Counter[str], oldest: datetime | None
) -> syncqueue.SyncQueueStatus:
    made = syncqueue.SyncQueueStatus(
        observed_generation=queue.generation,
        active=len(running),
        waiting=counts["waiting"],
        complete=counts[Phase.COMPLETE],
        failed=counts[Phase.FAILED],
        cancelled=counts[Phase.CANCELLED],
        running=tuple(sorted(running)[:_LISTED]),
        oldest_wait_since=oldest,
        conditions=conditions.keep_times([_ready(now, queue)], queue.status.conditions),
    )
    return queue.status if made == queue.status else made


def _ready(now: datetime, queue: QueueRecord) -> Condition:
    admits = not queue.spec.suspend and queue.spec.max_active > 0
    reason, message = "Admitting", "the queue admits ModelSyncs"
    if queue.spec.suspend:
        reason, message = "Suspended", "spec.suspend is true: nothing new is admitted"
    elif not admits:
        reason, message = "NoSlots", "spec.maxActive is 0: nothing is admitted"
    return Condition(
        type=ConditionType.READY,
        status="True" if admits else "False",
        reason=reason,
        message=message,
        observed_generation=queue.generation,
        last_transition_time=now.replace(microsecond=0),
    )
