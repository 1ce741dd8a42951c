"""How an attempt's Job stands, by its conditions and by the worker container's own end.

A Job ends when all containers of its Pod have. What else is in the Pod is not ours to say: a mesh adds a
container that runs on forever, or one that fails after the worker has done its work. So a worker that ended
with 0 is done whatever the Job says, and a worker that failed has failed although the Job waits. Two ends are
left to the Job, which knows more: a Pod that is being deleted (for the Job's deadline, say) or disrupted.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from modelsync.core.cluster.snapshot import JobRecord, JobState, PodRecord

LINGER = timedelta(seconds=10)
"""How long a Job may take to see its worker's end. Then something else runs in the Pod; till then the Job is
about to end, and stays for its log."""


def settled(job: JobRecord, pod: PodRecord | None, now: datetime) -> JobRecord:
    """The Job as it is, or with the end that its worker had."""
    state = _state(job, pod)
    if pod is None or state is job.state or (job.state is JobState.ACTIVE and lingers(pod, now)):
        return job
    return replace(job, state=state, finished=job.finished or pod.finished)


def lingers(pod: PodRecord, now: datetime) -> bool:
    """Whether a worker has only just ended. A node's clock that is far off is not believed."""
    return pod.finished is not None and abs(now - pod.finished) < LINGER


def _state(job: JobRecord, pod: PodRecord | None) -> JobState:
    if pod is None or pod.exit_code is None:
        return job.state
    if pod.exit_code == 0:
        return JobState.COMPLETE
    ends_otherwise = job.state is not JobState.ACTIVE or pod.deleting or pod.disruption
    return job.state if ends_otherwise else JobState.FAILED
