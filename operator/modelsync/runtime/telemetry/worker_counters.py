"""Byte and result counters, kept by the operator for its short-lived workers.

Each Pod's own counters (in its progress reports and its termination report) are turned into deltas by Pod
uid, so that a Pod that lives for a second is counted in full, and no byte twice. Received bytes are added up
by ModelSync, as in its status: what a killed worker received is reported by the next one. What happened
before this process began to lead was counted by another one: a Pod from before starts from what the stored
status says. Results are counted when a plan makes the transition, once for each attempt. What is gone for an
hour is forgotten, and its series with it.
"""

import time
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prometheus_client import Counter

from modelsync.api import conditions, protocol
from modelsync.api import modelsync_status as api
from modelsync.api.reasons import ConditionType, Phase, QueueReason, Reason
from modelsync.core.cluster import snapshot
from modelsync.core.status import progress as totals
from modelsync.runtime.cluster import cache
from modelsync.runtime.telemetry import metrics

_DEVICES = 32
_GRACE = 3600.0
"""Seconds for which the series of a namespace or node stay after its last object is gone."""


@dataclass(slots=True)
class PodAccount:
    """What of one Pod's counters has been added, and under which labels."""

    namespace: str
    source: str
    place: metrics.Place
    sync_uid: str
    before: int = 0
    """Bytes that the sync had received before this Pod."""
    retries: int = 0
    rate_limit_wait: float = 0.0
    devices: dict[str, tuple[int, int]] = field(default_factory=dict)
    from_before: bool = False
    """The devices' counters began before we did; the first report is their base."""
    closed: bool = False


