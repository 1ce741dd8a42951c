"""What several ModelSyncs brought, for the end of a batch: models, bytes, time, speeds, failures."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from modelsync.api.common import display
from modelsync.reading import amounts, sums
from modelsync.reading.values import Bytes, Completion, Failure, Row, Speed

MOST_FAILURES = 50


def of(rows: Sequence[Row], peak: int | None = None) -> Completion:
    """The rows, summed up; `peak` is the highest speed seen, in bytes per second."""
    failed = [row for row in rows if row.counted == "failed"]
    network, seconds = _sum(row.bytes_network for row in rows), _seconds(rows)
    found = Completion(
        complete_text=sums.complete_text(sums.counts(rows)),
        network=network,
        reused=_sum(row.bytes_reused for row in rows),
        duration_seconds=seconds,
        duration_text=None if seconds is None else display.duration(seconds),
        average=amounts.speed(round((network.done or 0) / seconds)) if seconds else None,
        peak=amounts.speed(peak),
        failures=tuple(_failure(row) for row in failed[:MOST_FAILURES]),
        failed=len(failed),
        text="",
    )
    return found.replace(text="\n".join(_lines(found)))


def _failure(row: Row) -> Failure:
    return Failure(namespace=row.namespace, name=row.name, reason=row.reason, message=row.message)


def _sum(counts: Iterable[int | None]) -> Bytes:
    return amounts.of(sum(count or 0 for count in counts), None)


def _seconds(rows: Sequence[Row]) -> int | None:
    """From the first start to the last end of those that are complete."""
    spans = [_span(row) for row in rows]
    known = [span for span in spans if span is not None]
    if not known:
        return None
    return max(0, int((max(end for _, end in known) - min(start for start, _ in known)).total_seconds()))


def _span(row: Row) -> tuple[datetime, datetime] | None:
    return None if row.started is None or row.completed is None else (row.started, row.completed)


def _lines(found: Completion) -> Iterable[str]:
    yield f"Complete: {found.complete_text}"
    yield f"From the network: {found.network.text}"
    yield f"Reused: {found.reused.text}"
    yield f"Duration: {found.duration_text or '-'}"
    yield f"Average speed: {_speed(found.average)}"
    yield f"Peak speed: {_speed(found.peak)}"
    for one in found.failures:
        yield f"Failed: {one.namespace}/{one.name}: {one.reason or '?'}: {one.message or ''}".rstrip(": ")
    if found.failed > len(found.failures):
        yield f"Failed: {found.failed - len(found.failures)} more"


def _speed(speed: Speed | None) -> str:
    return "-" if speed is None else speed.text
