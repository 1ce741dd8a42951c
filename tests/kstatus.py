"""kstatus as a judge: what Helm, Flux and Argo CD's generic readers make of an object.

The rules are those published in kubernetes-sigs/cli-utils, pkg/kstatus (README and status/generic.go), for
custom resources: generation first, then the abnormal-true conditions, then Ready. Written here again, so that
a test does not ask our own code whether our own code is right.
"""

from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """kstatus' words for an object."""

    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    CURRENT = "Current"
    TERMINATING = "Terminating"


def judge(found: dict[str, Any]) -> Verdict:
    """The verdict on an object as the API server returned it."""
    metadata, status = found["metadata"], found.get("status", {})
    if metadata.get("deletionTimestamp"):
        return Verdict.TERMINATING
    observed = status.get("observedGeneration")
    if observed is not None and observed != metadata.get("generation"):
        return Verdict.IN_PROGRESS
    conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
    if conditions.get("Reconciling") == "True":
        return Verdict.IN_PROGRESS
    if conditions.get("Stalled") == "True":
        return Verdict.FAILED
    return Verdict.IN_PROGRESS if conditions.get("Ready") in ("False", "Unknown") else Verdict.CURRENT
