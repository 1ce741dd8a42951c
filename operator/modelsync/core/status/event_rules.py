"""Events: what a person reading `kubectl describe` should learn, once for each transition.

Made from the difference between the stored and the wanted status, so that an operator that dies between an
Event and the status write announces the same thing again under the same name, which the API server folds.
"""

from collections.abc import Iterator
from typing import Literal

from modelsync.api import naming
from modelsync.api.common import display
from modelsync.api.modelsync_status import ModelSyncStatus
from modelsync.api.reasons import Phase, Reason
from modelsync.core.actions import Announce
from modelsync.core.attempts import retries
from modelsync.core.attempts.history import ready_reason
from modelsync.core.cluster.ownership import Foreign
from modelsync.core.cluster.snapshot import SyncRecord

_BLOCKS = frozenset(
    {
        Reason.VOLUME_NOT_FOUND,
        Reason.SECRET_NOT_FOUND,
        Reason.IMAGE_PULL_FAILED,
        Reason.WORKER_UNSCHEDULABLE,
        Reason.NODE_LOST,
        Reason.JOB_REJECTED,
        Reason.NAME_CONFLICT,
        Reason.NAMESPACE_PROTECTED,
        Reason.INVALID_SPEC,
    }
)


def between(sync: SyncRecord, new: ModelSyncStatus) -> Iterator[Announce]:
    """The Events of the step from the stored status to the new one."""
    old = sync.status
    if new.last_failure is not None and new.last_failure != old.last_failure:
        yield _event(sync, new, "Warning", new.last_failure.reason, _failure_text(sync, new))
    if old.phase is Phase.FAILED and new.phase is Phase.QUEUED:
        yield _event(sync, new, "Normal", Reason.QUEUED, "another attempt was asked for")
    if old.phase is Phase.COMPLETE and new.phase is not Phase.COMPLETE:
        text = "a check of the published files was asked for; what is missing or wrong is fetched"
        yield _event(sync, new, "Normal", Reason.QUEUED, text)
    before, after = ready_reason(old), ready_reason(new)
    cause = _retrying(new)
    if cause is not None and _retrying(old) is None and after != Reason.RATE_LIMITED:
        yield _event(sync, new, "Warning", Reason.RETRYING, f"requests fail and are tried again: {cause}")
    if before == after:
        return
    blocked = after in _BLOCKS and new.last_failure == old.last_failure
    waits = after == Reason.RATE_LIMITED and cause is not None  # and has not failed by it
    if blocked or waits or after == Reason.DOWNLOAD_STALLED:
        yield _event(sync, new, "Warning", Reason(after), _message(new))
    elif after == Reason.DOWNLOADING:
        again = before in (Reason.DOWNLOAD_STALLED, Reason.RATE_LIMITED)
        text = "bytes arrive again" if again else f"attempt {new.attempts} downloads{_node(new)}"
        yield _event(sync, new, "Normal", Reason.DOWNLOADING, text)
    elif after == Reason.SYNCED:
        yield _event(sync, new, "Normal", Reason.SYNCED, _complete_text(new))
    elif new.phase in (Phase.PAUSED, Phase.CANCELLED):
        yield _event(sync, new, "Normal", Reason(after), _message(new))


def foreign(found: Foreign) -> Announce:
    """That something names a ModelSync and is not the operator's."""
    text = (
        f"{found.kind} {found.name} names this ModelSync, but the operator did not make it: it is ignored;"
        " find out who made it, and delete it"
    )
    sync = found.sync
    return Announce(sync=sync, type="Warning", reason=Reason.FOREIGN_WORKER, message=text[:1024], key="")


def deleted(sync: SyncRecord) -> Announce | None:
    """What the deletion of a ModelSync leaves on the volume; None if nothing, as far as its status says.

    Nobody removes it: a deletion looks like a pause to the worker, and the operator sees no volume.
    """
    status, done = sync.status, sync.status.progress
    if status.phase is Phase.COMPLETE or done is None:
        return None
    total = None if done.estimated else done.bytes_total
    left = (done.bytes_done if total is None else total) or 0
    left -= done.bytes_reused or 0
    if left <= 0:
        return None
    amount = f"up to {display.size(left)}" if total is not None else f"{display.size(left)} or more"
    claim, path = sync.spec.target_dir
    place = "/".join(filter(None, (path, naming.STATE_DIR, sync.uid)))
    text = (
        f"deleted before it was complete: {amount} of unfinished files stay in {place!r} of"
        f" PersistentVolumeClaim {claim!r}. A ModelSync into the same directory uses and then removes them;"
        " else remove them with `modelsync clean`"
    )
    return _event(sync, status, "Warning", Reason.UNFINISHED_FILES_LEFT, text)


def _event(
    sync: SyncRecord, new: ModelSyncStatus, kind: Literal["Normal", "Warning"], reason: Reason, text: str
) -> Announce:
    key = f"{new.observed_generation}/{new.attempts or 0}/{text}"
    return Announce(sync=sync, type=kind, reason=reason, message=text[:1024], key=key)


def _message(status: ModelSyncStatus) -> str:
    return next((c.message for c in status.conditions if c.type == "Ready"), "")


def _retrying(status: ModelSyncStatus) -> str | None:
    """What is being tried again. Not its numbers: one text is one Event, however often it begins."""
    retrying = status.progress.retrying if status.progress is not None else None
    return None if retrying is None else retrying.message


def _node(status: ModelSyncStatus) -> str:
    worker = status.worker
    return f" on node {worker.node_name}" if worker is not None and worker.node_name else ""


def _failure_text(sync: SyncRecord, new: ModelSyncStatus) -> str:
    last = new.last_failure
    assert last is not None
    then = "another attempt follows" if new.next_retry_time is not None else "no further attempt"
    which = retries.of_most(sync.spec.backoff_limit, new.failures)
    return f"attempt {last.attempt} failed{which}: {retries.clause(last.message)}; {then}"


def _complete_text(status: ModelSyncStatus) -> str:
    done = status.progress
    if done is None or done.bytes_total is None:
        return _message(status)
    what = _message(status).replace("all files are published and verified", "published and verified")
    return f"{done.files_total} files, {display.size(done.bytes_total)}, {what}"
