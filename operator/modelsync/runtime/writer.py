"""StatusWriter: the only code that writes a status, under one budget.

One slot for each object, in which the latest wish replaces an older one, so a slow API server makes writes
rarer and never stale. A wish equal to what is stored costs nothing. Transitions go at once and carry the
resourceVersion they were decided on (another operator's newer word wins: then this wish is dropped and the
object read again); progress waits for its turn and overwrites only its own fields.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modelsync.api import modelsync as api
from modelsync.api import syncqueue
from modelsync.api.backoff import Backoff
from modelsync.core import snapshot, statusdiff
from modelsync.runtime import budget, kube, store
from modelsync.runtime.resources import QUEUES, SYNCS, Resource

_log = logging.getLogger(__name__)
_IN_FLIGHT = 4
_BACKOFF = Backoff(first=0.5, cap=30.0, jitter=0.1)
_REFUSED_WAIT = 60.0


@dataclass(slots=True, kw_only=True)
class Slot:
    """What is wanted of one object's status."""

    resource: Resource
    namespace: str
    name: str
    uid: str
    wanted: api.ModelSyncStatus | syncqueue.SyncQueueStatus | None = None
    urgent: bool = False
    busy: bool = False
    sent: float = field(default=float("-inf"))
    not_before: float = field(default=float("-inf"))
    failures: int = 0


class StatusWriter:
    """Carries wishes to the API server; see the module."""

    def __init__(
        self,
        api_server: kube.Kube,
        known: store.Store,
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
        self._bucket = budget.Bucket(rate=rate, burst=2 * rate)
        self._may_write = may_write
        self._count = count
        self._clock = clock
        self._slots: dict[str, Slot] = {}
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._progress_rate = 1.0
        self._calm_at = 0.0
        self.active = 0
        """How many objects report progress now; spaces their writes."""

    def offer_sync(self, record: snapshot.SyncRecord, wanted: api.ModelSyncStatus) -> None:
        """Wish a ModelSync's status."""
        if wanted is record.status or wanted == record.status:
            return self._withdraw(record.uid)
        urgent = statusdiff.is_transition(record.status, wanted)
        self._offer(SYNCS, record.namespace, record.name, record.uid, wanted, urgent)

    def offer_queue(self, record: snapshot.QueueRecord, wanted: syncqueue.SyncQueueStatus) -> None:
        """Wish a SyncQueue's status."""
        if wanted is record.status or wanted == record.status:
            return self._withdraw(record.uid)
        self._offer(QUEUES, self._queue_namespace, record.name, record.uid, wanted, False)

    async def run(self) -> None:
        """Write for ever."""
        while True:
            self._changed.clear()
            slot, wait = self.next(self._clock())
            if slot is not None:
                self._start(slot)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    async def drain(self, seconds: float) -> None:
        """Finish the writes that are under way and send the transitions that wait, within some seconds."""
        end = self._clock() + seconds
        while self._clock() < end:
            slot, _ = self.next(self._clock(), urgent_only=True)
            if slot is not None:
                self._start(slot)
            elif not self._tasks:
                return
            else:
                await asyncio.wait(self._tasks, timeout=end - self._clock())

    def next(self, now: float, *, urgent_only: bool = False) -> tuple[Slot | None, float | None]:
        """The slot to write now, or None and the seconds until there may be one (None: not known)."""
        if len(self._tasks) >= _IN_FLIGHT:
            return None, None
        waits = [
            (self._wait(slot, now), not slot.urgent, slot.sent, slot.uid)
            for slot in self._slots.values()
            if slot.wanted is not None and not slot.busy and (slot.urgent or not urgent_only)
        ]
        if not waits:
            return None, None
        wait, _, _, uid = min(waits)
        return (self._slots[uid], 0.0) if wait <= 0 else (None, wait)

    def _wait(self, slot: Slot, now: float) -> float:
        due = slot.not_before
        if not slot.urgent:
            due = max(due, slot.sent + budget.spacing(self.active, self._rate * self._pace(now)))
        return max(due - now, self._bucket.wait(now, urgent=slot.urgent), 0.0)

    def _pace(self, now: float) -> float:
        """Progress goes at half the rate for a minute after the server asked for patience."""
        return 0.5 if now < self._calm_at else 1.0

    def _offer(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        uid: str,
        wanted: api.ModelSyncStatus | syncqueue.SyncQueueStatus,
        urgent: bool,
    ) -> None:
        slot = self._slots.get(uid)
        if slot is None:
            slot = self._slots[uid] = Slot(resource=resource, namespace=namespace, name=name, uid=uid)
        slot.wanted, slot.urgent = wanted, urgent
        self._changed.set()

    def _withdraw(self, uid: str) -> None:
        slot = self._slots.get(uid)
        if slot is not None:
            slot.wanted = None

    def forget_missing(self) -> None:
        """Drop the slots of objects that are gone."""
        for uid in [uid for uid in self._slots if self._record(uid) is None]:
            if not self._slots[uid].busy:
                del self._slots[uid]

    def _record(self, uid: str) -> Any:
        return self._store.syncs.get(uid) or self._store.queues.get(uid)

    def _start(self, slot: Slot) -> None:
        wanted, slot.wanted = slot.wanted, None
        record = self._record(slot.uid)
        if record is None or wanted is None or not self._may_write():
            return
        patch = statusdiff.merge_patch(record.status.dump(), wanted.dump())
        if not patch:
            return self._count("skipped")
        body: kube.Object = {"status": patch}
        if slot.urgent:
            body["metadata"] = {"resourceVersion": record.resource_version}
        now = self._clock()
        self._bucket.take(now)
        slot.busy, slot.sent = True, now
        task = asyncio.create_task(self._write(slot, body, wanted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, slot: Slot, body: kube.Object, wanted: Any) -> None:
        try:
            stored = await self._api.patch(
                slot.resource, slot.namespace, slot.name, body, subresource="status"
            )
            self._store.observe(slot.resource, "MODIFIED", stored)
            slot.failures = 0
            self._count("written")
        except kube.ApiError as error:
            await self._failed(slot, error, wanted)
        finally:
            slot.busy = False
            self._changed.set()

    async def _failed(self, slot: Slot, error: kube.ApiError, wanted: Any) -> None:
        now = self._clock()
        if isinstance(error, kube.NotFound):
            self._count("gone")
        elif isinstance(error, kube.Conflict):
            self._count("conflict")
            await self._read_again(slot)
        elif error.is_passing:
            self._count("retried")
            slot.failures += 1
            chance = random.random()
            slot.not_before = now + _BACKOFF.wait(slot.failures, random=chance, asked=error.retry_after)
            if isinstance(error, kube.TooManyRequests):
                self._calm_at = now + 60
            if slot.wanted is None:
                slot.wanted = wanted
        else:
            self._count("refused")
            _log.error("the status of %s/%s was refused: %s", slot.namespace, slot.name, error)
            slot.not_before = now + _REFUSED_WAIT

    async def _read_again(self, slot: Slot) -> None:
        """Learn what the object is now; the next plan then makes a new wish."""
        with contextlib.suppress(kube.ApiError):
            found = await self._api.get(slot.resource, slot.namespace, slot.name)
            self._store.observe(slot.resource, "MODIFIED", found)
