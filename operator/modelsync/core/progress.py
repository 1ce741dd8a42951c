"""Progress for machines and for people, from what a worker reported.

Reports are not trusted: numbers are clamped to `0 ≤ done ≤ total` and the done part never falls while the
total stays, since a worker that takes over another's work needs a moment to find out how far that was.
"""

from datetime import datetime, timedelta

from modelsync.api import display, wire
from modelsync.api.modelsync import Display, ModelSyncSpec, ProgressStatus
from modelsync.core.snapshot import Sample

_STEADY_SECONDS = 2.0
_STEADY_PART = 0.05


def running(before: ProgressStatus | None, sample: Sample) -> ProgressStatus:
    """Progress of a running attempt."""
    report = sample.report.progress
    reached = _reached(before, report)
    left = None if reached.bytes_total is None else reached.bytes_total - (reached.bytes_done or 0)
    speed = report.bytes_per_second
    return reached.but(
        current_file=report.current_file,
        bytes_per_second=speed,
        estimated_completion_time=_forecast(before, sample.received, left, speed),
        layer=report.layer,
    )


def ended(before: ProgressStatus | None, report: wire.Progress | None) -> ProgressStatus | None:
    """Progress that stays when no worker runs: no speed, no forecast, no current file."""
    reached = before if report is None else _reached(before, report)
    if reached is None:
        return None
    return reached.but(current_file=None, bytes_per_second=None, estimated_completion_time=None)


def completed(before: ProgressStatus | None, report: wire.Progress | None) -> ProgressStatus | None:
    """Progress of a complete sync: all bytes of all files."""
    last = ended(before, report)
    if last is None or last.bytes_total is None:
        return last
    return last.but(bytes_done=last.bytes_total, files_done=last.files_total, percent=100)


def _reached(before: ProgressStatus | None, report: wire.Progress) -> ProgressStatus:
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
        bytes_network=report.bytes_network,
        bytes_reused=report.bytes_reused,
        files_total=files_total,
        files_done=files if files_total is None else min(files, files_total),
        percent=_percent(done, total),
        layer=report.layer,
    )


def _percent(done: int, total: int | None) -> int | None:
    if total is None:
        return None
    return 100 if total == 0 else done * 100 // total


def _forecast(
    before: ProgressStatus | None, received: datetime, left: int | None, speed: int | None
) -> datetime | None:
    """When it will be done; an older forecast stands while it still holds, so that it causes no write."""
    if left is None or not speed:
        return None
    remaining = left / speed
    new = received + timedelta(seconds=min(remaining, 10**8))
    old = before.estimated_completion_time if before is not None else None
    slack = max(_STEADY_SECONDS, remaining * _STEADY_PART)
    if old is not None and abs((old - new).total_seconds()) < slack:
        return old
    return new.replace(microsecond=0)


def for_people(spec: ModelSyncSpec, progress: ProgressStatus | None, *, downloading: bool) -> Display:
    """The same as text; speed and time left only while bytes flow."""
    claim, path = spec.target_dir
    shown = Display(source=spec.source.summary[:500], target=f"pvc/{claim}" + (f":{path}" if path else ""))
    if progress is None or progress.bytes_done is None:
        return shown
    done, total, speed = progress.bytes_done, progress.bytes_total, progress.bytes_per_second
    return shown.but(
        amount=display.amount(done, total),
        progress=None if total is None else display.percent(done, total),
        size=None if total is None else display.size(total),
        speed=display.speed(speed) if downloading and speed is not None else None,
        eta=display.duration((total - done) / speed) if downloading and total is not None and speed else None,
    )
