"""All that belongs to one ModelSync, gathered before anything is decided about it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from modelsync.core.cluster import lost_nodes, unschedulable, worker_exit
from modelsync.core.cluster.snapshot import (
    JobRecord,
    JobState,
    PodRecord,
    Problem,
    Sample,
    Settings,
    Silence,
    Snapshot,
    SyncRecord,
)

UNHEARD = timedelta(seconds=5)
"""How long a Job that has ended waits for its Pod's termination report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A ModelSync with its Jobs, Pods and reports."""

    sync: SyncRecord
    jobs: tuple[JobRecord, ...]
    """Those that were seen, in the order of their attempts."""
    pods: tuple[PodRecord, ...]
    samples: Mapping[str, Sample]
    silences: Mapping[str, Silence]
    problems: Mapping[str, Problem]
    now: datetime
    settings: Settings
    creating: bool = False
    """The next attempt's Job may exist: nothing is derived from it but that its slot is taken."""
    gives_way: bool = False
    """Somebody waits for its slot, and it is not the one that may wait for room on a node without."""
    farewell: PodRecord | None = None
    """The last state of a Pod of this sync that is gone."""

    @property
    def attempts(self) -> int:
        """How many attempts were started, by the status and by the Jobs that are there."""
        return max(self.sync.status.attempts or 0, self.jobs[-1].attempt if self.jobs else 0)

    @property
    def last_job(self) -> JobRecord | None:
        """The Job of the last attempt, if it is there, with the end that its worker had (`worker_exit`)."""
        job = self.jobs[-1] if self.jobs and self.jobs[-1].attempt == self.attempts else None
        return job if job is None else worker_exit.settled(job, self.pod_of(job), self.now)

    @property
    def active_job(self) -> JobRecord | None:
        """The last attempt's Job while it runs."""
        job = self.last_job
        return job if job is not None and job.state is JobState.ACTIVE and not job.deleting else None

    @property
    def ended_unheard(self) -> bool:
        """Whether the last Job has just ended and its Pod's end is not known yet.

        Jobs and Pods are watched apart: a Job's end may be seen before the words that explain it. They
        are worth a moment; more than that, and what is known has to do.
        """
        job = self.last_job
        if job is None or job.finished is None or job.failure_reason == "DeadlineExceeded":
            return False
        pod = self.pod_of(job)
        unheard = pod is None or (pod.phase in lost_nodes.LIVE and pod.exit_code is None)
        return unheard and abs(self.now - job.finished) < UNHEARD

    @property
    def counted(self) -> bool:
        """Whether the stored status holds the result of the last attempt."""
        return self.sync.status.has_result_of(self.attempts)

    @property
    def rejection(self) -> Problem | None:
        """Why the next attempt's Job could not be created, while one is wanted."""
        wanted = not (self.sync.spec.suspend or self.sync.spec.cancel)
        return self.problems.get(self.sync.uid) if wanted else None

    @property
    def changed(self) -> bool:
        """Whether the spec changed since the stored status was made."""
        observed = self.sync.status.observed_generation
        return observed is not None and observed < self.sync.generation

    @property
    def occupied(self) -> bool:
        """Whether a worker of this sync runs or may still run: a new attempt has to wait for it."""
        return any(job.state is JobState.ACTIVE for job in self.jobs) or any(
            pod.phase in lost_nodes.LIVE for pod in self.pods
        )

    @property
    def lost_pod(self) -> PodRecord | None:
        """A Pod on a node that does not confirm its end."""
        return next(
            (
                pod
                for pod in self.pods
                if lost_nodes.is_lost(pod, self.samples.get(pod.uid), self.settings, self.now)
            ),
            None,
        )

    @property
    def termination_report(self) -> PodRecord | None:
        """The Pod of the last attempt with its termination report, also when it is gone already."""
        known = self.pods if self.farewell is None else (*self.pods, self.farewell)
        own = [pod for pod in known if pod.attempt == self.attempts and pod.termination is not None]
        return max(own, key=lambda pod: pod.created, default=None)

    @property
    def worker(self) -> PodRecord | None:
        """The Pod of the last attempt whose worker runs, whether or not its Job is still there."""
        own = [
            pod
            for pod in self.pods
            if pod.attempt == self.attempts and pod.running_since is not None and pod.exit_code is None
        ]
        return max(
            (pod for pod in own if pod.phase in lost_nodes.LIVE), key=lambda pod: pod.created, default=None
        )

    def pod_of(self, job: JobRecord) -> PodRecord | None:
        """The newest Pod of a Job, a live one before an ended one."""
        own = [pod for pod in self.pods if pod.job_uid == job.uid]
        return max(
            own,
            key=lambda pod: (pod.phase in lost_nodes.LIVE and not pod.deleting, pod.created),
            default=None,
        )

    def sample_of(self, pod: PodRecord | None) -> Sample | None:
        """The last report of a Pod."""
        return None if pod is None else self.samples.get(pod.uid)

    def problem(self, *uids: str | None) -> Problem | None:
        """What the API server said about the first of these objects that has a problem."""
        return next((self.problems[uid] for uid in uids if uid is not None and uid in self.problems), None)


