"""Builders: a test says what matters about an object and nothing else.

    a_sync("llama").in_queue("gpu").with_priority(5).build()

Builders are immutable (each step gives a new one) and start from one ordinary object each, at the fixed time
`NOW`. Uids follow from names, so that a failure's output can be read.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from modelsync.api import modelsync as api
from modelsync.api import naming, protocol, syncqueue
from modelsync.api.conditions import Condition
from modelsync.api.modelsync_status import LastFailure, ModelSyncStatus
from modelsync.api.reasons import Phase, Reason, Stage
from modelsync.api.source import sources
from modelsync.core.cluster import snapshot

NOW = datetime(2026, 3, 14, 12, 0, 0, tzinfo=UTC)
"""The present of all tests."""
MB = 1_000_000
SETTINGS = snapshot.Settings()
"""One object for all snapshots, as in an operator: the planner remembers by it."""


def ago(seconds: float) -> datetime:
    """A time before NOW."""
    return NOW - timedelta(seconds=seconds)


def a_source(repository: str = "org/model") -> sources.Source:
    """A repository of the Hub."""
    return sources.Source(hugging_face=sources.HuggingFaceSource(repository=repository))


def a_spec(**fields: Any) -> api.ModelSyncSpec:
    """An ordinary spec with some fields changed."""
    target = api.Target(persistent_volume_claim=api.ClaimTarget(claim_name="models", sub_path="model"))
    return api.ModelSyncSpec(**{"source": a_source(), "target": target, **fields})


@dataclass(frozen=True)
class SyncBuilder:
    """Makes a SyncRecord."""

    name: str
    spec: api.ModelSyncSpec
    record: dict[str, Any] = field(default_factory=dict)
    status: ModelSyncStatus = field(default_factory=ModelSyncStatus)

    def with_spec(self, **fields: Any) -> Self:
        """Fields of the spec, by their Python names."""
        return replace(self, spec=self.spec.replace(**fields))

    def with_record(self, **fields: Any) -> Self:
        """Fields of the record itself: generation, created, deleting, retry_requested, …"""
        return replace(self, record={**self.record, **fields})

    def with_status(self, status: ModelSyncStatus | None = None, **fields: Any) -> Self:
        """A whole status, or fields of it."""
        return replace(self, status=(status or self.status).replace(**fields))

    def in_queue(self, queue: str) -> Self:
        """Another queue than `default`."""
        return self.with_spec(queue=queue)

    def in_namespace(self, namespace: str) -> Self:
        """Another namespace than `team`."""
        return self.with_record(namespace=namespace)

    def with_priority(self, priority: int) -> Self:
        """Another priority than 0."""
        return self.with_spec(priority=priority)

    def on_claim(self, claim: str, sub_path: str = "") -> Self:
        """Another target."""
        target = api.ClaimTarget(claim_name=claim, sub_path=sub_path)
        return self.with_spec(target=api.Target(persistent_volume_claim=target))

    def from_source(self, source: sources.Source) -> Self:
        """Another source."""
        return self.with_spec(source=source)

    def created(self, when: datetime) -> Self:
        """Another time of creation than 100 s ago."""
        return self.with_record(created=when)

    def suspended(self) -> Self:
        """Paused by its user."""
        return self.with_spec(suspend=True)

    def cancelled(self) -> Self:
        """Cancelled by its user."""
        return self.with_spec(cancel=True)

    def build(self) -> snapshot.SyncRecord:
        """The record."""
        fields: dict[str, Any] = {
            "namespace": "team",
            "uid": uid_of(self.name),
            "generation": 1,
            "resource_version": "1",
            "created": ago(100),
            **self.record,
        }
        return snapshot.SyncRecord(name=self.name, spec=self.spec, status=self.status, **fields)


def uid_of(name: str) -> str:
    """The uid that a builder gives an object of a name."""
    return f"uid-{name}"


def a_sync(name: str = "llama") -> SyncBuilder:
    """A new ModelSync of the Hub's org/model to `models:<name>`, without a status."""
    return SyncBuilder(name=name, spec=a_spec()).on_claim("models", name)


@dataclass(frozen=True)
class JobBuilder:
    """Makes a JobRecord."""

    fields: dict[str, Any]

    def with_record(self, **fields: Any) -> Self:
        """Fields of the record."""
        return replace(self, fields={**self.fields, **fields})

    def complete(self, when: datetime = NOW) -> Self:
        """Finished well."""
        return self.with_record(state=snapshot.JobState.COMPLETE, finished=when)

    def failed(self, reason: str = "BackoffLimitExceeded", when: datetime = NOW) -> Self:
        """Finished badly."""
        return self.with_record(state=snapshot.JobState.FAILED, finished=when, failure_reason=reason)

    def deleting(self) -> Self:
        """On its way out."""
        return self.with_record(deleting=True)

    def assumed(self) -> Self:
        """Asked for and not seen."""
        return self.with_record(uid=f"assumed-{self.fields['sync_uid']}", assumed=True)

    def build(self) -> snapshot.JobRecord:
        """The record."""
        return snapshot.JobRecord(**self.fields)


def a_job(sync: str = "llama", attempt: int = 1) -> JobBuilder:
    """A sync's unfinished Job, made 10 s ago."""
    uid = uid_of(sync)
    return JobBuilder(
        {
            "namespace": "team",
            "name": naming.job_name(sync, uid, attempt),
            "uid": f"job-{sync}-{attempt}",
            "resource_version": "1",
            "sync_uid": uid,
            "attempt": attempt,
            "state": snapshot.JobState.ACTIVE,
            "created": ago(10),
        }
    )


