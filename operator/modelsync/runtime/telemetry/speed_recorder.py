"""Speeds of the past, sampled from the store while this process acts.

They are in memory alone: a day of 5,000 ModelSyncs is some 14 MiB, and as objects of the API server it would
be a write a minute for each. So a restart, or another replica that acts, begins another record and says so.
What is sampled is what everybody reads in the status, by the same rule (`reading.transfer_speed`).
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

from modelsync.api import conditions
from modelsync.api.reasons import ConditionType
from modelsync.core.cluster import snapshot
from modelsync.reading import transfer_speed
from modelsync.reading.fields import seconds_since
from modelsync.reading.history import Keeper
from modelsync.reading.speed_record import Flow, SpeedRecord
from modelsync.runtime.cluster import cache


class SpeedRecorder:
    """Samples the store forever; `record` is None until this process acts."""

    def __init__(
        self, known: cache.Store, *, may_act: Callable[[], bool], clock: Callable[[], datetime]
    ) -> None:
        self._store = known
        self._may_act = may_act
        self._clock = clock
        self.record: SpeedRecord | None = None

    async def run(self) -> None:
        """Sample in each step of the record."""
        while True:
            self.sample()
            await asyncio.sleep(1.0)

    def sample(self) -> None:
        """Take in the present speeds; of a process that does not act, nothing is believed."""
        if not self._may_act():
            self.record = None
            return
        now = self._clock()
        if self.record is None:
            self.record = SpeedRecord(now, Keeper.OPERATOR)
        if self.record.is_due(now):
            self.record.sample(now, [flow(sync, now) for sync in self._store.syncs.values()])

    def now(self) -> datetime:
        """The time by which samples are taken."""
        return self._clock()


def flow(sync: snapshot.SyncRecord, now: datetime) -> Flow:
    """A ModelSync at this moment."""
    network = sync.status.progress.network if sync.status.progress is not None else None
    return Flow(
        namespace=sync.namespace,
        uid=sync.uid,
        queue=sync.spec.queue,
        bytes_per_second=_speed(sync, now),
        sent_per_second=None if network is None else network.transmit_bytes_per_second,
    )


def _speed(sync: snapshot.SyncRecord, now: datetime) -> float | None:
    """Bytes per second, while they are present ones."""
    status, progress = sync.status, sync.status.progress
    if progress is None or progress.bytes_per_second is None:
        return None
    ready = conditions.find(status.conditions, ConditionType.READY)
    reason, age = (None if ready is None else ready.reason), seconds_since(progress.observed_time, now)
    comes = transfer_speed.is_present(status.phase, reason, progress.stage, age)
    return progress.bytes_per_second if comes else None
