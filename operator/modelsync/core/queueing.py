"""Who may start now, and why the others wait.

Order: priority, then age, then namespace and name: total, the same for every planner, and explicable where a
hundred are created within one second, which is as exact as a creationTimestamp is. Slots are counted from
Jobs and Pods that are there, never from a status. "May it run?" is a chain of small checks over a
candidate and the usage so far; further limits (a namespace's, a node's, a window) are further checks, of a
queue or of one candidate.

A creation that the API server does not answer holds its slot while that is so: its Job may exist. A webhook
that hangs in one namespace must not take everybody's slots thereby. So a namespace has a few unanswered
creations in a queue at most, and after a failure just one, tried when the namespace's own backoff is over.
That is the one that was tried least, so a ModelSync with a fault of its own stops none of its namespace.
"""

import operator
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from modelsync.api.modelsync import QueueStatus
from modelsync.api.reasons import QueueReason
from modelsync.core.snapshot import Problem, QueueRecord, SyncRecord

UNANSWERED = 16
"""Creations of one namespace in one queue that may be under way at once; each takes some 10 ms."""
_LASTING = 3
"""Failures in a row after which those that wait for their namespace say so."""


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
    """What it is sorted by; see `candidate`."""


@dataclass(slots=True, kw_only=True)
class Usage:
    """Slots and targets in use; grows as candidates are admitted."""

    queues: Mapping[str, QueueRecord]
    now: datetime
    troubles: Mapping[tuple[str, str], Problem] = field(default_factory=dict)
    """By namespace and queue: what creations there got instead of an answer."""
    unanswered: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """Creations under way, by namespace and queue."""
    disabled: bool = False
    """Nothing may start."""
    active: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Slots in use by queue."""
    targets: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """Paths being written, by namespace and claim."""

    def take(self, sync: SyncRecord) -> None:
        """Count a sync as running."""
        self.active[sync.spec.queue] += 1
        self.hold_target(sync)

    def hold_target(self, sync: SyncRecord) -> None:
        """Count a sync as writing, with or without a slot."""
        claim, path = sync.spec.target_dir
        self.targets[sync.namespace, claim].append(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the queue says: who starts, and where the others stand."""

    admitted: tuple[Candidate, ...]
    waiting: Mapping[str, QueueStatus]
    """By uid."""


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
    positions: dict[str, int] = defaultdict(int)
    closed: dict[str, QueueReason] = {}
    for one in _in_order(candidates, usage.troubles):
        queue = one.queue
        # Usage only grows, so a queue that held back one holds back all that follow, unasked.
        reason = closed.get(queue) or _first(_QUEUE_CHECKS, one, usage)
        if reason is not None:
            closed[queue] = reason
        else:
            reason = _first(_OWN_CHECKS, one, usage)
        if reason is None:
            usage.take(one.sync)
            usage.unanswered[group(one.sync)] += 1
            admitted.append(one)
            continue
        positions[queue] += 1
        position = positions[queue] if positions[queue] <= exact_positions else None
        waiting[one.sync.uid] = place(one.sync, reason, position, usage.now)
    return Decision(admitted=tuple(admitted), waiting=waiting)


def _in_order(candidates: Iterable[Candidate], troubles: Collection[tuple[str, str]]) -> list[Candidate]:
    """The total order; in a group in trouble those tried least take the places of those that are ahead."""
    ordered = sorted(candidates, key=operator.attrgetter("order"))
    for troubled in troubles:
        places = [index for index, one in enumerate(ordered) if group(one.sync) == troubled]
        turns = sorted((ordered[index] for index in places), key=lambda one: (one.tries, one.order))
        for index, one in zip(places, turns, strict=True):
            ordered[index] = one
    return ordered


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


def _target_free(candidate: Candidate, usage: Usage) -> QueueReason | None:
    claim, path = candidate.sync.spec.target_dir
    paths = usage.targets.get((candidate.sync.namespace, claim), ())
    return QueueReason.DUPLICATE if any(overlap(path, other) for other in paths) else None


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
    """Whether two directories of a volume are the same or one lies in the other."""
    first, second = (tuple(part for part in path.split("/") if part) for path in (one, other))
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]


_QUEUE_CHECKS: tuple[Check, ...] = (_enabled, _queue_exists, _queue_runs, _slot_free)
"""What holds back a whole queue: whoever comes later waits for the same."""
_OWN_CHECKS: tuple[Check, ...] = (_target_free, _answered)
"""What holds back one candidate, without blocking those behind it."""
