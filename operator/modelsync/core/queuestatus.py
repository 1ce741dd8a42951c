"""The status of every SyncQueue: who holds its slots, who waits, what came of the rest."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from modelsync.api import conditions, syncqueue
from modelsync.api.conditions import Condition
from modelsync.api.modelsync import ModelSyncStatus
from modelsync.api.reasons import ConditionType, Phase
from modelsync.core.snapshot import QueueRecord, Snapshot

_LISTED = 3


@dataclass(slots=True)
class Tally:
    """The ModelSyncs of one queue, counted."""

    running: list[str] = field(default_factory=list)
    waiting: int = 0
    oldest: datetime | None = None
    phases: Counter[Phase | None] = field(default_factory=Counter)
    """Those that do not wait, by phase."""


def render(
    snapshot: Snapshot, wanted: Mapping[str, ModelSyncStatus], holders: Collection[str]
) -> dict[str, syncqueue.SyncQueueStatus]:
    """The wanted status of every SyncQueue, by name; `holders` are the uids of those that hold a slot."""
    tallies = {name: Tally() for name in snapshot.queues}
    for uid, status in wanted.items():
        sync = snapshot.syncs[uid]
        tally = tallies.get(sync.spec.queue)
        if tally is None:
            continue
        if uid in holders:
            tally.running.append(f"{sync.namespace}/{sync.name}")
        place = status.queue
        if place is None:
            tally.phases[status.phase] += 1
            continue
        tally.waiting += 1
        since = place.since
        if since is not None and (tally.oldest is None or since < tally.oldest):
            tally.oldest = since
    return {name: _status(snapshot.now, queue, tallies[name]) for name, queue in snapshot.queues.items()}


def _status(now: datetime, queue: QueueRecord, tally: Tally) -> syncqueue.SyncQueueStatus:
    made = syncqueue.SyncQueueStatus(
        observed_generation=queue.generation,
        active=len(tally.running),
        waiting=tally.waiting,
        complete=tally.phases[Phase.COMPLETE],
        failed=tally.phases[Phase.FAILED],
        cancelled=tally.phases[Phase.CANCELLED],
        running=tuple(sorted(tally.running)[:_LISTED]),
        oldest_wait_since=tally.oldest,
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
