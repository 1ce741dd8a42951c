"""StatusWriter: the only code that writes a status, under one budget.

One slot for each object, in which the latest write replaces an older one, so a slow API server makes writes
rarer and never stale. A write equal to what is stored costs nothing.

Every write, progress too, carries the resourceVersion that it was decided on and the difference from it. A
write whose record is no longer the store's is not sent: the store has woken the plan, which decides again. If
the server knows something newer than the store, it answers 409; then the object is read and decided again. So
no write can take back what it did not know, no matter who wrote it. The price is small: our own writes'
answers reach the store before the next one, so only others' writes within a watch's delay conflict (in a
simulation of 200 downloads whose objects somebody edits once a minute each, 0.2 % of the writes).

Transitions go at once. Progress waits for its turn, but a row of transitions cannot keep it out. Both are
shared by namespace (`write_queue`), so who changes a thousand objects as they are written waits for himself.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from modelsync.api import modelsync_status as api
from modelsync.api import syncqueue
from modelsync.api.common.backoff import Backoff
from modelsync.core import status_patch
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import api_client, cache
from modelsync.runtime.cluster.resources import QUEUES, SYNCS, Resource
from modelsync.runtime.common import token_bucket
from modelsync.runtime.writes import write_queue

_log = logging.getLogger(__name__)
_IN_FLIGHT = 16
_BACKOFF = Backoff(first=0.5, cap=30.0, jitter=0.1)
_REFUSED_WAIT = 60.0
_NOT_LEADING_WAIT = 1.0
_SHORTEST_WAIT = 0.001
"""A rest of a rounding error would not move a clock."""


class StatusApi(Protocol):
    """What of the API server the writer needs."""

    async def get(self, resource: Resource, namespace: str, name: str) -> api_client.Object:
        """One object; raises ApiError."""

    async def patch(
        self, resource: Resource, namespace: str, name: str, body: api_client.Object, *, subresource: str = ""
    ) -> api_client.Object:
        """A JSON merge patch; raises Conflict when its resourceVersion is not the newest."""


class StatusWriter:
    """Carries writes to the API server; see the module."""

    def __init__(
        self,
        api_server: StatusApi,
        known: cache.Store,
        *,
        rate: float = 20.0,
        queue_namespace: str,
        may_write: Callable[[], bool] = lambda: True,
        count: Callable[[str], None] = lambda result: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api_server
        self._store = known
        self._rate = rate
        self._queue_namespace = queue_namespace
        self._bucket = token_bucket.Bucket(rate=rate, burst=token_bucket.burst(rate))
        self._may_write = may_write
        self._count = count
        self._clock = clock
        self._slots: dict[str, write_queue.Slot] = {}
        self._agenda = write_queue.Agenda()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._calm_at = 0.0
        self._active: Mapping[str, int] = {}
        self._distances: dict[float, token_bucket.Distances] = {}
        """By pace."""

    @property
    def rate(self) -> float:
        """Most writes a second."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        if rate != self._rate:
            self._rate = rate
            self._bucket = token_bucket.Bucket(rate=rate, burst=token_bucket.burst(rate))
            self._distances.clear()
            self._changed.set()

    @property
    def active(self) -> Mapping[str, int]:
        """How many objects report progress now, by namespace; spaces their writes."""
        return self._active

    @active.setter
    def active(self, counts: Mapping[str, int]) -> None:
        if counts != self._active:
            self._active = counts
            self._distances.clear()

    def offer_sync(self, record: snapshot.SyncRecord, wanted: api.ModelSyncStatus) -> None:
        """Ask for a ModelSync's status, decided on this record."""
        if self._is_news(record, wanted):
            urgent = status_patch.is_transition(record.status, wanted)
            self._offer(SYNCS, record.namespace, record, wanted, urgent=urgent)

    def offer_queue(self, record: snapshot.QueueRecord, wanted: syncqueue.SyncQueueStatus) -> None:
        """Ask for a SyncQueue's status, decided on this record."""
        if self._is_news(record, wanted):
            self._offer(QUEUES, self._queue_namespace, record, wanted, urgent=False)

    def waiting(self) -> int:
        """How many writes are not carried out yet."""
        return sum(1 for slot in self._slots.values() if slot.pending is not None)

    async def run(self) -> None:
        """Write forever."""
        while True:
            self._changed.clear()
            wait = self.send_due()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    async def drain(self, seconds: float) -> None:
        """Finish the writes that are under way and send the transitions that wait, within some seconds."""
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0:
            wait = self.send_due(urgent_only=True) if self._may_write() else None
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            elif wait is None or wait > left:
                return
            else:
                await asyncio.sleep(wait)

    async def settle(self) -> None:
        """Wait until no write is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def send_due(self, *, urgent_only: bool = False) -> float | None:
        """Begin every write that may go now; returns the seconds until one may, None if time brings none."""
        while True:
            if len(self._tasks) >= _IN_FLIGHT:
                return None
            slot, wait = self._next(self._clock(), urgent_only=urgent_only)
            if slot is None:
                return None if wait is None else max(wait, _SHORTEST_WAIT)
            if not self._may_write():
                return _NOT_LEADING_WAIT
            self._send(slot)

    def forget_missing(self) -> None:
        """Drop the slots of objects that are gone."""
        for uid in self._slots.keys() - self._store.syncs.keys() - self._store.queues.keys():
            if not self._slots[uid].busy:
                write_queue.leave(self._slots.pop(uid))

    def _next(self, now: float, *, urgent_only: bool) -> tuple[write_queue.Slot | None, float | None]:
        """The slot to write now, or None and the seconds until there may be one."""
        apart = self._apart(now)
        urgent = self._agenda.urgent(now)
        calm = None if urgent_only else self._agenda.calm(now, apart.of)
        waits = [at - now for at in (self._agenda.awakes(),) if at is not None]
        if calm is not None:
            turn = urgent is not None and self._agenda.calm_has_its_turn
            distance = max(calm.sent + apart.of(calm.namespace) - now, 0.0)
            wait = max(distance, self._bucket.wait(now, urgent=turn))
            if wait <= 0 and (turn or urgent is None):
                return calm, 0.0
            if turn and distance <= 0:
                urgent = None  # what comes into the bucket next is for progress
            waits.append(wait)
        if urgent is not None:
            wait = self._bucket.wait(now, urgent=True)
            if wait <= 0:
                return urgent, 0.0
            waits.append(wait)
        return None, min(waits, default=None)

    def _apart(self, now: float) -> token_bucket.Distances:
        """Progress goes at half the rate for a minute after the server asked for patience."""
        pace = 0.5 if now < self._calm_at else 1.0
        if pace not in self._distances:
            self._distances[pace] = token_bucket.distances(self._active, self._rate * pace)
        return self._distances[pace]

    def _is_news(self, record: write_queue.Record, wanted: write_queue.Status) -> bool:
        """Whether this is to be written and not pending already; what is stored
        already withdraws the pending write."""
        slot = self._slots.get(record.uid)
        pending = slot.pending if slot is not None else None
        if pending is not None and pending.record is record and pending.status is wanted:
            return False
        if wanted is not record.status and wanted != record.status:
            return True
        if slot is not None and pending is not None:
            self._withdraw(slot)
        return False

    def _offer(
        self,
        resource: Resource,
        namespace: str,
        record: write_queue.Record,
        wanted: write_queue.Status,
        *,
        urgent: bool,
    ) -> None:
        slot = self._slots.get(record.uid)
        if slot is None:
            slot = write_queue.Slot(resource=resource, namespace=namespace, name=record.name, uid=record.uid)
            self._slots[record.uid] = slot
        slot.pending = write_queue.PendingWrite(record=record, status=wanted, urgent=urgent)
        self._agenda.place(slot, self._clock())
        self._changed.set()

    def _withdraw(self, slot: write_queue.Slot) -> None:
        slot.pending = None
        write_queue.leave(slot)

    def _record(self, uid: str) -> write_queue.Record | None:
        return self._store.syncs.get(uid) or self._store.queues.get(uid)

    def _send(self, slot: write_queue.Slot) -> None:
        pending = slot.pending
        if pending is None or self._record(slot.uid) is not pending.record:
            self._count("outdated")
            return self._withdraw(slot)
        body = pending.body()
        if body is None:
            self._count("skipped")
            return self._withdraw(slot)
        now = self._clock()
        self._bucket.take(now)
        self._agenda.went(slot, pending)
        slot.busy, slot.sent = True, now
        self._agenda.place(slot, now)
        task = asyncio.create_task(self._write(slot, pending, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(
        self, slot: write_queue.Slot, pending: write_queue.PendingWrite, body: api_client.Object
    ) -> None:
        try:
            stored = await self._api.patch(
                slot.resource, slot.namespace, slot.name, body, subresource="status"
            )
            # Before the slot is free: the next write has to be decided on what this one stored.
            self._store.observe(slot.resource, "MODIFIED", stored)
            slot.failures = 0
            self._done(slot, pending)
            self._count("written")
        except api_client.ApiError as error:
            await self._failed(slot, pending, error)
        except Exception:
            _log.exception("the status of %s/%s was not written", slot.namespace, slot.name)
            self._rest(slot, _REFUSED_WAIT)
        finally:
            slot.busy = False
            self._agenda.place(slot, self._clock())
            self._changed.set()

    async def _failed(
        self, slot: write_queue.Slot, pending: write_queue.PendingWrite, error: api_client.ApiError
    ) -> None:
        """What becomes of a write that failed; it stays pending, unless it was replaced meanwhile."""
        if isinstance(error, api_client.NotFound):
            # The watch will say so; after a restored etcd the next list does, and till then the plan goes on.
            self._count("gone")
            self._back_off(slot)
        elif isinstance(error, api_client.Conflict):
            self._count("conflict")
            await self._read_again(slot, pending)
        elif error.is_passing:
            self._count("retried")
            self._back_off(slot, error.retry_after)
            if isinstance(error, api_client.TooManyRequests):
                self._calm_at = self._clock() + 60
        else:
            self._count("refused")
            _log.error("the status of %s/%s was refused: %s", slot.namespace, slot.name, error)
            self._rest(slot, _REFUSED_WAIT)

    async def _read_again(self, slot: write_queue.Slot, pending: write_queue.PendingWrite) -> None:
        """Learn what the object is now; the plan then decides again. Without news, the same is tried
        later."""
        with contextlib.suppress(api_client.ApiError):
            # Before the request: what a watch brings meanwhile is newer than its answer.
            mark = self._store.mark()
            found = await self._api.get(slot.resource, slot.namespace, slot.name)
            self._store.observe(slot.resource, "MODIFIED", found, mark=mark)
        if self._record(slot.uid) is not pending.record:
            return self._done(slot, pending)
        self._back_off(slot)

    def _done(self, slot: write_queue.Slot, pending: write_queue.PendingWrite) -> None:
        if slot.pending is pending:  # else the plan replaced it while it was sent, and the newer one stays
            slot.pending = None

    def _back_off(self, slot: write_queue.Slot, asked: float | None = None) -> None:
        slot.failures += 1
        self._rest(slot, _BACKOFF.wait(slot.failures, random=random.random(), asked=asked))

    def _rest(self, slot: write_queue.Slot, seconds: float) -> None:
        slot.not_before = self._clock() + seconds
