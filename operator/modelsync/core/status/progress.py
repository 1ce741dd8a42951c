"""Progress for machines and for people, from what a worker reported.

Reports are not trusted: numbers are clamped to `0 ≤ done ≤ total` and the done part never falls while the
total stays, since a worker that takes over another's work needs a moment to find out how far that was.

Until the size of a source is known, `spec.estimate` stands in for it, and says so. An estimate that was
exceeded is forgotten: it would show all as done that is not.
"""

from datetime import datetime, timedelta

from modelsync.api import protocol
from modelsync.api.common import display, untrusted
from modelsync.api.modelsync import ModelSyncSpec
from modelsync.api.modelsync_status import Display, NetworkStatus, ProgressStatus, RetryStatus, StageStatus
from modelsync.api.source.selection import Estimate
from modelsync.core.cluster.snapshot import Sample
from modelsync.core.status import active_files

_STEADY_SECONDS = 2.0
_STEADY_PART = 0.05
_RETRY_SECONDS = 2.0
_WITH_OTHERS = ("active_files", "network")


def running(
    before: ProgressStatus | None, sample: Sample, network_before: int, estimate: Estimate | None = None
) -> ProgressStatus:
    """Progress of a running attempt, on top of the payload bytes that were received before it."""
    report = sample.report.progress
    reached = _reached(before, report, network_before)
    reached = assumed(reached, estimate) or reached
    speed = report.bytes_per_second
    left = display.seconds_left(reached.bytes_done, reached.bytes_total, speed)
    return reached.replace(
        current_file=report.current_file,
        active_files=active_files.shown(sample.report.files, reached),
        bytes_per_second=speed,
        network=_network_of_devices(sample.report.network),
        estimated_completion_time=_forecast(before, sample.received, left),
        layer=report.layer,
        stage=sample.report.stage,
        stage_progress=_of_stage(sample.report.stage_progress),
        retrying=retrying(before, sample),
    )


def retrying(before: ProgressStatus | None, sample: Sample) -> RetryStatus | None:
    """What is tried again, once nothing has come for a while: a single refusal is no news."""
    reported = sample.report.retrying
    if reported is None or sample.report.idle_seconds < _RETRY_SECONDS:
        return None
    due = sample.received + timedelta(seconds=min(reported.next_seconds, 1e6))
    old = before.retrying if before is not None else None
    if old is not None and old.next_time is not None and old.tries == reported.tries:
        # The same wait, reported again: its end is not reported to the second, and once over it stays so.
        same = abs((old.next_time - due).total_seconds()) < _STEADY_SECONDS or not reported.next_seconds
        due = old.next_time if same else due
    return RetryStatus(
        message=reported.cause,
        tries=reported.tries,
        most_tries=reported.most,
        next_time=due.replace(microsecond=0),
    )


def _network_of_devices(reported: protocol.NetworkRate | None) -> NetworkStatus | None:
    return None if reported is None else NetworkStatus(**reported.model_dump())


def _of_stage(reported: protocol.StageProgress) -> StageStatus | None:
    known = StageStatus(**reported.model_dump(exclude_none=True))
    return None if known == StageStatus() else known


def ended(
    before: ProgressStatus | None, report: protocol.Progress | None = None, network_before: int = 0
) -> ProgressStatus | None:
    """Progress that stays when no worker runs: no speed, no forecast, no files."""
    reached = before if report is None else _reached(before, report, network_before)
    return None if reached is None else at_rest(reached)


def observed(before: ProgressStatus | None, new: ProgressStatus, when: datetime) -> ProgressStatus:
    """Progress with the time of its report; the time of equal figures stays, so that it causes no write.

    Nor do files or the network alone cause one: they are renewed with the figures that sum them up. That
    there is none any more does."""
    if before is None:
        return new.replace(observed_time=when.replace(microsecond=0))
    kept = {name: getattr(new, name) and getattr(before, name) for name in _WITH_OTHERS}
    if new.replace(observed_time=before.observed_time, **kept) == before:
        return before
    return new.replace(observed_time=when.replace(microsecond=0))


def at_rest(reached: ProgressStatus) -> ProgressStatus:
    """Progress without what is true only while a worker runs; the same object when it has none of it."""
    still = without_speed(reached)
    if (still.stage, still.stage_progress, still.retrying) == (None, None, None):
        return still
    return still.replace(stage=None, stage_progress=None, retrying=None)


def without_speed(reached: ProgressStatus) -> ProgressStatus:
    """Progress without what is true only while bytes flow; the same object when it has none of it."""
    figures = (reached.current_file, reached.bytes_per_second, reached.estimated_completion_time)
    if figures == (None, None, None) and reached.active_files is None and reached.network is None:
        return reached
    return reached.replace(
        current_file=None,
        active_files=None,
        bytes_per_second=None,
        network=None,
        estimated_completion_time=None,
    )


