"""What a cluster does to a worker, for `world`: Pods that cannot start, and Pods that end badly."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from modelsync.core.cluster import snapshot
from tests.builders import a_progress, termination_report

CANNOT_START: Mapping[str, Mapping[str, Any]] = {
    "claim": {"unschedulable": '0/2 nodes are available: persistentvolumeclaim "models" not found.'},
    "room": {"unschedulable": "0/2 nodes are available: 2 Insufficient cpu."},
    "secret": {"node": "node-1", "waiting_reason": "ContainerCreating"},
}
"""Fields of a Pod that stays Pending."""


def sidecar(pod: snapshot.PodRecord, now: datetime) -> Mapping[str, Any]:
    """The worker has ended and another container runs on, and with it the Pod and the Job."""
    words = termination_report(progress=a_progress(10, 10)).replace(uid=pod.sync_uid, attempt=pod.attempt)
    return {"exit_code": 0, "finished": pod.finished or now, "termination": words}


def evicted(pod: snapshot.PodRecord, now: datetime) -> Mapping[str, Any]:
    """Put out by the kubelet for a limit of its own."""
    return {"phase": "Failed", "status_reason": "Evicted", "finished": now}


ENDS_BADLY: Mapping[str, Callable[[snapshot.PodRecord, datetime], Mapping[str, Any]]] = {
    "sidecar": sidecar,
    "evicted": evicted,
}
"""What becomes of a Pod that runs."""


def refused() -> snapshot.StartProblem:
    """A Job whose Pods the namespace's quota refuses."""
    said = (
        'Error creating: pods "x-1-abcde" is forbidden: exceeded quota: q, requested: cpu=1, limited: cpu=0'
    )
    return snapshot.StartProblem(message=said, reason="FailedCreate")


def not_mounted() -> snapshot.StartProblem:
    """A Pod whose Secret is not there."""
    return snapshot.StartProblem(message='secret "t" not found', reason="FailedMount")
