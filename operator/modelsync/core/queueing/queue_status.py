"""The status of every SyncQueue: who holds its slots, who waits, what came of the rest."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from modelsync.api import conditions, syncqueue
from modelsync.api.conditions import Condition
from modelsync.api.modelsync_status import ModelSyncStatus
from modelsync.api.reasons import ConditionType, Phase, QueueReason
from modelsync.core.cluster.snapshot import QueueRecord, Snapshot
from modelsync.core.queueing import last_starts

_LISTED = 3
_NOBODY: Mapping[str, Collection[str]] = {}


@dataclass(slots=True)
class Tally:
    """The ModelSyncs of one queue, counted."""

    running: list[str] = field(default_factory=list)
    waiting: int = 0
    oldest: datetime | None = None
    phases: Counter[Phase | None] = field(default_factory=Counter)
    """Those that do not wait, by phase."""


def render(
    snapshot: Snapshot,
    wanted: Mapping[str, ModelSyncStatus],
    holders: Collection[str],
    orphans: Mapping[str, Collection[str]] = _NOBODY,
) -> dict[str, syncqueue.SyncQueueStatus]:
    """The wanted status of every SyncQueue, by name; `holders` are the uids of those that hold a slot.

    `orphans` are the names, by queue, of the workers that hold one although their ModelSync is gone.
    """
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
    for name in tallies.keys() & orphans.keys():
        tallies[name].running.extend(orphans[name])
    starts = last_starts.to_store(snapshot)
    return {
        name: _status(snapshot, queue, tallies[name], starts.get(name, ()))
        for name, queue in snapshot.queues.items()
    }


def _status(
    snapshot: Snapshot, queue: QueueRecord, tally: Tally, starts: tuple[syncqueue.NamespaceStart, ...]
) -> syncqueue.SyncQueueStatus:
    running = sorted(tally.running)
    made = syncqueue.SyncQueueStatus(
        observed_generation=queue.generation,
        active=len(tally.running),
        waiting=tally.waiting,
        complete=tally.phases[Phase.COMPLETE],
        failed=tally.phases[Phase.FAILED],
        cancelled=tally.phases[Phase.CANCELLED],
        running=tuple(running[:_LISTED]),
        display=syncqueue.QueueDisplay(running=_listed(running)),
        oldest_wait_since=tally.oldest,
        last_starts=starts,
        conditions=conditions.keep_times(_conditions(snapshot, queue), queue.status.conditions),
    )
    return queue.status if made == queue.status else made


def _listed(running: list[str]) -> str | None:
    more = len(running) - _LISTED
    return (", ".join(running[:_LISTED]) + (f" +{more} more" if more > 0 else "")) or None


def _conditions(snapshot: Snapshot, queue: QueueRecord) -> list[Condition]:
    """Ready, and where administrators look: what is wrong with the operator's configuration."""
    problem = snapshot.settings.configuration_problem
    if problem is None:
        return [_ready(snapshot, queue)]
    refused = Condition(
        type=ConditionType.CONFIGURATION_REFUSED,
        status="True",
        reason="InvalidConfiguration",
        message=f"the operator works with an earlier configuration: {problem}"[:1024],
        observed_generation=queue.generation,
        last_transition_time=snapshot.now.replace(microsecond=0),
    )
    return [_ready(snapshot, queue), refused]


def _ready(snapshot: Snapshot, queue: QueueRecord) -> Condition:
    closed = _why_closed(snapshot, queue)
    reason, message = closed or ("Admitting", "the queue admits ModelSyncs")
    return Condition(
        type=ConditionType.READY,
        status="True" if closed is None else "False",
        reason=reason,
        message=message,
        observed_generation=queue.generation,
        last_transition_time=snapshot.now.replace(microsecond=0),
    )


def _why_closed(snapshot: Snapshot, queue: QueueRecord) -> tuple[str, str] | None:
    """Reason and message of a queue that admits nothing, however few of its slots are in use."""
    if snapshot.settings.downloads_disabled:
        message = "downloads are disabled in the operator (attempts.disabled): nothing is admitted"
        return QueueReason.DOWNLOADS_DISABLED, message
    if queue.spec.suspend:
        return QueueReason.SUSPENDED, "spec.suspend is true: nothing new is admitted"
    if not queue.spec.max_active:
        return "NoSlots", "spec.maxActive is 0: nothing is admitted"
    return None
