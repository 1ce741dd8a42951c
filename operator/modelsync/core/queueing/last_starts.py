"""When each namespace had its last turn in each queue.

Who was served least lately is next (`admission`), and that has to outlast an operator and its Jobs: so the
times stand in the SyncQueue's status, where they cost no write of their own, since each start changes that
status anyway. Until it is written the Job itself shows it. A namespace that deletes its ModelSyncs as they
end leaves the time of its turn behind, as long as it has others in the queue; one that has none begins again,
and is younger than all that wait.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from modelsync.api.syncqueue import MOST_STARTS, NamespaceStart
from modelsync.core.cluster.snapshot import JobRecord, Snapshot
from modelsync.core.queueing.admission import NEVER, group

Starts = dict[tuple[str, str], datetime]
"""By namespace and queue."""


def known(snapshot: Snapshot) -> Starts:
    """All last starts, with those of Jobs that are only assumed to be there."""
    return _with(_stored(snapshot), snapshot.jobs, snapshot)


def to_store(snapshot: Snapshot) -> dict[str, tuple[NamespaceStart, ...]]:
    """What each queue's status should say, by the queue's name: the latest first, of at most MOST_STARTS
    namespaces that have a ModelSync in the queue."""
    seen = (job for job in snapshot.jobs if not job.assumed)
    starts = _with(_stored(snapshot), seen, snapshot)
    users = {group(sync) for sync in snapshot.syncs.values()} if starts else ()
    found: dict[str, list[NamespaceStart]] = defaultdict(list)
    for (namespace, queue), time in starts.items():
        if (namespace, queue) in users:
            found[queue].append(NamespaceStart(namespace=namespace, time=time))
    for mine in found.values():
        mine.sort(key=lambda start: start.namespace)
        mine.sort(key=lambda start: start.time, reverse=True)
    return {queue: tuple(mine[:MOST_STARTS]) for queue, mine in found.items()}


def _stored(snapshot: Snapshot) -> Starts:
    return {
        (start.namespace, name): start.time
        for name, queue in snapshot.queues.items()
        for start in queue.status.last_starts
    }


def _with(starts: Starts, jobs: Iterable[JobRecord], snapshot: Snapshot) -> Starts:
    for job in jobs:
        sync = snapshot.syncs.get(job.sync_uid)
        mine = group(sync) if sync is not None else (job.namespace, job.queue)
        if mine[1] and job.created > starts.get(mine, NEVER):
            starts[mine] = job.created
    return starts
