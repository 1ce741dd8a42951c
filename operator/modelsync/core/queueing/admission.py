"""Who may start now, and why the others wait.

Order: priority, then the namespaces' turns, then age, then namespace and name: total, the same for every
planner, and explicable where a hundred are created within one second, which is as exact as a
creationTimestamp is. Slots are counted from Jobs and Pods that are there, never from a status. "May it run?"
is a chain of small checks over a candidate and the usage so far; further limits (a node's, a window) are
further checks, of a queue or of one candidate.

Turns: of two namespaces the one that holds fewer slots of the queue is next, and of two that hold equally
many the one whose last start is longer ago (`last_starts`). Age alone would let one who wrote a thousand
ModelSyncs first keep everybody else waiting for all of them. A position in the queue is given as if all ahead
of it started and nothing ended. With one slot that is the order in which they start; with more it is so while
the shares are equal, and else it depends on whose download ends first.

A creation that the API server does not answer holds its slot while that is so: its Job may exist. A webhook
that hangs in one namespace must not take everybody's slots. So a namespace has a few unanswered
creations in a queue at most, and after a failure just one, tried when the namespace's own backoff is over.
That is the one that was tried least, so a ModelSync with a fault of its own stops none of its namespace.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from modelsync.api.modelsync_status import QueueStatus
from modelsync.api.reasons import QueueReason
from modelsync.core.cluster.snapshot import QueueRecord, StartProblem, SyncRecord

UNANSWERED = 16
"""Creations of one namespace in one queue that may be under way at once; each takes some 10 ms."""
_LASTING = 3
"""Failures in a row after which those that wait for their namespace say so."""
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A ModelSync that waits for nothing but a slot."""

    sync: SyncRecord
    attempt: int
    """The attempt that would start."""
    queue: str
    tries: int
    """How often in a row its creation failed."""
    order: tuple[int, datetime, str, str]
    """What it is sorted by within its namespace; see `candidate`."""


