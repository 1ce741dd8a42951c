"""What is known of a worker whose node went away, from its Pod alone: the operator may not look at Nodes.

Kubernetes says it in two steps. About 50 s after a node's last report its Pods' condition Ready turns false
while ContainersReady stays true, since no kubelet is there to change it. Five minutes later (or what the Pod
tolerates, which may be forever) the Pod is to be deleted, and then waits for a kubelet that does not answer.

An attempt counts as lost once its Pod is overdue. That frees its slot; but no second worker starts, and its
target stays taken, until the Pod is gone: a node that is merely cut off runs its containers on, and two
writers would share a volume. Only a person can know that a machine is off.
"""

from datetime import datetime, timedelta

from modelsync.core.cluster.snapshot import PodRecord, Sample, Settings

OVERDUE = timedelta(seconds=30)
"""How long after its grace period a Pod may need to go: a healthy node takes a few seconds."""
PATIENCE = timedelta(minutes=10)
"""How long a silent worker that tolerates an unreachable node is waited for: twice Kubernetes' default."""
LIVE = frozenset({"Pending", "Running", "Unknown"})
"""Phases of a Pod whose worker runs or may still run."""


def is_unreachable(pod: PodRecord) -> bool:
    """Whether a Pod's node does not report any more."""
    return pod.phase == "Unknown" or (pod.phase == "Running" and pod.unreachable_since is not None)


def unheard_since(sample: Sample | None, settings: Settings) -> datetime | None:
    """From when on a worker that reported last with this sample counts as silent."""
    return None if sample is None else sample.received + settings.stall_after


def lost_at(pod: PodRecord, sample: Sample | None, settings: Settings) -> datetime | None:
    """From when on a Pod counts as lost if nothing changes; None for one that is not in danger."""
    if not pod.node or pod.phase not in LIVE:
        return None
    if pod.deletion_due is not None:
        return pod.deletion_due + OVERDUE
    if pod.unreachable_since is None:
        return None
    silent, given_up = unheard_since(sample, settings), pod.unreachable_since + PATIENCE
    return given_up if silent is None else max(silent, given_up)


def is_lost(pod: PodRecord, sample: Sample | None, settings: Settings, now: datetime) -> bool:
    """Whether a Pod's slot is given to others."""
    when = lost_at(pod, sample, settings)
    return when is not None and when <= now


def unreachable(pod: PodRecord) -> str:
    """The sentence for a worker whose node does not report."""
    return (
        f"node {pod.node!r} does not report, so nothing is known of the worker; it goes on when the node is"
        " back, and is given up some minutes later if it is not"
    )


def lost(pod: PodRecord) -> str:
    """The sentence for a worker that was given up, with what a person can do."""
    return (
        f"node {pod.node!r} has not confirmed that the worker ended. It may still write, so no other attempt"
        " starts. Bring the node back; if it is off for good, delete the Node, or run kubectl delete pod"
        f" {pod.name} --namespace {pod.namespace} --force"
    )
