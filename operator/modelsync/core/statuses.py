"""A verdict as a status: conditions, progress, texts.

Nothing here contains the present time: every time comes from an object, or is the moment at which a condition
turned, so that planning again finds an equal status and writes nothing.
"""

from modelsync.api import conditions, wire
from modelsync.api.conditions import Condition
from modelsync.api.modelsync import Artifact, ModelSyncStatus, QueueStatus, Resolved, WorkerStatus
from modelsync.api.reasons import ConditionType, Phase
from modelsync.core import changes, progress
from modelsync.core.lifecycle import Verdict
from modelsync.core.views import View


def render(view: View, base: ModelSyncStatus, verdict: Verdict, queue: QueueStatus | None) -> ModelSyncStatus:
    """The wanted status; the very object that is stored when nothing changed."""
    status = changes.apply(
        base,
        observed_generation=view.sync.generation,
        phase=verdict.phase,
        queue=queue,
        conditions=_conditions(view, base, verdict),
        worker=_worker(verdict),
    )
    if verdict.phase is Phase.COMPLETE:
        return status if verdict.completed is None else _complete(view, status, verdict)
    return _progress(view, status, verdict)


def _conditions(view: View, base: ModelSyncStatus, verdict: Verdict) -> tuple[Condition, ...]:
    wanted = {
        ConditionType.READY: "True" if verdict.phase is Phase.COMPLETE else "False",
        ConditionType.RECONCILING: "True" if verdict.reconciling else None,
        ConditionType.STALLED: "True" if verdict.stalled else None,
        ConditionType.PROGRESSING: "False" if verdict.silent else None,
    }
    shown = {str(kind): value for kind, value in wanted.items() if value is not None}
    if _same(base, shown, verdict, view.sync.generation):
        return base.conditions
    made = [
        Condition(
            type=kind,
            status=value,
            reason=verdict.reason,
            message=verdict.message,
            observed_generation=view.sync.generation,
            last_transition_time=view.now.replace(microsecond=0),
        )
        for kind, value in shown.items()
    ]
    return conditions.keep_times(made, base.conditions)


def _same(base: ModelSyncStatus, shown: dict[str, str], verdict: Verdict, generation: int) -> bool:
    """Whether the stored conditions say just this already."""
    if len(base.conditions) != len(shown):
        return False
    return all(
        shown.get(c.type) == c.status
        and c.reason == verdict.reason
        and c.message == verdict.message
        and c.observed_generation == generation
        for c in base.conditions
    )


def _worker(verdict: Verdict) -> WorkerStatus | None:
    if verdict.pod is None:
        return None
    return WorkerStatus(pod_name=verdict.pod.name, node_name=verdict.pod.node or None)


def _progress(view: View, status: ModelSyncStatus, verdict: Verdict) -> ModelSyncStatus:
    downloading = verdict.phase is Phase.DOWNLOADING
    if verdict.sample is not None and verdict.job is not None:
        shown = progress.running(status.progress, verdict.sample)
        if not downloading:
            shown = progress.ended(shown, None) or shown
    else:
        shown = progress.ended(status.progress, _last_report(view))  # type: ignore[assignment]
    resolved = _resolved(status, verdict.sample.report.resolved if verdict.sample is not None else None)
    return _shown(view, changes.apply(status, progress=shown, resolved=resolved), downloading=downloading)


def _last_report(view: View) -> wire.Progress | None:
    """Progress that the last attempt's worker reported at its end."""
    job = view.last_job
    pod = view.pod_of(job) if job is not None else None
    return pod.termination.progress if pod is not None and pod.termination is not None else None


def _resolved(status: ModelSyncStatus, told: Resolved | None) -> Resolved | None:
    """What a worker resolved first stays: all attempts take the files of one revision."""
    return told if told is not None else status.resolved


def _shown(view: View, status: ModelSyncStatus, *, downloading: bool) -> ModelSyncStatus:
    before = view.sync.status
    shown = status.display
    still = status.progress is before.progress and not downloading
    if still and shown is not None and shown.speed is None and shown.eta is None:
        # Texts follow from numbers, and building them again for all who wait would be the planner's cost.
        return status
    texts = progress.for_people(view.sync.spec, status.progress, downloading=downloading)
    return changes.apply(status, display=texts)


def _complete(view: View, status: ModelSyncStatus, verdict: Verdict) -> ModelSyncStatus:
    report = verdict.report
    told = report.progress if report is not None else None
    if told is None and verdict.sample is not None:
        told = verdict.sample.report.progress
    done = progress.completed(status.progress, told)
    resolved = _resolved(status, report.resolved if report is not None else None)
    artifact = Artifact(
        revision=resolved.revision if resolved is not None else None,
        path=view.sync.spec.target_dir[1] or "/",
        bytes=(done.bytes_total if done is not None else None) or 0,
        verified_at=verdict.completed,
        current=True,
    )
    status = changes.apply(
        status,
        progress=done,
        resolved=resolved,
        completion_time=verdict.completed,
        artifacts=(artifact,),
        failures=None,
        last_failure=None,
        next_retry_time=None,
    )
    return _shown(view, status, downloading=False)
