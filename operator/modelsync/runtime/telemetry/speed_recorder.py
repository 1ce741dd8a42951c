"""Speeds of the past, sampled from the store while this process acts.

They are in memory alone: a day of 5,000 ModelSyncs is some 14 MiB, and as objects of the API server it would
be a write a minute for each. So a restart, or another replica that acts, begins another record and says so.
What is sampled is what everybody reads in the status, by the same rule (`reading.rows`).
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

from modelsync.api.reasons import Phase, Stage
from modelsync.core.cluster import snapshot
from modelsync.reading.history import Keeper
from modelsync.reading.rows import OLD_FIGURES_SECONDS
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
    """Bytes per second, only while bytes come and somebody hears of them."""
    progress = sync.status.progress
    if sync.status.phase != Phase.DOWNLOADING or progress is None:
        return None
    observed = progress.observed_time
    is_old = observed is not None and (now - observed).total_seconds() > OLD_FIGURES_SECONDS
    return None if is_old or progress.stage not in (None, Stage.DOWNLOADING) else progress.bytes_per_second