def occupied(snapshot: Snapshot) -> frozenset[str]:
    """Uids of the ModelSyncs that hold a slot, by the Jobs and Pods that are there and nothing else."""
    lost = {pod.uid for pod in snapshot.pods if _is_lost(snapshot, pod)}
    jobs = {job.sync_uid for job in snapshot.jobs if job.state is JobState.ACTIVE}
    pods = {pod.sync_uid for pod in snapshot.pods if pod.phase in lost_nodes.LIVE and pod.uid not in lost}
    return frozenset((jobs | pods) & snapshot.syncs.keys())


def orphans(snapshot: Snapshot) -> dict[str, frozenset[str]]:
    """Jobs by `namespace/name`, by queue, whose worker runs or may still run though its ModelSync is gone."""
    found: dict[str, set[str]] = defaultdict(set)
    names = {job.uid: job.name for job in snapshot.jobs}
    for job in snapshot.jobs:
        if job.sync_uid not in snapshot.syncs and job.queue and job.state is JobState.ACTIVE:
            found[job.queue].add(f"{job.namespace}/{job.name}")
    for pod in snapshot.pods:
        if pod.sync_uid in snapshot.syncs or not pod.queue or pod.phase not in lost_nodes.LIVE:
            continue
        if not _is_lost(snapshot, pod):
            found[pod.queue].add(f"{pod.namespace}/{names.get(pod.job_uid, pod.name)}")
    return {queue: frozenset(jobs) for queue, jobs in found.items()}


def on_lost_nodes(snapshot: Snapshot) -> frozenset[str]:
    """Uids of the ModelSyncs whose worker may write without a slot: their target is taken."""
    lost = {pod.sync_uid for pod in snapshot.pods if _is_lost(snapshot, pod)}
    return frozenset(lost & snapshot.syncs.keys())


def _is_lost(snapshot: Snapshot, pod: PodRecord) -> bool:
    return lost_nodes.is_lost(pod, snapshot.samples.get(pod.uid), snapshot.settings, snapshot.now)


class Gatherer:
    """Makes the view of each ModelSync of a snapshot; Jobs and Pods of others are nobody's business here."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._jobs: dict[str, list[JobRecord]] = defaultdict(list)
        self._pods: dict[str, list[PodRecord]] = defaultdict(list)
        self.parked, self._contended = unschedulable.parked(snapshot), unschedulable.contended(snapshot)
        self._creating = {job.sync_uid for job in snapshot.jobs if job.assumed}
        for job in snapshot.jobs:
            if not job.assumed:
                self._jobs[job.sync_uid].append(job)
        for pod in snapshot.pods:
            self._pods[pod.sync_uid].append(pod)
        self._farewells = snapshot.farewells
        self._busy = self._jobs.keys() | self._pods.keys() | self._creating | snapshot.problems.keys()
        self._busy |= snapshot.farewells.keys()

    def is_idle(self, uid: str) -> bool:
        """Whether there is nothing to know about a ModelSync but itself."""
        return uid not in self._busy

    def view(self, sync: SyncRecord) -> View:
        """All that belongs to a ModelSync."""
        idle = sync.uid not in self._busy
        return View(
            sync=sync,
            jobs=() if idle else tuple(sorted(self._jobs[sync.uid], key=lambda job: job.attempt)),
            pods=() if idle else tuple(self._pods[sync.uid]),
            samples=_NOTHING if idle else self._snapshot.samples,
            silences=_NOTHING if idle else self._snapshot.silences,
            problems=_NOTHING if idle else self._snapshot.problems,
            now=self._snapshot.now,
            settings=self._snapshot.settings,
            creating=sync.uid in self._creating,
            gives_way=sync.spec.queue in self._contended and sync.uid not in self.parked,
            farewell=self._farewells.get(sync.uid),
        )


_NOTHING: Mapping[str, Any] = {}