class Accounting:
    """Adds up what workers report."""

    def __init__(
        self,
        into: metrics.Metrics,
        known: cache.Store,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._metrics = into
        self._store = known
        self._monotonic = monotonic
        self._clock = clock
        self._began: datetime | None = None
        self._pods: dict[str, PodAccount] = {}
        self._received: dict[str, int] = {}
        """Bytes that were received and are counted, here or by another process, by ModelSync uid."""
        self._outcomes: dict[str, tuple[object, ...]] = {}
        self._stalled: set[str] = set()
        self._devices: dict[str, dict[str, tuple[Counter, Counter]]] = {}
        """By node and device: what was received and sent."""
        self._places: dict[tuple[str, str], metrics.Place] = {}
        self._met: dict[str, snapshot.SyncRecord] = {}
        """Records whose counters exist, by uid: ten thousand idle ones are looked up once."""
        self._namespaces, self._nodes = Departures(), Departures()

    def begin(self, now: datetime | None = None) -> None:
        """This process leads from now on: what others counted before is not counted again.

        That is what is stored now, not when a worker's account is opened: that may be late, as a Pod is not
        believed before its Job is known, and by then the status may have what this process did not count.
        """
        self._began = now or self._clock()
        for sync in self._store.syncs.values():
            self._received.setdefault(sync.uid, totals.stored_network(sync.status.progress))
        for pod in self._store.pods.values():
            self.on_pod(pod)

    def on_sample(self, pod: snapshot.PodRecord, report: protocol.ProgressReport) -> None:
        """A worker has reported progress."""
        account = self._account(pod)
        if account is not None and not account.closed:
            self._add(
                account,
                pod.node,
                report.progress,
                report.retries,
                report.rate_limit_wait_seconds,
                report.devices,
            )

    def on_pod(self, pod: snapshot.PodRecord) -> None:
        """A Pod has changed; its termination report closes its account."""
        words = pod.termination
        account = self._account(pod) if words is not None else None
        if words is None or account is None or account.closed:
            return
        self._add(
            account,
            pod.node,
            words.progress,
            words.retries,
            words.rate_limit_wait_seconds,
            words.devices,
        )
        account.closed = True
        if words.verification_seconds and not account.from_before:
            self._metrics.verification.labels(account.source).observe(words.verification_seconds)

    def on_admitted(self, sync: snapshot.SyncRecord, now: datetime) -> None:
        """A ModelSync got its slot."""
        queue = sync.status.queue
        if queue is not None and queue.reason is QueueReason.BACK_OFF:
            return  # it waited for its own next attempt, not for a slot
        since = (queue.since if queue else None) or sync.created
        self._metrics.queue_wait.labels(sync.namespace).observe(max(0.0, (now - since).total_seconds()))

    def on_plan(self, sync: snapshot.SyncRecord, wanted: api.ModelSyncStatus) -> None:
        """A plan moves a ModelSync's status from what is stored to what is wanted."""
        if self._met.get(sync.uid) is not sync:
            self._met[sync.uid] = sync
            self._place(sync)
        if wanted is sync.status:
            return
        source = str(sync.spec.source.kind)
        outcome = _outcome(sync.status, wanted)
        if outcome is not None and self._outcomes.get(sync.uid) != outcome:
            self._outcomes[sync.uid] = outcome
            self._count_outcome(sync, source, wanted, str(outcome[0]))
        self._count_stall(sync, source, wanted)

    def forget_missing(self) -> None:
        """Drop the accounts of objects that are gone."""
        for uid in self._pods.keys() - self._store.pods.keys():
            del self._pods[uid]
        for uid in self._outcomes.keys() - self._store.syncs.keys():
            del self._outcomes[uid]
        for uid in self._met.keys() - self._store.syncs.keys():
            del self._met[uid]
        for uid in self._received.keys() - self._store.syncs.keys():
            del self._received[uid]
        self._stalled &= self._store.syncs.keys()
        self._forget_departed()

    def _forget_departed(self) -> None:
        now = self._monotonic()
        present = {sync.namespace for sync in self._store.syncs.values()}
        present |= {account.namespace for account in self._pods.values()}
        for namespace in self._namespaces.over({known for known, _ in self._places}, present, now):
            for key in [key for key in self._places if key[0] == namespace]:
                del self._places[key]
            self._metrics.forget("namespace", namespace)
        nodes = {pod.node for pod in self._store.pods.values()}
        for node in self._nodes.over(self._devices, nodes, now):
            del self._devices[node]
            self._metrics.forget("node", node)

    def _place(self, sync: snapshot.SyncRecord) -> metrics.Place:
        """The counters of a ModelSync's namespace and source."""
        key = (sync.namespace, str(sync.spec.source.kind))
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = self._metrics.at(*key)
        return found

    def _count_outcome(
        self, sync: snapshot.SyncRecord, source: str, wanted: api.ModelSyncStatus, result: str
    ) -> None:
        self._place(sync).downloads[result].inc()
        if result == "failed" and wanted.last_failure is not None:
            self._metrics.failures.labels(sync.namespace, source, wanted.last_failure.reason).inc()
        for pod in self._store.pods.values():
            mine = (pod.sync_uid, pod.attempt) == (sync.uid, wanted.attempts)
            if mine and pod.running_since and self._store.works_for(pod) is sync:
                seconds = ((pod.finished or self._clock()) - pod.running_since).total_seconds()
                self._metrics.duration.labels(source, result).observe(max(0.0, seconds))

    def _count_stall(self, sync: snapshot.SyncRecord, source: str, wanted: api.ModelSyncStatus) -> None:
        if not _is_stalled(wanted):
            self._stalled.discard(sync.uid)
        elif sync.uid not in self._stalled:
            self._stalled.add(sync.uid)
            if not _is_stalled(sync.status):
                self._place(sync).stalls.inc()

    def _account(self, pod: snapshot.PodRecord) -> PodAccount | None:
        """The Pod's account, opened at first sight; None while we do not lead or know its ModelSync."""
        known = self._pods.get(pod.uid)
        if known is not None or self._began is None:
            return known
        sync = self._store.works_for(pod)
        if sync is None:
            return None
        account = PodAccount(
            namespace=sync.namespace,
            source=str(sync.spec.source.kind),
            place=self._place(sync),
            sync_uid=sync.uid,
            before=self._received.setdefault(sync.uid, totals.stored_network(sync.status.progress)),
        )
        if pod.created < self._began:
            account.from_before = True
            account.before -= min(account.before, _reported(sync.status, pod))
            account.closed = pod.termination is not None and _is_settled(sync.status, pod.attempt)
        self._pods[pod.uid] = account
        return account

    def _add(
        self,
        account: PodAccount,
        node: str,
        progress: protocol.Progress,
        retries: int,
        rate_limit_wait: float,
        devices: tuple[protocol.DeviceCounters, ...],
    ) -> None:
        received = totals.network_of(progress, account.before)
        counted = self._received.setdefault(account.sync_uid, account.before)
        account.place.downloaded_bytes.inc(max(0, received - counted))
        self._received[account.sync_uid] = max(counted, received)
        account.place.retries.inc(max(0, retries - account.retries))
        waited = max(0.0, rate_limit_wait - account.rate_limit_wait)
        self._metrics.rate_limit_wait.labels(account.source).inc(waited)
        account.retries = max(account.retries, retries)
        account.rate_limit_wait = max(account.rate_limit_wait, rate_limit_wait)
        for device in devices:
            self._add_device(account, node, device)

    def _add_device(self, account: PodAccount, node: str, device: protocol.DeviceCounters) -> None:
        now = (device.receive_bytes, device.transmit_bytes)
        base = account.devices.get(device.device, now if account.from_before else (0, 0))
        account.devices[device.device] = (max(base[0], now[0]), max(base[1], now[1]))
        names = self._devices.setdefault(node, {})
        # A Pod chooses its devices' names: their number is bounded, or it would choose the number of series.
        name = device.device if device.device in names or len(names) < _DEVICES else "other"
        if name not in names:
            received, sent = self._metrics.network_receive, self._metrics.network_transmit
            names[name] = (received.labels(node, name), sent.labels(node, name))
        for counter, value, before in zip(names[name], now, base, strict=True):
            counter.inc(max(0, value - before))


class Departures:
    """Which names are gone for long."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def over(self, known: Iterable[str], present: Set[str], now: float) -> list[str]:
        """Of the known names, those that were absent for the whole grace."""
        absent = set(known) - present
        for name in self._since.keys() - absent:
            del self._since[name]
        for name in absent:
            self._since.setdefault(name, now)
        over = [name for name, since in self._since.items() if now - since >= _GRACE]
        for name in over:
            del self._since[name]
        return over


def _outcome(old: api.ModelSyncStatus, new: api.ModelSyncStatus) -> tuple[object, ...] | None:
    """What ends with this transition: the result and what makes it one of its kind."""
    if new.phase is Phase.COMPLETE and old.phase is not Phase.COMPLETE:
        # Not its time: that of the worker's end becomes that of its Job before either is stored.
        return ("succeeded", new.attempts)
    failed, before = new.last_failure, old.last_failure
    if failed is not None and (
        before is None or (before.attempt, before.time) != (failed.attempt, failed.time)
    ):
        return ("failed", failed.attempt)
    if new.phase is Phase.CANCELLED and old.phase is not Phase.CANCELLED:
        return ("cancelled", new.attempts, new.observed_generation)
    return None


def _is_stalled(status: api.ModelSyncStatus) -> bool:
    found = conditions.find(status.conditions, ConditionType.PROGRESSING)
    return found is not None and found.reason == Reason.DOWNLOAD_STALLED


def _reported(status: api.ModelSyncStatus, pod: snapshot.PodRecord) -> int:
    """Bytes of this Pod that the stored status has, so that they were counted already."""
    worker, known = status.worker, status.progress
    if known is None or status.attempts != pod.attempt:
        return 0
    before = worker.bytes_network_before if worker is not None and worker.pod_name == pod.name else None
    return max(0, (known.bytes_network or 0) - (before or 0))


def _is_settled(status: api.ModelSyncStatus, attempt: int) -> bool:
    """Whether the stored status holds the result of this attempt."""
    return (status.attempts or 0) > attempt or status.has_result_of(attempt)
