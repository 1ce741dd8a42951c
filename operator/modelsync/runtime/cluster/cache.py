"""What the operator knows of the cluster: slim records, the newest version of each object.

Three sources feed it (watches, lists, answers to our own writes) in any order, so one rule decides: for a uid
the higher resourceVersion wins, and a uid that was deleted never comes back. Versions are compared as
integers, which Kubernetes promises since 1.35 (KEP-5504) and etcd always kept.

An etcd that was restored breaks the rule: versions go back and deleted objects return. But what is read from
the API server (a list or a get without a version is answered by etcd's present state) is true of all that was
known before the reading began, whatever the versions say. So a reader takes a `mark` first; what the store
heard after the mark is compared by version, and what it knew before gives way.

What was asked of the API server without an answer so far is kept as an *assumption*: a Job that may exist
counts as existing until it is seen or known not to be, one that is being deleted as deleted.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from modelsync.core.cluster import ownership, snapshot
from modelsync.runtime.cluster import parsing
from modelsync.runtime.cluster.job_signatures import Proofs
from modelsync.runtime.cluster.resources import JOBS, PODS, QUEUES, SYNCS, Resource

_log = logging.getLogger(__name__)

Record = snapshot.SyncRecord | snapshot.JobRecord | snapshot.PodRecord | snapshot.QueueRecord
R = TypeVar("R", snapshot.SyncRecord, snapshot.PodRecord)
PodListener = Callable[[snapshot.PodRecord], None]
SyncListener = Callable[[snapshot.SyncRecord], None]
_KINDS = (SYNCS, QUEUES, JOBS, PODS)
_TOMBSTONES = 20_000
_KEEP_LAST_POD = timedelta(seconds=60)
"""How long the termination report of a Pod that is gone is kept for the planner: it may look a moment
later."""


@dataclass(slots=True)
class Table:
    """All records of one resource, by uid."""

    records: dict[str, Any] = field(default_factory=dict)
    namespaces: dict[str, str] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    """The number of the news that brought each record, or its end."""
    gone: dict[str, None] = field(default_factory=dict)
    """Uids that were deleted: a list that began before must not bring them back."""

    def put(self, record: Any, namespace: str, number: int, mark: int | None) -> bool:
        """Take a record if it is news; returns whether it was."""
        uid = record.uid
        known = self.records.get(uid)
        outdated = mark is not None and self.heard.get(uid, 0) <= mark
        if uid in self.gone and not outdated:
            return False
        if known is not None and version(known) >= version(record) and not (outdated and known != record):
            return False
        self.gone.pop(uid, None)
        self.records[uid], self.namespaces[uid], self.heard[uid] = record, namespace, number
        return True

    def drop(self, uid: str, number: int) -> bool:
        """Forget an object; returns whether it was known."""
        self.gone[uid], self.heard[uid] = None, number
        while len(self.gone) > _TOMBSTONES:
            oldest = next(iter(self.gone))
            del self.gone[oldest], self.heard[oldest]
        self.namespaces.pop(uid, None)
        return self.records.pop(uid, None) is not None

    def goes_back(self, record: Any) -> bool:
        """Whether a record from a reading is of an earlier version, or of an object that was deleted."""
        known = self.records.get(record.uid)
        return record.uid in self.gone or (known is not None and version(record) < version(known))


class Store:
    """The newest known record of every object, with what is assumed and what went wrong."""

    def __init__(
        self,
        wake: Callable[[], None] = lambda: None,
        on_rewind: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        proofs: Proofs | None = None,
    ) -> None:
        self._tables = {resource: Table() for resource in _KINDS}
        self.proofs = proofs or Proofs()
        """Which Jobs an operator made."""
        self._wake = wake
        self._on_rewind = on_rewind
        self._clock = clock
        self._number = 0
        self._listeners: list[PodListener] = []
        self._on_gone: list[SyncListener] = []
        self._assumed: dict[tuple[str, str], snapshot.JobRecord] = {}
        self._samples: dict[str, snapshot.Sample] = {}
        self._silences: dict[str, snapshot.Silence] = {}
        self._problems: dict[str, snapshot.StartProblem] = {}
        self._troubles: dict[tuple[str, str], snapshot.StartProblem] = {}
        self._deleting: set[str] = set()
        """Uids of Jobs whose deletion was asked for."""
        self._last_pods: dict[str, tuple[datetime, snapshot.PodRecord]] = {}

    @property
    def syncs(self) -> Mapping[str, snapshot.SyncRecord]:
        """ModelSyncs by uid."""
        return self._tables[SYNCS].records

    @property
    def jobs(self) -> Mapping[str, snapshot.JobRecord]:
        """Seen Jobs by uid."""
        return self._tables[JOBS].records

    @property
    def pods(self) -> Mapping[str, snapshot.PodRecord]:
        """Pods by uid."""
        return self._tables[PODS].records

    @property
    def queues(self) -> Mapping[str, snapshot.QueueRecord]:
        """SyncQueues by uid."""
        return self._tables[QUEUES].records

    @property
    def samples(self) -> Mapping[str, snapshot.Sample]:
        """Last sample by Pod uid."""
        return self._samples

    @property
    def silences(self) -> Mapping[str, snapshot.Silence]:
        """Silence by Pod uid, of workers without progress."""
        return self._silences

    @property
    def problems(self) -> Mapping[str, snapshot.StartProblem]:
        """Known problems by uid."""
        return self._problems

    @property
    def troubles(self) -> Mapping[tuple[str, str], snapshot.StartProblem]:
        """What creations got instead of an answer, by namespace and queue."""
        return self._troubles

    @property
    def assumed(self) -> tuple[snapshot.JobRecord, ...]:
        """Jobs that may exist but were not seen."""
        return tuple(self._assumed.values())

    def on_pod(self, listener: PodListener) -> None:
        """Call the listener with every new version of a Pod, the last one before it goes included."""
        self._listeners.append(listener)

    def on_sync_gone(self, listener: SyncListener) -> None:
        """Call the listener with the last known state of every ModelSync that is gone."""
        self._on_gone.append(listener)

    def mark(self) -> int:
        """What a reading of the API server takes before it begins, and hands to `observe` and `sweep`."""
        return self._number

    def observe(
        self, resource: Resource, event: str | None, raw: parsing.Object, *, mark: int | None = None
    ) -> bool:
        """Take an object from a watch, a list or an answer; returns whether it was news.

        An event of None, ADDED or MODIFIED brings the object, DELETED its last state. With a mark it was read
        since then, and replaces what was known at that time. Raises nothing, whatever stands in the object:
        that would end a list or a watch of all objects.
        """
        try:
            return self._observe(resource, event, self._parse(resource, raw), mark)
        except parsing.NotOurs:
            return False
        except Exception:
            _log.exception(
                "a %s cannot be read and is left out; all others are read; please report this", resource.kind
            )
            return False

    def _observe(self, resource: Resource, event: str | None, record: Record, mark: int | None) -> bool:
        table = self._tables[resource]
        before = table.records.get(record.uid)
        goes_back = mark is not None and table.goes_back(record)
        changed = table.put(record, getattr(record, "namespace", ""), self._next(), mark)
        if changed and goes_back:
            self._on_rewind()
        if changed and isinstance(record, snapshot.SyncRecord) and _asks_again(before, record):
            self._problems.pop(record.uid, None)
        if isinstance(record, snapshot.PodRecord) and (changed or event == "DELETED"):
            _call(self._listeners, record)
        if event == "DELETED":
            changed = self._forget(resource, record.uid)
        elif isinstance(record, snapshot.JobRecord) and not record.unproven:
            self._assumed.pop((record.namespace, record.name), None)
        if changed:
            self._wake()
        return changed

    def _parse(self, resource: Resource, raw: parsing.Object) -> Record:
        if resource is SYNCS:
            return parsing.sync_record(raw)
        if resource is QUEUES:
            return parsing.queue_record(raw)
        meta = raw.get("metadata")
        uid = str(meta.get("uid")) if isinstance(meta, dict) else ""
        if resource is JOBS:
            return parsing.job_record(raw, self.proofs, self.jobs.get(uid))
        return parsing.pod_record(raw, self.proofs, self.pods.get(uid))

    def works_for(self, pod: snapshot.PodRecord) -> snapshot.SyncRecord | None:
        """The ModelSync that a Pod works for; None if it is not believed or its ModelSync is gone."""
        sync = self.syncs.get(pod.sync_uid)
        return sync if ownership.works_for(pod, sync, self.jobs) else None

    def believes(self, job: snapshot.JobRecord) -> bool:
        """Whether a Job is believed (`core.cluster.ownership`)."""
        return ownership.is_ours(job, self.syncs.get(job.sync_uid))

    def sweep(
        self, resource: Resource, namespace: str | None, listed: set[str], at: int, *, mark: int
    ) -> int:
        """Forget what a complete list at version `at` does not hold; returns how many.

        An object that was heard of after the mark and is newer than the list was made after it and stays.
        """
        table = self._tables[resource]
        lost = [
            uid
            for uid, record in table.records.items()
            if uid not in listed
            and (namespace is None or table.namespaces[uid] in (namespace, ""))
            and (version(record) <= at or table.heard[uid] <= mark)
        ]
        for uid in lost:
            self._forget(resource, uid)
        if lost:
            self._wake()
        return len(lost)

    def expect_deletion(self, uid: str) -> None:
        """A Job's deletion is under way, until it is gone or `deletion_failed`."""
        self._deleting.add(uid)

    def deletion_failed(self, uid: str) -> None:
        """A Job was not deleted after all."""
        self._deleting.discard(uid)
        self._wake()

    def forget_job(self, uid: str) -> None:
        """A Job is known to be gone."""
        if self._forget(JOBS, uid):
            self._wake()

    def assume(self, sync: snapshot.SyncRecord, name: str, attempt: int) -> None:
        """A Job is asked for: from now on it may exist."""
        self._assumed[sync.namespace, name] = snapshot.JobRecord(
            namespace=sync.namespace,
            name=name,
            uid=f"assumed-{sync.uid}-{attempt}",
            resource_version="0",
            sync_uid=sync.uid,
            attempt=attempt,
            state=snapshot.JobState.ACTIVE,
            created=self._clock(),
            assumed=True,
        )

    def is_assumed(self, namespace: str, name: str) -> bool:
        """Whether a Job may exist and was not seen."""
        return (namespace, name) in self._assumed

    def forget_assumed(self, namespace: str, name: str) -> None:
        """An assumed Job is known not to exist."""
        if self._assumed.pop((namespace, name), None) is not None:
            self._wake()

    def sample(self, pod_uid: str, sample: snapshot.Sample) -> None:
        """A worker has reported."""
        if pod_uid in self.pods:
            self._samples[pod_uid] = sample
            self._wake()

    def silence(self, pod_uid: str, silence: snapshot.Silence | None) -> None:
        """A worker was seen without progress, or with it."""
        if silence is not None and pod_uid in self.pods:
            self._silences[pod_uid] = silence
            self._wake()
        else:
            self._silences.pop(pod_uid, None)

    def set_problem(self, uid: str, problem: snapshot.StartProblem) -> None:
        """Something went wrong with an object."""
        if self._problems.get(uid) != problem:
            self._problems[uid] = problem
            self._wake()

    def clear_problem(self, uid: str) -> None:
        """What went wrong with an object is over."""
        if self._problems.pop(uid, None) is not None:
            self._wake()

    def set_group_problem(self, group: tuple[str, str], problem: snapshot.StartProblem) -> None:
        """A creation in a namespace and queue got no answer or a server's error."""
        self._troubles[group] = problem
        self._wake()

    def clear_group_problem(self, group: tuple[str, str]) -> None:
        """A creation in a namespace and queue was answered."""
        if self._troubles.pop(group, None) is not None:
            self._wake()

    def _recent_last_pods(self) -> dict[str, snapshot.PodRecord]:
        limit = self._clock() - _KEEP_LAST_POD
        old = [uid for uid, (seen, _) in self._last_pods.items() if seen < limit or uid not in self.syncs]
        for uid in old:
            del self._last_pods[uid]
        return {uid: pod for uid, (_, pod) in self._last_pods.items()}

    def _remember(self, pod: snapshot.PodRecord | None) -> None:
        if pod is None or pod.termination is None or self.works_for(pod) is None:
            return
        known = self._last_pods.get(pod.sync_uid)
        if known is None or known[1].attempt <= pod.attempt:
            self._last_pods[pod.sync_uid] = (self._clock(), pod)

    def snapshot(self, now: datetime, settings: snapshot.Settings) -> snapshot.Snapshot:
        """The planner's picture of this instant."""
        return snapshot.Snapshot(
            now=now,
            syncs=dict(self.syncs),
            jobs=(*(_as_asked(job, self._deleting) for job in self.jobs.values()), *self._assumed.values()),
            pods=tuple(self.pods.values()),
            queues={queue.name: queue for queue in self.queues.values()},
            samples=dict(self._samples),
            silences=dict(self._silences),
            problems=dict(self._problems),
            troubles=dict(self._troubles),
            last_pods=self._recent_last_pods(),
            settings=settings,
        )

    def _forget(self, resource: Resource, uid: str) -> bool:
        if resource is PODS:
            self._remember(self.pods.get(uid))
        self._problems.pop(uid, None)
        self._samples.pop(uid, None)
        self._deleting.discard(uid)
        self._silences.pop(uid, None)
        if resource is SYNCS:
            gone = self.syncs.get(uid)
            if gone is not None:
                _call(self._on_gone, gone)
            for key in [key for key, job in self._assumed.items() if job.sync_uid == uid]:
                del self._assumed[key]
        return self._tables[resource].drop(uid, self._next())

    def _next(self) -> int:
        self._number += 1
        return self._number


def _call(listeners: Iterable[Callable[[R], None]], record: R) -> None:
    """Hand a record on; what one listener makes of it ends neither the others nor what brought it."""
    for listener in listeners:
        try:
            listener(record)
        except Exception:
            _log.exception("the metrics miss a change of an object; please report this")


def _as_asked(job: snapshot.JobRecord, deleting: set[str]) -> snapshot.JobRecord:
    return replace(job, deleting=True) if job.uid in deleting and not job.deleting else job


def _asks_again(before: snapshot.SyncRecord | None, after: snapshot.SyncRecord) -> bool:
    """Whether a user did something that makes it worth while to try at once what was refused."""
    if before is None:
        return False
    return (before.generation, before.retry_requested) != (after.generation, after.retry_requested)


def version(record: Any) -> int:
    """A record's resourceVersion as a number; one that is not a number loses against any other."""
    text: str = record.resource_version
    return int(text) if text.isdecimal() and len(text) < 20 else -1
