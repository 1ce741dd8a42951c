"""Which Jobs and Pods are believed: those that the operator made, in the namespace of their ModelSync.

Labels, names and owners are written by anyone who may create Jobs or Pods, in any namespace. A Job is
believed as the last attempt when the status, which only the operator writes, holds its uid; until it does,
and for all that has no status any more, when it proves that an operator made it. A Pod is believed as its Job
is. All others decide nothing, hold no slot and are left alone: they belong to somebody else. Those that name
a ModelSync of their own namespace are reported on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from modelsync.api import naming
from modelsync.core.cluster.snapshot import JobRecord, JobState, PodRecord, Snapshot, SyncRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A Job or Pod that names a ModelSync of its namespace and was not made for it."""

    sync: SyncRecord
    kind: str
    name: str


def separate_foreign(snapshot: Snapshot) -> tuple[Snapshot, tuple[Foreign, ...]]:
    """The snapshot with what is believed alone, and what was left out of it, one object for a ModelSync."""
    syncs, jobs = snapshot.syncs, {job.uid: job for job in snapshot.jobs}
    believed = tuple(job for job in snapshot.jobs if is_ours(job, syncs.get(job.sync_uid)))
    pods = tuple(pod for pod in snapshot.pods if works_for(pod, syncs.get(pod.sync_uid), jobs))
    if len(believed) == len(snapshot.jobs) and len(pods) == len(snapshot.pods):
        return snapshot, ()
    kept = {job.uid for job in believed} | {pod.uid for pod in pods}
    left: dict[str, Foreign] = {}
    for kind, record in _named((*snapshot.jobs, *snapshot.pods)):
        sync = syncs.get(record.sync_uid)
        if record.uid not in kept and sync is not None and sync.namespace == record.namespace:
            left.setdefault(sync.uid, Foreign(sync=sync, kind=kind, name=record.name))
    return replace(snapshot, jobs=believed, pods=pods), tuple(left.values())


def is_ours(job: JobRecord, sync: SyncRecord | None) -> bool:
    """Whether a Job is believed; `sync` is the ModelSync that it names, None for one that is gone."""
    if sync is None or job.assumed:
        return not job.unproven
    if job.namespace != sync.namespace:
        return False
    attempts = sync.status.attempts or 0
    if job.attempt == attempts and sync.status.job is not None:
        return job.uid == sync.status.job.uid
    named = attempts > 0 and job.name == naming.job_name(sync.name, sync.uid, job.attempt)
    if job.attempt == attempts:
        # An operator before this field stored none; its Job has the one possible name.
        return named
    # One that has ended and was counted decides nothing any more, but has to be cleared away.
    over = job.attempt < attempts and job.state is not JobState.ACTIVE
    return not job.unproven or (named and over)


def works_for(pod: PodRecord, sync: SyncRecord | None, jobs: Mapping[str, JobRecord]) -> bool:
    """Whether a Pod is believed; `jobs` are all that are known, by uid."""
    job = jobs.get(pod.job_uid)
    if job is not None:
        same = (pod.namespace, pod.sync_uid, pod.attempt) == (job.namespace, job.sync_uid, job.attempt)
        return same and is_ours(job, sync)
    if sync is None:
        return not pod.unproven
    if pod.namespace != sync.namespace:
        return False
    # Its Job is gone, or its label was taken off.
    attempts = sync.status.attempts or 0
    if attempts and pod.attempt == attempts:
        # An operator before this field stored none. The garbage collector takes a Pod whose owner never was.
        return sync.status.job is None or pod.job_uid == sync.status.job.uid
    return not pod.unproven


def _named(records: tuple[JobRecord | PodRecord, ...]) -> list[tuple[str, JobRecord | PodRecord]]:
    ordered = sorted(records, key=lambda record: (record.created, record.uid))
    return [("Job" if isinstance(record, JobRecord) else "Pod", record) for record in ordered]
