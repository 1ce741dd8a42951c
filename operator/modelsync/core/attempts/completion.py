"""What a Complete sync may claim: only what its worker's termination report says.

An exit code of 0 alone is no result: it names no revision, no bytes and no checksum. The report is the
worker's manifest in short, so it says how many files were compared with what, and a sync whose files were
compared by their size alone says so.
"""

from modelsync.api import protocol
from modelsync.api.modelsync_status import ModelSyncStatus
from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Verification, VerifiedBy
from modelsync.core.attempts import retries
from modelsync.core.cluster.snapshot import JobState, PodRecord
from modelsync.core.cluster.sync_view import View

_SIZE = "size"


def report(pod: PodRecord | None) -> protocol.TerminationReport | None:
    """The report of a worker that published all files; None without one."""
    words = pod.termination if pod is not None else None
    return words if words is not None and words.reason is Reason.SYNCED else None


def missing(view: View) -> retries.Failure | None:
    """The failure of an attempt that ended well and reported nothing."""
    job = view.last_job
    if job is None or job.state is not JobState.COMPLETE or report(view.pod_of(job)) is not None:
        return None
    message = (
        "the worker ended well, but its termination report is lost; another attempt checks what is on the"
        " volume"
    )
    return retries.failure(Reason.REPORT_MISSING, message, min(job.finished or view.now, view.now))


def message(verification: Verification, verified_by: VerifiedBy | None) -> str:
    """What Ready says of published files that were compared so."""
    counts = verified_by or {}
    unproven, total = counts.get(_SIZE, 0), sum(counts.values())
    if verification is Verification.SIZE:
        return "all files are published; their sizes were compared (spec.verification: Size)"
    if not unproven:
        return "all files are published and verified"
    which = "all files are" if unproven == total else f"{unproven} of {total} files are"
    return f"all files are published; {which} verified by size alone, as the source has no checksum of them"


def stored(status: ModelSyncStatus) -> VerifiedBy | None:
    """How the published files of a Complete sync were verified."""
    return status.artifacts[-1].verified_by if status.artifacts else None
