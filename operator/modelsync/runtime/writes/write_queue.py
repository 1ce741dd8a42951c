"""What is wanted of each object's status, and whose turn it is.

A pending write holds the very record that it was decided on: nobody can send it with another version by
accident. Whose turn it is costs a heap's logarithm however many wait (ten thousand, after one `kubectl
apply`): an object stands in one heap, urgent, calm, or resting after a failure. Entries that no longer count
stay where they are until they come to the top.

Urgent ones go by turns of their namespaces, calm ones by when they are due, and a namespace with many that
report progress makes their own distance longer, not that of others (`token_bucket.Distances`). So a namespace
whose objects change as soon as they are written delays the others' writes by one write each.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from modelsync.api import modelsync_status as api
from modelsync.api import syncqueue
from modelsync.core import status_patch
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster.api_client import Object
from modelsync.runtime.cluster.resources import Resource
from modelsync.runtime.common import fair_shares

Record = snapshot.SyncRecord | snapshot.QueueRecord
Status = api.ModelSyncStatus | syncqueue.SyncQueueStatus
_URGENT_IN_A_ROW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingWrite:
    """A status and what it was decided on."""

    record: Record
    status: Status
    urgent: bool
    """A transition, which goes at once; all else is progress and keeps its distance."""

    def body(self) -> Object | None:
        """The merge patch from what was decided on, valid for that version alone; None when it is empty."""
        patch = status_patch.merge_patch(self.record.status.dump(), self.status.dump())
        return (
            {"metadata": {"resourceVersion": self.record.resource_version}, "status": patch}
            if patch
            else None
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Slot:
    """One object's place at the writer."""

    resource: Resource
    namespace: str
    name: str
    uid: str
    pending: PendingWrite | None = None
    busy: bool = False
    """A write is under way."""
    sent: float = field(default=float("-inf"))
    """When the last write began."""
    not_before: float = field(default=float("-inf"))
    failures: int = 0
    ticket: int = -1
    """The entry of a heap that counts for this slot; -1: none."""
    line: "Line | None" = None
    """The heap that holds that entry."""


class Line:
    """Slots by one key, the smallest first; the same keys in the order of their coming."""

    def __init__(self, key: Callable[[Slot], float]) -> None:
        self._key = key
        self._heap: list[tuple[float, int, Slot]] = []
        self._numbers = itertools.count()
        self._size = 0

    def put(self, slot: Slot) -> None:
        """Let a slot stand here and nowhere else; it keeps its place if it does already."""
        if slot.line is self:
            return
        leave(slot)
        slot.line, slot.ticket = self, next(self._numbers)
        heapq.heappush(self._heap, (self._key(slot), slot.ticket, slot))
        self._size += 1
        if len(self._heap) > 2 * self._size + 64:
            self._heap = [entry for entry in self._heap if self._counts(entry)]
            heapq.heapify(self._heap)

    def first(self) -> Slot | None:
        """The slot with the smallest key."""
        while self._heap and not self._counts(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def left(self) -> None:
        """One of the slots does not stand here any more."""
        self._size -= 1

    def _counts(self, entry: tuple[float, int, Slot]) -> bool:
        return entry[2].line is self and entry[2].ticket == entry[1]


class Lines:
    """A line for each namespace, of slots by their last write."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self._order = fair_shares.Order()

    def put(self, slot: Slot) -> None:
        """Let a slot stand in its namespace's line and nowhere else."""
        line = self._lines.get(slot.namespace)
        if line is None:
            line = self._lines[slot.namespace] = Line(lambda slot: slot.sent)
        line.put(slot)
        self._order.join(slot.namespace)

    def next(self) -> Slot | None:
        """The first slot of the namespace whose turn it is."""
        while (namespace := self._order.first()) is not None:
            slot = self._first(namespace)
            if slot is not None:
                return slot
        return None

    def went(self, slot: Slot) -> None:
        """A slot's namespace had its turn."""
        self._order.went(slot.namespace)

    def soonest(self, distance: Callable[[str], float]) -> Slot | None:
        """The slot that is due first, when each keeps its namespace's distance from its last write."""
        firsts = [slot for slot in map(self._first, list(self._lines)) if slot is not None]
        return min(firsts, key=lambda slot: slot.sent + distance(slot.namespace), default=None)

    def _first(self, namespace: str) -> Slot | None:
        slot = self._lines[namespace].first()
        if slot is None:
            del self._lines[namespace]
            self._order.leave(namespace)
        return slot


def leave(slot: Slot) -> None:
    """Let a slot stand nowhere."""
    if slot.line is not None:
        slot.line.left()
    slot.line, slot.ticket = None, -1


class Agenda:
    """All slots that wait, and which of them comes first."""

    def __init__(self) -> None:
        self._urgent = Lines()
        self._calm = Lines()
        self._resting = Line(lambda slot: slot.not_before)
        self._in_a_row = 0

    def place(self, slot: Slot, now: float) -> None:
        """Let a slot stand where its pending write belongs."""
        if slot.pending is None or slot.busy:
            leave(slot)
        elif slot.not_before > now:
            self._resting.put(slot)
        else:
            (self._urgent if slot.pending.urgent else self._calm).put(slot)

    def urgent(self, now: float) -> Slot | None:
        """The next transition: of the namespace whose turn it is, that of the object written longest ago."""
        self._awake(now)
        return self._urgent.next()

    def calm(self, now: float, distance: Callable[[str], float] = lambda namespace: 0.0) -> Slot | None:
        """The progress that is due first; `distance` has the seconds between two writes, by namespace."""
        self._awake(now)
        return self._calm.soonest(distance)

    def awakes(self) -> float | None:
        """When the first one that rests has rested enough."""
        slot = self._resting.first()
        return None if slot is None else slot.not_before

    @property
    def calm_has_its_turn(self) -> bool:
        """Whether so many transitions went in a row that progress may go before the next one."""
        return self._in_a_row >= _URGENT_IN_A_ROW

    def went(self, slot: Slot, pending: PendingWrite) -> None:
        """A write has begun."""
        self._in_a_row = self._in_a_row + 1 if pending.urgent else 0
        if pending.urgent:
            self._urgent.went(slot)

    def _awake(self, now: float) -> None:
        while (slot := self._resting.first()) is not None and slot.not_before <= now:
            leave(slot)
            self.place(slot, now)
