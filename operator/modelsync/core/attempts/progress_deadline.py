"""A worker that says nothing new: the operator's backstop behind the worker's own watchdog.

The worker ends itself without progress (`worker.attempt.watchdog`), unless it cannot: a process that is
stopped, or whose threads wait in the kernel for a dead file server. So an attempt whose figures stay the same
for the deadline and a margin is ended from here. What the operator did not see does not count: time in which
it was away, was not leading or was itself frozen says nothing of a worker (`runtime.workers.stall_timer`
counts what it saw).

A worker that was never heard of is left alone. It may be well behind a NetworkPolicy that keeps the operator
from asking, and its own watchdog works without us.
"""

from datetime import timedelta

from modelsync.api.reasons import Reason
from modelsync.core.attempts import retries
from modelsync.core.cluster import lost_nodes
from modelsync.core.cluster.sync_view import View

MARGIN = timedelta(seconds=60)
"""The worker's own end comes first: its grace, its termination report, the kubelet's report of them."""


def failure(view: View) -> retries.Failure | None:
    """The failure of a running attempt that showed no progress for too long."""
    job = view.active_job
    pod = view.pod_of(job) if job is not None else None
    if pod is None or pod.phase != "Running" or pod.deleting or pod.exit_code is not None:
        return None
    silence = view.silences.get(pod.uid)
    if silence is not None and not silence.answers and lost_nodes.is_unreachable(pod):
        return None  # the node is to blame, and `lost_nodes` says when it is given up
    deadline = timedelta(seconds=view.sync.spec.progress_deadline_seconds)
    if silence is None or timedelta(seconds=silence.seconds) < deadline + MARGIN:
        return None
    what = "has shown no progress" if silence.answers else "has not answered the operator"
    message = (
        f"the worker (Pod {pod.name} on node {pod.node}) {what} for more than"
        f" {deadline.total_seconds():g} seconds (spec.progressDeadlineSeconds) and did not end by itself;"
        " look at the volume and the node"
    )
    return retries.failure(Reason.PROGRESS_DEADLINE_EXCEEDED, message, view.now)
