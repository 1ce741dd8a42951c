"""Why a worker does not start, as a reason and a sentence that names the field and the fix.

A chain of small checks over what the scheduler, the kubelet and admission say; the first that knows wins. All
of these heal by themselves once their cause is gone. What waits for a person gives its slot back at once and
is tried again with backoff; what may pass by itself keeps the Job for the start deadline.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from modelsync.api.reasons import Reason
from modelsync.core.cluster import unschedulable
from modelsync.core.cluster.snapshot import PodRecord, StartProblem, SyncRecord

HEALS = " and the sync continues automatically"
"""What a message promises while attempts follow; see `phase_checks` for when none does."""
SETTLES = timedelta(seconds=1)
"""Nothing counts as missing for so long: a scheduler may not know yet of a claim that was just created."""
_IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable"}
)
_MISSING_SECRET = re.compile(r'secret "[^"]*" not found|references non-existent secret key')
_NODES = re.compile(
    r"^\d+/\d+ nodes are available: |(?<![\w.-])\d+ (?=node|Insufficient|Too many)|[.]? preemption: .*$"
)
"""What the scheduler counts: it changes with every node that comes and goes, and means nothing to a user."""
_REFUSED = re.compile(r'^Error creating: |pods "[^"]*" is forbidden: ')
"""The Job controller names a Pod that never was, another one with each try."""
_PULLING = re.compile(r'^Back-off pulling image "[^"]*"(: )?|^(ErrImagePull|ErrImageNeverPull): ')
"""The kubelet alternates between two texts for one failure."""


@dataclass(frozen=True, slots=True)
class StartBlocker:
    """Why a worker does not start."""

    reason: Reason
    message: str
    at_once: bool = False
    """A person has to act: no use in holding a slot meanwhile."""


def find(sync: SyncRecord, pod: PodRecord | None, problem: StartProblem | None) -> StartBlocker | None:
    """Why the worker of a Job does not start, or None when it is merely on its way.

    `pod` is the Job's Pod, if there is one; `problem` is what the API server said of the Pod or the Job.
    """
    for check in _CHECKS:
        found = check(sync, pod, problem)
        if found is not None:
            return found
    return None


def is_waiting(pod: PodRecord) -> bool:
    """Whether a Pod's worker has not run yet."""
    return pod.phase == "Pending" and pod.running_since is None


def _no_pod(sync: SyncRecord, pod: PodRecord | None, problem: StartProblem | None) -> StartBlocker | None:
    if pod is not None or problem is None:
        return None
    return StartBlocker(
        Reason.JOB_REJECTED,
        f"the cluster refuses the worker's Pod: {_REFUSED.sub('', problem.message)};"
        " lower spec.podTemplate.resources, or have the namespace's quota or policy changed",
        at_once=True,
    )


def _claim(sync: SyncRecord, pod: PodRecord | None, problem: StartProblem | None) -> StartBlocker | None:
    if pod is None or not unschedulable.MISSING_CLAIM.search(pod.unschedulable):
        return None
    name = sync.spec.target.persistent_volume_claim.claim_name
    return StartBlocker(
        Reason.VOLUME_NOT_FOUND,
        f"spec.target.persistentVolumeClaim.claimName: PersistentVolumeClaim {name!r} does not exist"
        f" in namespace {sync.namespace!r}; create it{HEALS}",
        at_once=True,
    )


def _secret(sync: SyncRecord, pod: PodRecord | None, problem: StartProblem | None) -> StartBlocker | None:
    messages = (problem.message if problem else "", pod.waiting_message if pod else "")
    if not any(_MISSING_SECRET.search(text) for text in messages):
        return None
    name = sync.spec.source.secret_name or "?"
    return StartBlocker(
        Reason.SECRET_NOT_FOUND,
        f"spec.source.{sync.spec.source.kind}.secretRef: Secret {name!r} does not exist in namespace"
        f" {sync.namespace!r} or lacks the key; create it{HEALS}",
        at_once=True,
    )


def _image(sync: SyncRecord, pod: PodRecord | None, problem: StartProblem | None) -> StartBlocker | None:
    if pod is None or pod.waiting_reason not in _IMAGE_REASONS:
        return None
    return StartBlocker(
        Reason.IMAGE_PULL_FAILED,
        f"the worker's image cannot be pulled: {_pulling(pod.waiting_message)};"
        " fix the operator's worker image or set spec.podTemplate.imagePullSecrets",
    )


def _unschedulable(
    sync: SyncRecord, pod: PodRecord | None, problem: StartProblem | None
) -> StartBlocker | None:
    if pod is None or not pod.unschedulable:
        return None
    return StartBlocker(
        Reason.WORKER_UNSCHEDULABLE,
        f"no node takes the worker: {_NODES.sub('', pod.unschedulable)};"
        " change spec.podTemplate or free a node",
    )


def _pulling(message: str) -> str:
    return _PULLING.sub("", _PULLING.sub("", message)) or "the node is waiting to try again"


def _unbound(sync: SyncRecord, pod: PodRecord | None, problem: StartProblem | None) -> StartBlocker | None:
    if pod is None or unschedulable.UNBOUND_CLAIM not in pod.unschedulable:
        return None
    name = sync.spec.target.persistent_volume_claim.claim_name
    return StartBlocker(
        Reason.VOLUME_NOT_FOUND,
        f"spec.target.persistentVolumeClaim.claimName: PersistentVolumeClaim {name!r} is not bound to a"
        f" volume; see its Events, fix its storage class or make a volume{HEALS}",
    )


def _volume(sync: SyncRecord, pod: PodRecord | None, problem: StartProblem | None) -> StartBlocker | None:
    if problem is None or problem.reason not in ("FailedMount", "FailedAttachVolume", "FailedBinding"):
        return None
    return StartBlocker(Reason.VOLUME_NOT_FOUND, f"the target's volume cannot be used: {problem.message}")


_CHECKS: tuple[Callable[[SyncRecord, PodRecord | None, StartProblem | None], StartBlocker | None], ...] = (
    _no_pod,  # quota or admission refused the Pod itself
    _claim,  # before _unschedulable: the scheduler says all three in one way
    _unbound,
    _secret,  # before _volume: a Secret is mounted as a volume
    _image,
    _unschedulable,
    _volume,
)
