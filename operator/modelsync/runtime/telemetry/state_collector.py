"""Metrics of present state, read from the store at scrape time.

A series exists while its object is in that state and not longer: nothing has to be removed, and a deleted
ModelSync cannot leave a stale gauge behind. Per-ModelSync series exist for active ones only.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from modelsync.api import protocol
from modelsync.api.reasons import ACTIVE_PHASES, Phase
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache

_OBJECT = ("namespace", "name")


class StateCollector(Collector):
    """Collects the state of ModelSyncs, queues and volumes."""

    def __init__(
        self, known: cache.Store, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = known
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Nothing: the families are fixed, and to collect them needs a store that is filled."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All families of present state."""
        syncs = list(self._store.syncs.values())
        yield self._phases(syncs)
        yield from self._queues(syncs)
        active = [sync for sync in syncs if sync.status.phase in ACTIVE_PHASES]
        yield from _progress(active, self._last_bytes(), self._clock())
        yield from self._volumes()

    def _phases(self, syncs: list[snapshot.SyncRecord]) -> Metric:
        family = _family("syncs", "ModelSyncs by phase.", "namespace", "phase")
        counts = Counter((sync.namespace, sync.status.phase or Phase.QUEUED) for sync in syncs)
        for namespace in sorted({sync.namespace for sync in syncs}):
            for phase in Phase:
                family.add_metric((namespace, phase), counts[namespace, phase])
        return family

    def _queues(self, syncs: list[snapshot.SyncRecord]) -> Iterator[Metric]:
        now = self._clock()
        oldest: dict[str, float] = {sync.namespace: 0.0 for sync in syncs}
        length: dict[str, int] = defaultdict(int, {queue.name: 0 for queue in self._store.queues.values()})
        for sync in syncs:
            waiting = sync.status.queue
            if waiting is not None:
                length[waiting.name] += 1
                since = waiting.since or sync.created
                oldest[sync.namespace] = max(oldest[sync.namespace], (now - since).total_seconds())
        waits = _family("queue_oldest_wait_seconds", "Wait of the longest waiting ModelSync.", "namespace")
        for namespace, seconds in sorted(oldest.items()):
            waits.add_metric((namespace,), seconds)
        lengths = _family("queue_length", "ModelSyncs that wait, by queue.", "queue")
        for name, count in sorted(length.items()):
            lengths.add_metric((name,), count)
        slots = _family("download_slots", "Slots of a queue (its maxActive).", "queue")
        for queue in self._store.queues.values():
            slots.add_metric((queue.name,), queue.spec.max_active)
        yield from (waits, lengths, slots)

    def _volumes(self) -> Iterator[Metric]:
        labels = ("namespace", "persistentvolumeclaim")
        capacity = _family("volume_capacity_bytes", "Size of a target's file system.", *labels)
        available = _family("volume_available_bytes", "Free space of a target's file system.", *labels)
        for (namespace, claim), space in sorted(self._spaces().items()):
            capacity.add_metric((namespace, claim), space.capacity_bytes)
            available.add_metric((namespace, claim), space.available_bytes)
        yield from (capacity, available)

    def _last_bytes(self) -> dict[str, float]:
        """When the last byte came, as a Unix time, by ModelSync uid."""
        found: dict[str, float] = {}
        for uid, sample in self._store.samples.items():
            pod = self._store.pods.get(uid)
            if pod is not None:
                last = sample.received.timestamp() - sample.report.idle_seconds
                found[pod.sync_uid] = max(last, found.get(pod.sync_uid, 0.0))
        return found

    def _spaces(self) -> dict[tuple[str, str], protocol.VolumeSpace]:
        found: dict[tuple[str, str], protocol.VolumeSpace] = {}
        for uid, sample in self._store.samples.items():
            pod = self._store.pods.get(uid)
            sync = self._store.works_for(pod) if pod else None
            if sync is not None and sample.report.volume is not None:
                claim = sync.spec.target.persistent_volume_claim.claim_name
                found[sync.namespace, claim] = sample.report.volume
        return found


def _progress(
    syncs: list[snapshot.SyncRecord], last_bytes: Mapping[str, float], now: datetime
) -> Iterator[Metric]:
    """Series of active ModelSyncs; what is unknown has none."""
    info = _family("sync_info", "An active ModelSync; always 1.", *_OBJECT, "source", "target")
    expected = _family("sync_expected_bytes", "Size of all files.", *_OBJECT)
    done = _family("sync_downloaded_bytes", "Bytes of them on the volume.", *_OBJECT)
    speed = _family("sync_speed_bytes_per_second", "Speed of the download.", *_OBJECT)
    eta = _family("sync_eta_seconds", "Time until the download ends.", *_OBJECT)
    start = _family("sync_start_timestamp_seconds", "When the first attempt started.", *_OBJECT)
    last = _family(
        "sync_last_progress_timestamp_seconds",
        "When the last byte came; the start before the first.",
        *_OBJECT,
    )
    attempts = _family("sync_attempts", "Attempts started.", *_OBJECT)
    for sync in syncs:
        key = (sync.namespace, sync.name)
        progress, status = sync.status.progress, sync.status
        claim = sync.spec.target.persistent_volume_claim.claim_name
        info.add_metric((*key, sync.spec.source.kind, claim), 1)
        end = progress.estimated_completion_time if progress else None
        for family, value in (
            (expected, progress.bytes_total if progress else None),
            (done, progress.bytes_done if progress else 0),
            (speed, progress.bytes_per_second if progress else None),
            (eta, max(0.0, (end - now).total_seconds()) if end else None),
            (start, status.start_time.timestamp() if status.start_time else None),
            (
                last,
                last_bytes.get(sync.uid) or (status.start_time.timestamp() if status.start_time else None),
            ),
            (attempts, status.attempts),
        ):
            if value is not None:
                family.add_metric(key, value)
    yield from (info, expected, done, speed, eta, start, last, attempts)


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"modelsync_{name}", text, labels=labels)
