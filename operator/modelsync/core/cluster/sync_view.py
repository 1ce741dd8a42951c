"""All that belongs to one ModelSync, gathered before anything is decided about it.

Every check asks for the same few facts (its Job, its Pod, what keeps a worker from starting), so each is
found once for a view, when it is first asked for. A view never changes: `replace` makes another one.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from modelsync.core.cluster import lost_nodes, start_blockers, unschedulable, worker_exit
from modelsync.core.cluster.snapshot import (
    JobRecord,
    JobState,
    PodRecord,
    Sample,
    Settings,
    Silence,
    Snapshot,
    StartProblem,
    SyncRecord,
)

UNHEARD = timedelta(seconds=5)
"""How long a Job that has ended waits for its Pod's termination report."""


@dataclass(frozen=True, kw_only=True)
class View:
    """A ModelSync with its Jobs, Pods and reports."""

    sync: SyncRecord
    jobs: tuple[JobRecord, ...]
    """Those that were seen, in the order of their attempts."""
    pods: tuple[PodRecord, ...]
    samples: Mapping[str, Sample]
    silences: Mapping[str, Silence]
    problems: Mapping[str, StartProblem]
    now: datetime
    settings: Settings
    creating: bool = False
    """The next attempt's Job may exist: nothing is derived from it but that its slot is taken."""
    gives_way: bool = False
    """Somebody waits for its slot, and it is not the one that may wait for room on a node without."""
    last_pod: PodRecord | None = None
    """The last state of a Pod of this sync that is gone."""
    lost_pods: frozenset[str] = frozenset()
    """Uids of the Pods, of all ModelSyncs, on nodes that do not confirm their end."""

    @cached_property
    def attempts(self) -> int:
        """How many attempts were started, by the status and by the Jobs that are there."""
        return max(self.sync.status.attempts or 0, self.jobs[-1].attempt if self.jobs else 0)

    @cached_property
    def last_job(self) -> JobRecord | None:
        """The Job of the last attempt, if it is there, with the end that its worker had (`worker_exit`)."""
        job = self.jobs[-1] if self.jobs and self.jobs[-1].attempt == self.attempts else None
        return job if job is None else worker_exit.settled(job, self.pod_of(job), self.now)

    @cached_property
    def active_job(self) -> JobRecord | None:
        """The last attempt's Job while it runs."""
        job = self.last_job
        return job if job is not None and job.state is JobState.ACTIVE and not job.deleting else None

    @cached_property
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
    def rejection(self) -> StartProblem | None:
        """Why the next attempt's Job could not be created, while one is wanted."""
        wanted = not (self.sync.spec.suspend or self.sync.spec.cancel)
        return self.problems.get(self.sync.uid) if wanted else None

    @property
    def changed(self) -> bool:
        """Whether the spec changed since the stored status was made."""
        observed = self.sync.status.observed_generation
        return observed is not None and observed < self.sync.generation

    @cached_property
    def occupied(self) -> bool:
        """Whether a worker of this sync runs or may still run: a new attempt has to wait for it."""
        return any(job.state is JobState.ACTIVE for job in self.jobs) or any(
            pod.phase in lost_nodes.LIVE for pod in self.pods
        )

    @cached_property
    def lost_pod(self) -> PodRecord | None:
        """A Pod on a node that does not confirm its end."""
        return next((pod for pod in self.pods if pod.uid in self.lost_pods), None)

    @cached_property
    def is_starting(self) -> bool:
        """Whether the last attempt's Job waits for its worker to run."""
        job = self.active_job
        pod = self.pod_of(job) if job is not None else None
        return job is not None and (pod is None or start_blockers.is_waiting(pod))

    @cached_property
    def start_blocker(self) -> start_blockers.StartBlocker | None:
        """Why the last attempt has not started; None when it has, or is merely on its way."""
        job = self.active_job
        if job is None or not self.is_starting:
            return None
        pod = self.pod_of(job)
        problem = self.problem(pod.uid if pod is not None else None, job.uid)
        return start_blockers.find(self.sync, pod, problem)

    @cached_property
    def start_given_up_at(self) -> datetime | None:
        """When a start that is blocked as now is given up and frees its slot; None where none is blocked."""
        job, why = self.active_job, self.start_blocker
        if job is None or why is None:
            return None
        pod = self.pod_of(job)
        if why.at_once or (self.gives_way and pod is not None and unschedulable.lacks_room(pod)):
            return (pod.created if pod is not None else job.created) + start_blockers.SETTLES
        return job.created + self.settings.start_deadline

    @cached_property
    def is_stale(self) -> bool:
        """Whether a changed spec makes it worth while to replace a worker that cannot start.

        The stored status keeps its old observedGeneration until that Job is gone: an operator that dies
        between the two finds it again.
        """
        job = self.last_job
        waits = self.start_blocker is not None or (job is not None and job.deleting)
        return self.changed and waits and job is not None and job.state is JobState.ACTIVE

    @cached_property
    def termination_report(self) -> PodRecord | None:
        """The Pod of the last attempt with its termination report, also when it is gone already."""
        known = self.pods if self.last_pod is None else (*self.pods, self.last_pod)
        own = [pod for pod in known if pod.attempt == self.attempts and pod.termination is not None]
        return max(own, key=lambda pod: pod.created, default=None)

    @cached_property
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

    def problem(self, *uids: str | None) -> StartProblem | None:
        """What the API server said about the first of these objects that has a problem."""
        return next((self.problems[uid] for uid in uids if uid is not None and uid in self.problems), None)