def assumed(known: ProgressStatus | None, estimate: Estimate | None) -> ProgressStatus | None:
    """Progress with the estimate in place of what the source has not reported."""
    known = _without_estimate(known)
    if estimate is None or (known is not None and known.bytes_total is not None):
        return known
    base = known if known is not None else ProgressStatus()
    done = base.bytes_done
    size = _at_least(estimate.bytes, done)
    files = _at_least(estimate.files, base.files_done) if base.files_total is None else base.files_total
    if (size, files) == (None, base.files_total):
        return known
    part = None if done is None or size is None else min(99, done * 100 // size)
    return base.replace(bytes_total=size, files_total=files, percent=part, estimated=True)


def _at_least(estimate: int | None, done: int | None) -> int | None:
    return estimate if estimate is not None and estimate >= (done or 0) else None


def _without_estimate(progress: ProgressStatus | None) -> ProgressStatus | None:
    """Progress without what an estimate stood in for."""
    if progress is None or not progress.estimated:
        return progress
    return progress.replace(bytes_total=None, files_total=None, percent=None, estimated=None)


def completed(
    before: ProgressStatus | None, report: protocol.Progress | None, network_before: int
) -> ProgressStatus:
    """Progress of a complete sync: all bytes of all files, whether or not the worker knew how many."""
    last = _without_estimate(ended(before, report, network_before)) or ProgressStatus()
    total = last.bytes_done if last.bytes_total is None else last.bytes_total
    files = last.files_done if last.files_total is None else last.files_total
    return last.replace(bytes_total=total, bytes_done=total, files_total=files, files_done=files, percent=100)


def _reached(before: ProgressStatus | None, report: protocol.Progress, network_before: int) -> ProgressStatus:
    before = _without_estimate(before)
    total, done, files = report.bytes_total, report.bytes_done, report.files_done
    if before is not None:
        total = before.bytes_total if total is None else total
        if total == before.bytes_total:
            done = max(done, before.bytes_done or 0)
            files = max(files, before.files_done or 0)
    files_total = report.files_total
    if files_total is None and before is not None:
        files_total = before.files_total
    if total is not None:
        done = min(done, total)
    return ProgressStatus(
        bytes_total=total,
        bytes_done=done,
        bytes_network=max(network_of(report, network_before), stored_network(before)),
        bytes_reused=report.bytes_reused if report.bytes_reused is not None else _reused(before),
        files_total=files_total,
        files_done=files if files_total is None else min(files, files_total),
        percent=_percent(done, total),
        layer=report.layer,
    )


def network_of(report: protocol.Progress, before: int) -> int:
    """Payload bytes of all attempts: of earlier ones what the status knows, or what the volume does."""
    return untrusted.at_most(max(before, report.bytes_network_before or 0) + report.bytes_network)


def _reused(progress: ProgressStatus | None) -> int | None:
    return progress.bytes_reused if progress is not None else None


def stored_network(progress: ProgressStatus | None) -> int:
    """Payload bytes that all attempts have received, as stored."""
    return (progress.bytes_network or 0) if progress is not None else 0


def _percent(done: int, total: int | None) -> int | None:
    if total is None:
        return None
    return 100 if total == 0 else done * 100 // total


def _forecast(before: ProgressStatus | None, received: datetime, remaining: float | None) -> datetime | None:
    """When it will be done; an older forecast stands while it still holds, so that it causes no write."""
    if remaining is None:
        return None
    new = received + timedelta(seconds=min(remaining, 10**8))
    old = before.estimated_completion_time if before is not None else None
    slack = max(_STEADY_SECONDS, remaining * _STEADY_PART)
    if old is not None and abs((old - new).total_seconds()) < slack:
        return old
    return new.replace(microsecond=0)


def _stage_text(progress: ProgressStatus) -> str | None:
    if progress.stage is None:
        return None
    far = progress.stage_progress or StageStatus()
    reported = display.counted(far.files_done, far.files_total, far.bytes_done, far.bytes_total)
    again = progress.retrying
    failed = ""
    if again is not None:  # what the origin asked for is no failure
        failed = f", {again.tries} of {again.most_tries} tries failed" if again.tries else ", waiting"
    return (f"{progress.stage} {reported}" if reported else str(progress.stage)) + failed


def _amount(done: int, total: int | None, about: str, *, downloading: bool) -> str | None:
    """Bytes done; the dots that say that it goes on only while it does, and then no word of nothing."""
    if downloading or total is not None:
        return display.amount(done, total, about=about)
    return f"Downloaded {display.size(done)}" if done else None


def for_people(spec: ModelSyncSpec, progress: ProgressStatus | None, *, downloading: bool) -> Display:
    """The same as text; speed and time left only while bytes flow."""
    claim, path = spec.target_dir
    shown = Display(source=spec.source.summary[:500], target=f"pvc/{claim}" + (f":{path}" if path else ""))
    if progress is None:
        return shown
    shown = shown.replace(stage=_stage_text(progress))
    done, total = progress.bytes_done, progress.bytes_total
    about = display.ABOUT if progress.estimated else ""
    if total is not None:
        shown = shown.replace(size=about + display.size(total))
    if done is None:
        return shown
    speed = progress.bytes_per_second if downloading else None
    left = display.seconds_left(done, total, speed)
    return shown.replace(
        amount=_amount(done, total, about, downloading=downloading),
        progress=None if total is None else about + display.percent(done, total),
        speed=None if speed is None else display.speed(speed),
        eta=None if left is None else about + display.duration(left),
    )
