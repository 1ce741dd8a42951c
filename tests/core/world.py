"""A small cluster to plan against: the parts of the Job controller, the kubelet and the user that matter.

Whatever a plan wants may be lost on its way, in any combination, as when an operator dies at any step; what
must always hold is checked at each step.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from modelsync.api import naming
from modelsync.api.modelsync_status import ModelSyncStatus
from modelsync.api.reasons import Phase, Reason
from modelsync.core import actions, plan_cache, planner
from modelsync.core.cluster import snapshot, unschedulable
from modelsync.core.queueing import admission
from tests.builders import NOW, SyncBuilder, a_progress, a_queue, ago, termination_report
from tests.core import faults

Chooser = Callable[[str], bool]
"""Whether what is named happens."""

COMPARED = 5
"""Each fifth plan is made without anything remembered, too."""


class World:
    """The objects of a cluster, and time."""

    def __init__(self, *syncs: SyncBuilder, max_active: int) -> None:
        self.now = NOW
        self.max_active = max_active
        self.syncs = {sync.build().uid: sync.build() for sync in syncs}
        self.jobs: dict[str, snapshot.JobRecord] = {}
        self.pods: dict[str, snapshot.PodRecord] = {}
        self.queue = a_queue(max_active=max_active)
        self.settings = snapshot.Settings()
        self.made: set[tuple[str, int]] = set()
        self.sidecars: set[str] = set()
        """Uids of syncs whose Pods get a container that runs on when the worker has ended."""
        self.began: dict[tuple[str, int | None], datetime] = {}
        """When an attempt's Job was made."""
        self.dark: set[str] = set()
        """Uids of Pods on nodes that report nothing: what was last known of them stays."""
        self.broken: dict[str, str] = {}
        """What keeps the worker of a ModelSync (by uid) from its end; see `faults`."""
        self.problems: dict[str, snapshot.StartProblem] = {}
        self.remembered = plan_cache.Recall()
        self.plans = 0
        self.by_hand = False
        """Somebody deletes Jobs: then one attempt may get a second Job."""

    @property
    def picture(self) -> snapshot.Snapshot:
        """What the operator sees."""
        return snapshot.Snapshot(
            now=self.now,
            syncs=self.syncs,
            jobs=tuple(self.jobs.values()),
            pods=tuple(self.pods.values()),
            queues={"default": self.queue},
            problems=self.problems,
            settings=self.settings,
        )

    def plan(self, happens: Chooser = lambda what: True) -> actions.Plan:
        """Plan once and carry out what happens to get through."""
        before = self.picture
        plan = planner.plan(before, self.remembered)
        self.plans += 1
        if self.plans % COMPARED == 0:
            assert _timeless(plan) == _timeless(planner.plan(before)), "what is remembered decides nothing"
        for uid, status in plan.statuses.items():
            if status is not self.syncs[uid].status and happens("status"):
                self._store(uid, status)
        for deletion in plan.deletions:
            if happens("deletion"):
                self.delete(deletion.job.uid)
        for creation in plan.creations:
            self._check_creation(before, creation)
            if happens("creation"):
                self._create(creation)
        for name, queue_status in plan.queue_statuses.items():
            assert name == "default"
            self.queue = replace(self.queue, status=queue_status)
        self.check()
        return plan

    def _store(self, uid: str, status: ModelSyncStatus) -> None:
        old = self.syncs[uid].status
        assert (status.attempts or 0) >= (old.attempts or 0), "attempts are never forgotten"
        if old.last_failure is not None and status.last_failure is not None:
            assert (status.last_failure.attempt or 0) >= (old.last_failure.attempt or 0)
        asked = self.syncs[uid].retry_requested not in (None, old.last_handled_retry)
        if old.phase is Phase.COMPLETE and not asked:
            assert status.phase is Phase.COMPLETE, "a result is never taken back"
        if old.artifacts:
            assert status.artifacts, "what was published is never forgotten"
            assert status.resolved == old.resolved, "a check stays on the revision"
        self.syncs[uid] = replace(self.syncs[uid], status=ModelSyncStatus.model_validate(status.dump()))

    def _check_creation(self, before: snapshot.Snapshot, creation: actions.CreateJob) -> None:
        uid, attempt = creation.sync.uid, creation.attempt
        known = before.syncs[uid].status.last_failure
        for job in before.jobs:
            if job.sync_uid == uid and job.state is snapshot.JobState.FAILED and job.attempt == attempt - 1:
                assert known is not None, "a failure is stored before the next attempt starts"
                assert known.attempt == job.attempt

    def _create(self, creation: actions.CreateJob) -> None:
        uid, attempt = creation.sync.uid, creation.attempt
        assert self.by_hand or (uid, attempt) not in self.made, "one Job for each attempt"
        self.made.add((uid, attempt))
        self.began[uid, attempt] = self.now
        name = naming.job_name(creation.sync.name, uid, attempt)
        self.jobs[f"{name}@{self.now.isoformat()}"] = snapshot.JobRecord(
            namespace=creation.sync.namespace,
            name=name,
            uid=f"{name}@{self.now.isoformat()}",
            resource_version="1",
            sync_uid=uid,
            attempt=attempt,
            state=snapshot.JobState.ACTIVE,
            created=self.now,
        )

    def check(self) -> None:
        """What must hold at every instant."""
        holders = [self.syncs[uid] for uid in self._holders() if uid in self.syncs]
        parked = unschedulable.parked(self.picture)
        assert len(parked) <= 1
        assert sum(1 for sync in holders if sync.uid not in parked) <= self.max_active, "limits hold"
        for uid in self.syncs:
            active = [
                j for j in self.jobs.values() if j.sync_uid == uid and j.state is snapshot.JobState.ACTIVE
            ]
            assert len(active) <= 1, "never two unfinished Jobs of one sync"
            alive = [p for p in self.pods.values() if p.sync_uid == uid and p.phase in ("Pending", "Running")]
            assert self.by_hand or len(alive) <= 1, "never two workers of one sync"
        writers = [self.syncs[uid] for uid in self._holders(lost=True) if uid in self.syncs]
        for index, one in enumerate(writers):
            for other in writers[index + 1 :]:
                (claim, path), (other_claim, other_path) = one.spec.target_dir, other.spec.target_dir
                assert claim != other_claim or not admission.overlap(path, other_path), "one writer a target"

    def _holders(self, *, lost: bool = False) -> set[str]:
        """Uids of syncs with a slot; with `lost` also of those whose worker may run on a lost node."""
        jobs = {j.sync_uid for j in self.jobs.values() if j.state is snapshot.JobState.ACTIVE}
        alive = (p for p in self.pods.values() if p.phase in ("Pending", "Running"))
        return jobs | {p.sync_uid for p in alive if lost or not self._is_given_up(p)}

    def _is_given_up(self, pod: snapshot.PodRecord) -> bool:
        """A Pod on a lost node, which nobody can stop: its slot is another's."""
        return pod.deletion_due is not None and self.now >= pod.deletion_due + timedelta(seconds=30)

    def delete(self, job_uid: str) -> None:
        """Delete a Job; its Pod goes on for a while."""
        self.jobs.pop(job_uid, None)
        for pod in list(self.pods.values()):
            if pod.job_uid == job_uid:
                self._terminate(pod)

    def _terminate(self, pod: snapshot.PodRecord) -> None:
        due = pod.deletion_due or self.now + timedelta(seconds=30)
        self.pods[pod.uid] = replace(self.pods[pod.uid], deleting=True, deletion_due=due)

    def act(self, uid: str, **fields: bool) -> None:
        """A user changes a spec."""
        sync = self.syncs[uid]
        self.syncs[uid] = replace(sync, spec=sync.spec.replace(**fields), generation=sync.generation + 1)

    def ask(self, uid: str) -> None:
        """A user asks for another attempt."""
        self.syncs[uid] = replace(self.syncs[uid], retry_requested=self.now.isoformat())

    def tick(self, seconds: float, ends: Callable[[], int | None] = lambda: 0) -> None:
        """Time passes: Pods come, run, end with the code that `ends` gives (None: run on), and go."""
        self.now += timedelta(seconds=seconds)
        for pod in list(self.pods.values()):
            self._advance(pod, ends)
        owned = {pod.job_uid for pod in self.pods.values()}
        for job in self.jobs.values():
            if job.state is snapshot.JobState.ACTIVE and job.uid not in owned:
                if self.broken.get(job.sync_uid) == "quota":
                    self.problems[job.uid] = faults.refused()
                else:
                    self.pods[f"pod-{job.uid}"] = self._pod(job, self.now)
        self.problems = {uid: p for uid, p in self.problems.items() if uid in self.jobs or uid in self.pods}

    def _advance(self, pod: snapshot.PodRecord, ends: Callable[[], int | None]) -> None:
        fault = self.broken.get(pod.sync_uid, "")
        if pod.uid in self.dark:
            self._darken(pod)
        elif pod.deleting or (pod.phase in ("Succeeded", "Failed") and pod.job_uid not in self.jobs):
            del self.pods[pod.uid]
        elif pod.phase == "Pending" and fault in faults.CANNOT_START:
            self.pods[pod.uid] = replace(pod, **faults.CANNOT_START[fault])
            if fault == "secret":
                self.problems[pod.uid] = faults.not_mounted()
        elif pod.phase == "Pending" and (pod.unschedulable or pod.waiting_reason):
            self.pods[pod.uid] = replace(pod, unschedulable="", waiting_reason="")
            self.problems.pop(pod.uid, None)
        elif pod.phase == "Running" and fault in faults.ENDS_BADLY:
            self.pods[pod.uid] = replace(pod, **faults.ENDS_BADLY[fault](pod, self.now))
            if fault == "evicted":
                job = self.jobs[pod.job_uid]
                self.jobs[job.uid] = replace(job, state=snapshot.JobState.FAILED, finished=self.now)
        elif pod.phase == "Pending":
            self.pods[pod.uid] = replace(pod, phase="Running", running_since=self.now, node="n")
        elif pod.phase == "Running":
            self.pods[pod.uid] = pod = replace(pod, unreachable_since=None)
            code = ends() if pod.exit_code is None else None
            if code is not None:
                self._end(pod, code)

    def _darken(self, pod: snapshot.PodRecord) -> None:
        """What the node's controllers do: Ready turns false, and after five minutes the Pod is to go."""
        since = pod.unreachable_since or self.now
        self.pods[pod.uid] = replace(pod, unreachable_since=since if pod.phase == "Running" else None)
        if self.now - since >= timedelta(minutes=5):
            self._terminate(pod)

    def _end(self, pod: snapshot.PodRecord, code: int) -> None:
        words = termination_report(
            Reason.SYNCED if code == 0 else Reason.NETWORK_ERROR, progress=a_progress(10, 10)
        )
        job = self.jobs[pod.job_uid]
        beside = pod.sync_uid in self.sidecars
        self.pods[pod.uid] = replace(
            pod,
            phase="Running" if beside else "Succeeded" if code == 0 else "Failed",
            exit_code=code,
            finished=self.now,
            termination=words.replace(uid=pod.sync_uid, attempt=pod.attempt),
        )
        if beside:
            return
        state = snapshot.JobState.COMPLETE if code == 0 else snapshot.JobState.FAILED
        self.jobs[job.uid] = replace(job, state=state, finished=self.now)

    @staticmethod
    def _pod(job: snapshot.JobRecord, now: datetime) -> snapshot.PodRecord:
        return snapshot.PodRecord(
            namespace=job.namespace,
            name=f"{job.name}-x",
            uid=f"pod-{job.uid}",
            resource_version="1",
            job_uid=job.uid,
            sync_uid=job.sync_uid,
            attempt=job.attempt,
            created=now,
        )


def old_enough(sync: SyncBuilder, age: float) -> SyncBuilder:
    """A sync of an age in seconds."""
    return sync.created(ago(age))


def _timeless(plan: actions.Plan) -> actions.Plan:
    """A plan without the times of what happened: of a status that could not be stored, what is remembered
    still has the time at which it was first decided."""
    statuses = {uid: _status_without_times(each) for uid, each in plan.statuses.items()}
    queues = {
        name: each.replace(oldest_wait_since=each.oldest_wait_since and NOW)
        for name, each in plan.queue_statuses.items()
    }
    return replace(plan, statuses=statuses, queue_statuses=queues, wake_at=plan.wake_at and NOW)


def _status_without_times(status: ModelSyncStatus) -> ModelSyncStatus:
    failure, place = status.last_failure, status.queue
    return status.replace(
        queue=place and place.replace(since=place.since and NOW),
        conditions=tuple(each.replace(last_transition_time=NOW) for each in status.conditions),
        last_failure=failure and failure.replace(time=NOW),
        next_retry_time=status.next_retry_time and NOW,
    )
