"""All that belongs to one ModelSync, gathered before anything is decided about it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from modelsync.core.snapshot import (
    JobRecord,
    JobState,
    PodRecord,
    Problem,
    Sample,
    Settings,
    Snapshot,
    SyncRecord,
)

_LIVE = frozenset({"Pending", "Running", "Unknown"})


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A ModelSync with its Jobs, Pods and reports."""

    sync: SyncRecord
    jobs: tuple[JobRecord, ...]
    """In the order of their attempts."""
    pods: tuple[PodRecord, ...]
    samples: dict[str, Sample]
    problems: dict[str, Problem]
    now: datetime
    settings: Settings

    @property
    def attempts(self) -> int:
        """How many attempts were started, by the status and by the Jobs that are there."""
        return max(self.sync.status.attempts or 0, self.jobs[-1].attempt if self.jobs else 0)

    @property
    def last_job(self) -> JobRecord | None:
        """The Job of the last attempt, if it is there."""
        return self.jobs[-1] if self.jobs and self.jobs[-1].attempt == self.attempts else None

    @property
    def active_job(self) -> JobRecord | None:
        """The last attempt's Job while it runs."""
        job = self.last_job
        return job if job is not None and job.state is JobState.ACTIVE and not job.deleting else None

    @property
    def occupied(self) -> bool:
        """Whether a worker of this sync runs or may still run: a new attempt has to wait for it."""
        return any(job.state is JobState.ACTIVE for job in self.jobs) or any(
            pod.phase in _LIVE for pod in self.pods
        )

    def pod_of(self, job: JobRecord) -> PodRecord | None:
        """The newest Pod of a Job, a live one before an ended one."""
        own = [pod for pod in self.pods if pod.job_uid == job.uid]
        return max(own, key=lambda pod: (pod.phase in _LIVE and not pod.deleting, pod.created), default=None)

    def sample_of(self, pod: PodRecord | None) -> Sample | None:
        """The last report of a Pod."""
        return None if pod is None else self.samples.get(pod.uid)

    def problem(self, *uids: str | None) -> Problem | None:
        """What the API server said about the first of these objects that has a problem."""
        return next((self.problems[uid] for uid in uids if uid is not None and uid in self.problems), None)


def gather(snapshot: Snapshot) -> Iterable[View]:
    """One view for each ModelSync; Jobs and Pods of others are nobody's business here."""
    jobs: dict[str, list[JobRecord]] = defaultdict(list)
    pods: dict[str, list[PodRecord]] = defaultdict(list)
    for job in snapshot.jobs:
        jobs[job.sync_uid].append(job)
    for pod in snapshot.pods:
        pods[pod.sync_uid].append(pod)
    samples, problems = dict(snapshot.samples), dict(snapshot.problems)
    for uid, sync in snapshot.syncs.items():
        yield View(
            sync=sync,
            jobs=tuple(sorted(jobs[uid], key=lambda job: job.attempt)) if uid in jobs else (),
            pods=tuple(pods[uid]) if uid in pods else (),
            samples=samples,
            problems=problems,
            now=snapshot.now,
            settings=snapshot.settings,
        )