@dataclass(slots=True, kw_only=True)
class Usage:
    """Slots and targets in use; grows as candidates are admitted."""

    queues: Mapping[str, QueueRecord]
    now: datetime
    troubles: Mapping[tuple[str, str], StartProblem] = field(default_factory=dict)
    """By namespace and queue: what creations there got instead of an answer."""
    unanswered: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """Creations under way, by namespace and queue."""
    disabled: bool = False
    """Nothing may start."""
    active: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Slots in use by queue."""
    held: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """The same by namespace and queue."""
    starts: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """When each namespace had its last turn in each queue; those that never had one are not there."""
    targets: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    """Paths being written and the names of the ModelSyncs that write there, by namespace and claim."""

    def take(self, sync: SyncRecord) -> None:
        """Count a sync as running."""
        self.take_slot(sync.namespace, sync.spec.queue)
        self.hold_target(sync)

    def take_slot(self, namespace: str, queue: str) -> None:
        """Count a worker of a namespace, also one whose ModelSync is gone."""
        self.active[queue] += 1
        self.held[namespace, queue] += 1

    def hold_target(self, sync: SyncRecord) -> None:
        """Count a sync as writing, with or without a slot."""
        claim, path = sync.spec.target_dir
        self.targets[sync.namespace, claim].append((path, sync.name))

    def writer_of(self, sync: SyncRecord) -> str | None:
        """The first by name of the ModelSyncs that write to this one's directory, above or below it."""
        claim, path = sync.spec.target_dir
        writing = self.targets.get((sync.namespace, claim), ())
        return min((name for other, name in writing if overlap(path, other)), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the queue says: who starts, and where the others stand."""

    admitted: tuple[Candidate, ...]
    waiting: Mapping[str, QueueStatus]
    """By uid."""
    writers: Mapping[str, str]
    """By uid of those with a position: the name of the ModelSync whose end they wait for."""


def group(sync: SyncRecord) -> tuple[str, str]:
    """What shares the fate of its creations: namespace and queue."""
    return sync.namespace, sync.spec.queue


def candidate(sync: SyncRecord, attempt: int, tries: int = 0) -> Candidate:
    """A candidate with its place in the total order: priority, age, namespace and name."""
    order = (-sync.spec.priority, sync.created, sync.namespace, sync.name)
    return Candidate(sync=sync, attempt=attempt, queue=sync.spec.queue, tries=tries, order=order)


def decide(candidates: Iterable[Candidate], usage: Usage, *, exact_positions: int) -> Decision:
    """Admit in order while the checks allow; `usage` is used up."""
    admitted: list[Candidate] = []
    waiting: dict[str, QueueStatus] = {}
    writers: dict[str, str] = {}
    positions: dict[str, int] = defaultdict(int)
    closed: dict[str, QueueReason] = {}
    for one in _in_order(candidates, usage):
        queue = one.queue
        # Usage only grows, so a queue that held back one holds back all that follow, unasked.
        reason = closed.get(queue) or _first(_QUEUE_CHECKS, one, usage)
        if reason is not None:
            closed[queue] = reason
        if reason in (None, QueueReason.CONCURRENCY_LIMIT):
            # Also where the queue is full: a reason that changed with each slot would be written as often.
            reason = _namespace_free(one, usage) or reason
        if reason is None:
            reason = _first(_OWN_CHECKS, one, usage)
        if reason is None:
            usage.take(one.sync)
            usage.unanswered[group(one.sync)] += 1
            admitted.append(one)
            continue
        positions[queue] += 1
        position = positions[queue] if positions[queue] <= exact_positions else None
        waiting[one.sync.uid] = place(one.sync, reason, position, usage.now)
        # Without a position, a thousand duplicates would be written again whenever one of them ends.
        if reason is QueueReason.DUPLICATE and position is not None:
            writers[one.sync.uid] = usage.writer_of(one.sync) or ""
    return Decision(admitted=tuple(admitted), waiting=waiting, writers=writers)


def _in_order(candidates: Iterable[Candidate], usage: Usage) -> list[Candidate]:
    """The total order; in a group in trouble those tried least take the places of those that are ahead."""
    ordered = _in_turn(candidates, usage)
    for troubled in usage.troubles:
        places = [index for index, one in enumerate(ordered) if group(one.sync) == troubled]
        turns = sorted((ordered[index] for index in places), key=lambda one: one.tries)
        for index, one in zip(places, turns, strict=True):
            ordered[index] = one
    return ordered


def _in_turn(candidates: Iterable[Candidate], usage: Usage) -> list[Candidate]:
    """By priority, then by turns of the namespaces; see the module.

    Each candidate's turn is the number of slots that its namespace would hold before it. Among equals those
    who reach that number by starting first are first: where `ahead` is 0, by turns that they really had.
    """
    bounds = {
        name: queue.spec.max_priority
        for name, queue in usage.queues.items()
        if queue.spec.max_priority is not None
    }
    own = sorted(candidates, key=lambda one: _bounded(one, bounds) if bounds else one.order)
    ahead: dict[tuple[str, str], int] = defaultdict(int)
    turns = []
    for one in own:
        mine = one.order[2], one.queue
        before = ahead[mine]
        ahead[mine] = before + 1
        turn = usage.held.get(mine, 0) + before
        turns.append((_bounded(one, bounds)[0], turn, before, usage.starts.get(mine, NEVER)))
    # Among those with the same turn the order by age stays, as sorting is stable.
    return [own[index] for index in sorted(range(len(own)), key=turns.__getitem__)]


def _bounded(one: Candidate, bounds: Mapping[str, int]) -> tuple[int, datetime, str, str]:
    """A candidate's order with its priority as it counts in its queue."""
    highest = bounds.get(one.queue)
    return one.order if highest is None or -one.order[0] <= highest else (-highest, *one.order[1:])


def place(sync: SyncRecord, reason: QueueReason, position: int | None, now: datetime) -> QueueStatus:
    """A place in the queue; the stored object when it says just this. Who waits already keeps its `since`."""
    old = sync.status.queue
    since = old.since if old is not None and old.name == sync.spec.queue else None
    if old is not None and since is not None and old.reason == reason and old.position == position:
        return old
    began = since if since is not None else _began(sync, now)
    return QueueStatus(name=sync.spec.queue, position=position, reason=reason, since=began)


def _began(sync: SyncRecord, now: datetime) -> datetime:
    """Since its creation for one that is new; since this moment for one that comes back."""
    return sync.created if sync.status.phase is None else now.replace(microsecond=0)


Check = Callable[[Candidate, Usage], QueueReason | None]


def _first(checks: Iterable[Check], candidate: Candidate, usage: Usage) -> QueueReason | None:
    """Why the candidate has to wait by these checks, or None."""
    for check in checks:
        reason = check(candidate, usage)
        if reason is not None:
            return reason
    return None


def _enabled(candidate: Candidate, usage: Usage) -> QueueReason | None:
    return QueueReason.DOWNLOADS_DISABLED if usage.disabled else None


def _queue_exists(candidate: Candidate, usage: Usage) -> QueueReason | None:
    return None if candidate.queue in usage.queues else QueueReason.QUEUE_NOT_FOUND


def _queue_runs(candidate: Candidate, usage: Usage) -> QueueReason | None:
    return QueueReason.SUSPENDED if usage.queues[candidate.queue].spec.suspend else None


def _slot_free(candidate: Candidate, usage: Usage) -> QueueReason | None:
    name = candidate.queue
    full = usage.active.get(name, 0) >= usage.queues[name].spec.max_active
    return QueueReason.CONCURRENCY_LIMIT if full else None


def _namespace_free(candidate: Candidate, usage: Usage) -> QueueReason | None:
    most = usage.queues[candidate.queue].spec.max_active_per_namespace
    full = most is not None and usage.held.get(group(candidate.sync), 0) >= most
    return QueueReason.NAMESPACE_LIMIT if full else None


def _target_free(candidate: Candidate, usage: Usage) -> QueueReason | None:
    return QueueReason.DUPLICATE if usage.writer_of(candidate.sync) is not None else None


def _answered(candidate: Candidate, usage: Usage) -> QueueReason | None:
    mine = group(candidate.sync)
    trouble, pending = usage.troubles.get(mine), usage.unanswered.get(mine, 0)
    if trouble is None:
        return QueueReason.CONCURRENCY_LIMIT if pending >= UNANSWERED else None
    if not pending and (trouble.due is None or trouble.due <= usage.now):
        return None
    # A hiccup is not worth a write for each ModelSync of the namespace.
    return QueueReason.BACK_OFF if trouble.tries >= _LASTING else QueueReason.CONCURRENCY_LIMIT


def overlap(one: str, other: str) -> bool:
    """Whether two directories of a volume are the same or one is in the other."""
    first, second = (tuple(part for part in path.split("/") if part) for path in (one, other))
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]


_QUEUE_CHECKS: tuple[Check, ...] = (_enabled, _queue_exists, _queue_runs, _slot_free)
"""What holds back a whole queue: all that come later wait for the same."""
_OWN_CHECKS: tuple[Check, ...] = (_target_free, _answered)
"""What holds back one candidate, without blocking those behind it."""
