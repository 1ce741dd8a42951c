"""Workers that wait for room on a node: who keeps waiting there, and who gives way (docs/decisions/0013).

A Pod that no node takes downloads nothing, but a node autoscaler acts on Pods that wait and on nothing else.
So one such Pod of each queue stays, outside of the slots; the others give their slot back if somebody waits.
"""

import re

from modelsync.api.reasons import QueueReason
from modelsync.core.cluster.snapshot import JobState, PodRecord, Snapshot, SyncRecord

MISSING_CLAIM = re.compile(r'persistentvolumeclaim "[^"]*" not found')
UNBOUND_CLAIM = "unbound immediate PersistentVolumeClaims"


def lacks_room(pod: PodRecord) -> bool:
    """Whether no node takes a Pod for another reason than its claim."""
    text = pod.unschedulable
    return bool(text) and not pod.deleting and not MISSING_CLAIM.search(text) and UNBOUND_CLAIM not in text


def parked(snapshot: Snapshot) -> frozenset[str]:
    """Uids of the ModelSyncs that wait for room outside of the slots: in each queue the oldest Job's."""
    waiting = {pod.job_uid for pod in snapshot.pods if pod.phase == "Pending" and lacks_room(pod)}
    oldest: dict[str, tuple[object, str, str]] = {}
    for job in snapshot.jobs if waiting else ():
        sync = snapshot.syncs.get(job.sync_uid)
        if job.uid in waiting and sync is not None and job.state is JobState.ACTIVE and not job.deleting:
            mine = (job.created, job.uid, sync.uid)
            oldest[sync.spec.queue] = min(mine, oldest.get(sync.spec.queue, mine))
    return frozenset(uid for _, _, uid in oldest.values())


def contended(snapshot: Snapshot) -> frozenset[str]:
    """Queues in which somebody waits for a slot, by the stored statuses; looked for only where it matters."""
    if not any(lacks_room(pod) for pod in snapshot.pods):
        return frozenset()
    return frozenset(sync.spec.queue for sync in snapshot.syncs.values() if _waits(sync))


def _waits(sync: SyncRecord) -> bool:
    try:
        place = sync.status.queue
        return place is not None and place.reason in (
            QueueReason.CONCURRENCY_LIMIT,
            QueueReason.NAMESPACE_LIMIT,
        )
    except Exception:  # an object that cannot be read is alone with it
        return False
