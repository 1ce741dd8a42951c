"""A verdict as a status: conditions, progress, texts.

Nothing here contains the present time: every time comes from an object, or is the moment at which a condition
turned, so that planning again finds an equal status and writes nothing.
"""

from modelsync.api import conditions
from modelsync.api.conditions import Condition
from modelsync.api.modelsync_status import Artifact, ModelSyncStatus, QueueStatus
from modelsync.api.reasons import ConditionType, Phase, Reason
from modelsync.api.source.transfer import Resolved
from modelsync.api.worker_pod.status import WorkerStatus
from modelsync.core import status_patch
from modelsync.core.cluster.snapshot import PodRecord
from modelsync.core.cluster.sync_view import View
from modelsync.core.status import progress
from modelsync.core.status.phase_checks import Verdict


def render(view: View, base: ModelSyncStatus, verdict: Verdict, queue: QueueStatus | None) -> ModelSyncStatus:
    """The wanted status; the very object that is stored when nothing changed."""
    status = status_patch.updated(
        base,
        observed_generation=_generation(view),
        phase=verdict.phase,
        queue=queue,
        conditions=_conditions(view, base, verdict),
        worker=_worker(view, verdict),
        next_retry_time=verdict.retry_at or base.next_retry_time,
    )
    if verdict.phase is Phase.COMPLETE:
        return status if verdict.completed is None else _complete(view, status, verdict)
    return _progress(view, status, verdict)


def _generation(view: View) -> int | None:
    """The generation that this status is for; see `View.is_stale` for when it lags."""
    return view.sync.status.observed_generation if view.is_stale else view.sync.generation


def _conditions(view: View, base: ModelSyncStatus, verdict: Verdict) -> tuple[Condition, ...]:
    wanted = {
        ConditionType.READY: "True" if verdict.phase is Phase.COMPLETE else "False",
        ConditionType.RECONCILING: "True" if verdict.reconciling else None,
        ConditionType.STALLED: "True" if verdict.stalled else None,
        ConditionType.PROGRESSING: "False" if verdict.silent else None,
    }
    shown = {str(kind): value for kind, value in wanted.items() if value is not None}
    generation = _generation(view)
    if _same(base, shown, verdict, generation):
        return base.conditions
    made = [
        Condition(
            type=kind,
            status=value,
            reason=verdict.reason,
            message=verdict.message,
            observed_generation=generation,
            last_transition_time=view.now.replace(microsecond=0),
        )
        for kind, value in shown.items()
    ]
    return conditions.keep_times(made, base.conditions)


def _same(base: ModelSyncStatus, shown: dict[str, str], verdict: Verdict, generation: int | None) -> bool:
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


def _worker(view: View, verdict: Verdict) -> WorkerStatus | None:
    pod = verdict.pod
    if pod is None:
        return None
    return WorkerStatus(
        pod_name=pod.name,
        node_name=pod.node or None,
        bytes_network_before=max(_network_before(view, pod), _by_the_volume(verdict)),
    )


def _by_the_volume(verdict: Verdict) -> int:
    """What earlier attempts received, by the record on the volume: it misses nothing of a killed one."""
    reported = verdict.sample.report.progress.bytes_network_before if verdict.sample is not None else None
    return reported or 0


def _network_before(view: View, pod: PodRecord | None) -> int:
    """Payload bytes received before this Pod came; stored with the Pod's name, so it is known for good."""
    stored = view.sync.status
    if pod is not None and stored.worker is not None and stored.worker.pod_name == pod.name:
        return stored.worker.bytes_network_before or 0
    return progress.stored_network(stored.progress)


def _known_before(view: View, pod: PodRecord) -> int:
    """The same for a Pod that has ended; 0 when only its own report says it."""
    worker = view.sync.status.worker
    return (worker.bytes_network_before or 0) if worker is not None and worker.pod_name == pod.name else 0


def _progress(view: View, status: ModelSyncStatus, verdict: Verdict) -> ModelSyncStatus:
    if verdict.job is None:
        return _without_worker(view, status)
    sample, downloading = verdict.sample, _flows(verdict)
    if sample is None:
        return (
            _until_heard(view, status)
            if verdict.phase is Phase.DOWNLOADING
            else _without_worker(view, status)
        )
    before, estimate = _network_before(view, verdict.pod), view.sync.spec.estimate
    shown = progress.running(status.progress, sample, before, estimate)
    if not downloading or view.now - sample.received > view.settings.stall_after:
        shown = progress.without_speed(shown)
    shown = progress.observed(status.progress, shown, sample.received)
    resolved = _resolved(status, sample.report.resolved)
    return _shown(
        view, status_patch.updated(status, progress=shown, resolved=resolved), downloading=downloading
    )


def _until_heard(view: View, status: ModelSyncStatus) -> ModelSyncStatus:
    """Progress of a worker that this operator has not heard of yet: soon it has no speed any more."""
    shown = status.progress
    if shown is None:
        return status
    if shown.observed_time is not None and view.now - shown.observed_time <= view.settings.stall_after:
        return status
    return _shown(
        view, status_patch.updated(status, progress=progress.without_speed(shown)), downloading=False
    )


def _flows(verdict: Verdict) -> bool:
    """Whether bytes may come from the origin now, so that there is a speed."""
    return verdict.reason in (Reason.DOWNLOADING, Reason.DOWNLOAD_STALLED)


def _without_worker(view: View, status: ModelSyncStatus) -> ModelSyncStatus:
    """Progress of a sync whose worker does not run, with the termination report of the attempt that ended.

    They are final, so they change nothing when they are taken in again.
    """
    shown, pod = status.progress, view.termination_report
    if pod is not None and pod.termination is not None:
        reported = pod.termination.progress
        shown = progress.ended(shown, reported, _known_before(view, pod))
        if shown is not None:
            shown = progress.observed(status.progress, shown, pod.finished or view.now)
    elif shown is not None:
        shown = progress.at_rest(shown)
    shown = progress.assumed(shown, view.sync.spec.estimate)
    return _shown(view, status_patch.updated(status, progress=shown), downloading=False)


def _resolved(status: ModelSyncStatus, reported: Resolved | None) -> Resolved | None:
    """What was resolved is never forgotten: all attempts take the files of one revision."""
    return reported if reported is not None else status.resolved


def _shown(view: View, status: ModelSyncStatus, *, downloading: bool) -> ModelSyncStatus:
    before = view.sync.status
    shown = status.display
    still = status.progress is before.progress and status.phase is before.phase and not downloading
    if still and shown is not None and shown.speed is shown.eta is None:
        # Texts follow from numbers, and building them again for all who wait would be the planner's cost.
        return status
    texts = progress.for_people(view.sync.spec, status.progress, downloading=downloading)
    return status_patch.updated(status, display=texts)


def _complete(view: View, status: ModelSyncStatus, verdict: Verdict) -> ModelSyncStatus:
    report = verdict.report
    reported = report.progress if report is not None else None
    done = progress.completed(status.progress, reported, _network_before(view, verdict.ended))
    when = (verdict.ended.finished if verdict.ended is not None else None) or verdict.completed
    if when is not None:
        done = progress.observed(status.progress, done, when)
    resolved = _resolved(status, report.resolved if report is not None else None)
    revision = resolved.revision if resolved is not None else None
    artifact = Artifact(
        revision=revision,
        path=view.sync.spec.published_at(revision),
        bytes=done.bytes_total or 0,
        verified_at=verdict.completed,
        attempt=view.attempts,
        verified_by=report.verified_by or None if report is not None else None,
        current=True,
    )
    status = status_patch.updated(
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