class Gatherer:
    """Makes the view of each ModelSync of a snapshot, and what the queue has to know of all of them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._jobs: dict[str, list[JobRecord]] = defaultdict(list)
        self._pods: dict[str, list[PodRecord]] = defaultdict(list)
        self.lost_pods = frozenset(pod.uid for pod in snapshot.pods if self._is_lost(pod))
        """Uids of the Pods on nodes that do not confirm their end."""
        self.parked, self._contended = unschedulable.parked(snapshot), unschedulable.contended(snapshot)
        self._creating = {job.sync_uid for job in snapshot.jobs if job.assumed}
        for job in snapshot.jobs:
            if not job.assumed:
                self._jobs[job.sync_uid].append(job)
        for pod in snapshot.pods:
            self._pods[pod.sync_uid].append(pod)
        self._last_pods = snapshot.last_pods
        self._busy = self._jobs.keys() | self._pods.keys() | self._creating | snapshot.problems.keys()
        self._busy |= snapshot.last_pods.keys()

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
            last_pod=self._last_pods.get(sync.uid),
            lost_pods=self.lost_pods,
        )

    def occupied(self) -> frozenset[str]:
        """Uids of the ModelSyncs that hold a slot, by the Jobs and Pods that are there and nothing else."""
        jobs = {job.sync_uid for job in self._snapshot.jobs if job.state is JobState.ACTIVE}
        pods = {pod.sync_uid for pod in self._snapshot.pods if self._holds_slot(pod)}
        return frozenset((jobs | pods) & self._snapshot.syncs.keys())

    def orphans(self) -> dict[str, frozenset[str]]:
        """Jobs by `namespace/name`, by queue, whose worker may still run though its ModelSync is gone."""
        syncs, found = self._snapshot.syncs, defaultdict[str, set[str]](set)
        names = {job.uid: job.name for job in self._snapshot.jobs}
        for job in self._snapshot.jobs:
            if job.sync_uid not in syncs and job.queue and job.state is JobState.ACTIVE:
                found[job.queue].add(f"{job.namespace}/{job.name}")
        for pod in self._snapshot.pods:
            if pod.sync_uid not in syncs and pod.queue and self._holds_slot(pod):
                found[pod.queue].add(f"{pod.namespace}/{names.get(pod.job_uid, pod.name)}")
        return {queue: frozenset(jobs) for queue, jobs in found.items()}

    def on_lost_nodes(self) -> frozenset[str]:
        """Uids of the ModelSyncs whose worker may write without a slot: their target is taken."""
        lost = {pod.sync_uid for pod in self._snapshot.pods if pod.uid in self.lost_pods}
        return frozenset(lost & self._snapshot.syncs.keys())

    def _holds_slot(self, pod: PodRecord) -> bool:
        return pod.phase in lost_nodes.LIVE and pod.uid not in self.lost_pods

    def _is_lost(self, pod: PodRecord) -> bool:
        seen = self._snapshot
        return lost_nodes.is_lost(pod, seen.samples.get(pod.uid), seen.settings, seen.now)


_NOTHING: Mapping[str, Any] = {}
