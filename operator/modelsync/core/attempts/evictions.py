"""Why a Pod ended without its worker and without a disruption, and which field to change.

Only the condition DisruptionTarget says that the platform ended a Pod that did nothing wrong (a drain,
preemption, a node under pressure). A Pod that exceeded its own limit, or that its node refused, has a bare
`status.reason` instead. The same Pod would end the same way again, so this counts as a failure. The texts are
the kubelet's (kubernetes/pkg/kubelet/eviction/helpers.go); one that is not known is passed on as it is.
"""

import re

from modelsync.api import naming
from modelsync.core.cluster.snapshot import PodRecord

EVICTED = "Evicted"
SWITCH_OFF = "switch it off with spec.podTemplate.labels or .annotations"
_CONTAINER = re.compile(r"^Container (\S+) exceeded its local ephemeral storage limit")
_POD = re.compile(r"^Pod ephemeral local storage usage exceeds the total limit of containers")
_VOLUME = re.compile(r'^Usage of EmptyDir volume "([^"]*)" exceeds the limit')
_STORAGE = "raise or remove spec.podTemplate.resources.limits.ephemeral-storage"
_SCRATCH = "no field changes the worker's scratch space: set spec.engine to Native, or report this"


def explain(pod: PodRecord) -> str:
    """What the node said about a Pod with a `status.reason`, and how to fix it; '' when it said nothing."""
    if pod.init_exit_code is not None:
        return (
            f"the init container {pod.init_container!r}, which was added to the worker's Pod, ended with code"
            f" {pod.init_exit_code} before the worker started; see its log, or {SWITCH_OFF}"
        )
    said = pod.status_message.strip().rstrip(".")
    if pod.status_reason != EVICTED:
        return f"the worker's node refused or ended it: {pod.status_reason}: {said}" if said else ""
    if not said:
        return "the worker was evicted from its node for a limit of its own"
    fix = _fix(said)
    return f"the worker was evicted from its node: {said}" + (f"; {fix}" if fix else "")


def _fix(said: str) -> str:
    container, volume = _CONTAINER.match(said), _VOLUME.match(said)
    if container is not None and container[1] != naming.WORKER_CONTAINER:
        return _injected(f"container {container[1]!r}")
    if volume is not None:
        return _SCRATCH if volume[1] == naming.SCRATCH_VOLUME else _injected(f"volume {volume[1]!r}")
    return _STORAGE if container is not None or _POD.match(said) else ""


def _injected(what: str) -> str:
    return f"{what} was added to the worker's Pod by something in the cluster: change its limit there"