@dataclass(frozen=True)
class PodBuilder:
    """Makes a PodRecord."""

    fields: dict[str, Any]

    def with_record(self, **fields: Any) -> Self:
        """Fields of the record."""
        return replace(self, fields={**self.fields, **fields})

    def running(self, since: datetime | None = None) -> Self:
        """The worker runs."""
        return self.with_record(phase="Running", ip="10.0.0.1", node="node-1", running_since=since or ago(8))

    def waiting(self, reason: str, message: str = "") -> Self:
        """The container waits to be started."""
        return self.with_record(node="node-1", waiting_reason=reason, waiting_message=message)

    def unschedulable(self, message: str) -> Self:
        """The scheduler found no node."""
        return self.with_record(unschedulable=message)

    def ended(
        self,
        exit_code: int,
        termination: protocol.TerminationReport | None = None,
        *,
        reason: str = "",
        when: datetime = NOW,
    ) -> Self:
        """The worker ended."""
        return self.running().with_record(
            phase="Succeeded" if exit_code == 0 else "Failed",
            exit_code=exit_code,
            terminated_reason=reason or ("Completed" if exit_code == 0 else "Error"),
            termination=termination,
            finished=when,
        )

    def build(self) -> snapshot.PodRecord:
        """The record."""
        return snapshot.PodRecord(**self.fields)


def a_pod(sync: str = "llama", attempt: int = 1) -> PodBuilder:
    """The Pod of a sync's attempt, pending since 9 s."""
    return PodBuilder(
        {
            "namespace": "team",
            "name": f"{naming.job_name(sync, uid_of(sync), attempt)}-abcde",
            "uid": f"pod-{sync}-{attempt}",
            "resource_version": "1",
            "job_uid": f"job-{sync}-{attempt}",
            "sync_uid": uid_of(sync),
            "attempt": attempt,
            "created": ago(9),
            "progress_key": "key",
        }
    )


def a_queue(name: str = "default", **spec: Any) -> snapshot.QueueRecord:
    """A SyncQueue without a status; fields of its spec by their Python names."""
    return snapshot.QueueRecord(
        name=name,
        uid=f"queue-{name}",
        generation=1,
        resource_version="1",
        spec=syncqueue.SyncQueueSpec(**spec),
        status=syncqueue.SyncQueueStatus(),
    )


def a_progress(done: int = 0, total: int | None = 100 * MB, **fields: Any) -> protocol.Progress:
    """Progress of an attempt that fetched all it has."""
    return protocol.Progress(**{"bytes_total": total, "bytes_done": done, "bytes_network": done, **fields})


def a_sample(
    progress: protocol.Progress | None = None,
    *,
    stage: Stage = Stage.DOWNLOADING,
    sync: str = "llama",
    attempt: int = 1,
    received: datetime = NOW,
    **fields: Any,
) -> snapshot.Sample:
    """A worker's progress report, received now."""
    report = protocol.ProgressReport(
        uid=uid_of(sync), attempt=attempt, stage=stage, progress=progress or a_progress(), **fields
    )
    return snapshot.Sample(report=report, received=received)


def termination_report(
    reason: Reason = Reason.SYNCED,
    message: str = "",
    *,
    sync: str = "llama",
    attempt: int = 1,
    progress: protocol.Progress | None = None,
    **fields: Any,
) -> protocol.TerminationReport:
    """A worker's termination report."""
    return protocol.TerminationReport(
        uid=uid_of(sync),
        attempt=attempt,
        reason=reason,
        message=message,
        progress=progress or a_progress(100 * MB),
        **fields,
    )


def a_failure(reason: Reason = Reason.NETWORK_ERROR, attempt: int = 1, **fields: Any) -> LastFailure:
    """A counted failure, 5 s ago."""
    return LastFailure(**{"reason": reason, "message": "it broke", "time": ago(5), **fields}, attempt=attempt)


def a_snapshot(
    *parts: SyncBuilder | JobBuilder | PodBuilder | snapshot.QueueRecord,
    now: datetime = NOW,
    samples: dict[str, snapshot.Sample] | None = None,
    problems: dict[str, snapshot.StartProblem] | None = None,
    troubles: dict[tuple[str, str], snapshot.StartProblem] | None = None,
    settings: snapshot.Settings | None = None,
) -> snapshot.Snapshot:
    """A cluster of these objects; with the queue `default` unless queues are given."""
    queues = [part for part in parts if isinstance(part, snapshot.QueueRecord)] or [a_queue()]
    syncs = [part.build() for part in parts if isinstance(part, SyncBuilder)]
    return snapshot.Snapshot(
        now=now,
        syncs={sync.uid: sync for sync in syncs},
        jobs=tuple(part.build() for part in parts if isinstance(part, JobBuilder)),
        pods=tuple(part.build() for part in parts if isinstance(part, PodBuilder)),
        queues={queue.name: queue for queue in queues},
        samples=samples or {},
        problems=problems or {},
        troubles=troubles or {},
        settings=settings or SETTINGS,
    )


def a_condition(status: str = "False", kind: str = "Ready", **fields: Any) -> Condition:
    """A condition that turned 60 s ago."""
    return Condition(
        **{
            "type": kind,
            "status": status,
            "reason": "Downloading",
            "last_transition_time": ago(60),
            **fields,
        }
    )


def phase_of(status: ModelSyncStatus) -> Phase:
    """The phase, which must be there."""
    assert status.phase is not None
    return status.phase
