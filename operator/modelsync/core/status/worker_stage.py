"""What a running worker is doing, as a reason and a sentence: its honest stage.

Only a download can stall: a source that lists ten thousand objects and a check of a hundred gigabytes on the
volume bring no byte from the origin, for minutes, and are well. What a stage's silence may cost is the
worker's watchdog to say, and `progress_deadline`'s for a worker that says nothing any more. Nor has it
stalled while it waits because its origin asked it to: then it is known when bytes will come again.
"""

from datetime import timedelta

from modelsync.api import conditions
from modelsync.api.modelsync_status import ModelSyncStatus, ProgressStatus, RetryStatus
from modelsync.api.reasons import ConditionType, Phase, Reason, Stage
from modelsync.core.cluster.snapshot import Sample
from modelsync.core.status import progress

State = tuple[Phase, Reason, str]
UNHEARD: State = (Phase.DOWNLOADING, Reason.STARTING, "the worker runs; its first report is awaited")
_STALLED: State = (
    Phase.DOWNLOADING,
    Reason.DOWNLOAD_STALLED,
    "no byte has arrived for a while; the worker keeps trying, see its log",
)
_STAGES: dict[Stage, State] = {
    Stage.RESOLVING: (Phase.DOWNLOADING, Reason.RESOLVING, "listing the files of the source"),
    Stage.CHECKING: (Phase.DOWNLOADING, Reason.CHECKING, "checking the files on the volume"),
    Stage.DOWNLOADING: (Phase.DOWNLOADING, Reason.DOWNLOADING, "downloading"),
    Stage.VERIFYING: (Phase.VERIFYING, Reason.VERIFYING, "verifying the files"),
    Stage.PUBLISHING: (Phase.VERIFYING, Reason.VERIFYING, "publishing the files"),
    Stage.DONE: (Phase.VERIFYING, Reason.VERIFYING, "all files are published; the worker ends"),
}
_OF_WORKERS = {reason: phase for phase, reason, _ in (*_STAGES.values(), _STALLED)} | {
    Reason.RATE_LIMITED: Phase.DOWNLOADING
}


def _limited(again: RetryStatus) -> State:
    until = f"until {again.next_time:%Y-%m-%dT%H:%M:%SZ}" if again.next_time is not None else "for a while"
    message = f"the origin limits requests and wants none {until}; then the worker continues: {again.message}"
    return Phase.DOWNLOADING, Reason.RATE_LIMITED, message


def state(sample: Sample, stall_after: timedelta, stored: ProgressStatus | None = None) -> State:
    """Phase, reason and message of a worker that has reported; of what it tries again without its numbers,
    which change with every try, but with the time that the origin named."""
    report = sample.report
    again = progress.retrying(stored, sample)
    if again is not None and report.retrying is not None and report.retrying.asked:
        return _limited(again)
    silent = timedelta(seconds=min(report.idle_seconds, 1e9)) >= stall_after
    if report.stage is Stage.DOWNLOADING and silent:
        phase, reason, message = _STALLED
    else:
        phase, reason, message = _STAGES[report.stage]
    return phase, reason, message if again is None else f"{message}; trying again: {again.message}"


def before(stored: ModelSyncStatus, pod_name: str) -> State:
    """What was said of this worker, until its first report to this operator: nothing new was seen yet."""
    ready = conditions.find(stored.conditions, ConditionType.READY)
    known = stored.worker is not None and stored.worker.pod_name == pod_name
    if ready is None or not known or ready.reason not in _OF_WORKERS:
        return UNHEARD
    reason = Reason(ready.reason)
    return _OF_WORKERS[reason], reason, ready.message
