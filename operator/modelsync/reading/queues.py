"""A SyncQueue and the rows that name it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from modelsync.api.reasons import QueueReason
from modelsync.reading import sums
from modelsync.reading.fields import Fields, seconds_since
from modelsync.reading.values import Counts, Queue, Row

MOST_NAMES = 3


def name_of(queue: Mapping[str, Any]) -> str:
    """The queue's name; empty where the object has none."""
    return Fields(queue).of("metadata").text("name", 253) or ""


def read(queue: Mapping[str, Any], rows: Sequence[Row], now: datetime) -> Queue:
    """A queue by its status; what an operator that never saw it does not say is taken from the rows."""
    fields = Fields(queue)
    spec, status = fields.of("spec"), fields.of("status")
    active, slots = status.count("active"), spec.count("maxActive")
    names, running_text = _running(status, rows)
    counted = _counts(status, sums.counts(rows))
    closed = _closed(spec, status)
    since = status.time("oldestWaitSince") or _oldest(rows)
    return Queue(
        name=name_of(queue),
        namespace=fields.of("metadata").text("namespace", 63),
        slots_used=sums.counts(rows).active if active is None else active,
        slots=1 if slots is None else slots,
        running=names,
        running_text=running_text,
        counts=counted,
        state=sums.state(rows, counted, admits=closed is None),
        admits=closed is None,
        message=closed,
        oldest_wait_since=since,
        oldest_wait_seconds=seconds_since(since, now),
    )


def missing(name: str, rows: Sequence[Row], now: datetime) -> Queue:
    """A queue that rows name and that is not there, or that the caller may not see."""
    since, counted = _oldest(rows), sums.counts(rows)
    absent = any(row.place is not None and row.place.reason == QueueReason.QUEUE_NOT_FOUND for row in rows)
    message = "no SyncQueue of this name exists" if absent else None
    names, text = _named([f"{row.namespace}/{row.name}" for row in rows if row.badge.active])
    return Queue(
        name=name,
        exists=not absent,
        running=names,
        running_text=text,
        counts=counted,
        state=sums.state(rows, admits=not absent),
        admits=not absent,
        message=message,
        oldest_wait_since=since,
        oldest_wait_seconds=seconds_since(since, now),
    )


def _counts(status: Fields, seen: Counts) -> Counts:
    """The status' figures before those of the rows."""

    def figure(name: str, else_: int) -> int:
        reported = status.count(name)
        return else_ if reported is None else reported

    found = {
        "active": figure("active", seen.active),
        "waiting": figure("waiting", seen.waiting),
        "complete": figure("complete", seen.complete),
        "failed": figure("failed", seen.failed),
        "cancelled": figure("cancelled", seen.cancelled),
        "paused": seen.paused,
        "other": seen.other,
    }
    return Counts(total=sum(found.values()), **found)


def _running(status: Fields, rows: Sequence[Row]) -> tuple[tuple[str, ...], str | None]:
    reported = status.texts("running", MOST_NAMES)
    active = status.count("active")
    if active is None:
        return _named(sorted(f"{row.namespace}/{row.name}" for row in rows if row.badge.active))
    return reported, _text(reported, max(active, len(reported)))


def _named(names: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    shown = tuple(names[:MOST_NAMES])
    return shown, _text(shown, len(names))


def _text(shown: Sequence[str], of: int) -> str | None:
    more = of - len(shown)
    return ", ".join(shown) + (f" +{more} more" if more else "") if shown else None


def _closed(spec: Fields, status: Fields) -> str | None:
    """Why the queue admits nothing; its own spec counts before a status that is behind."""
    if spec.flag("suspend"):
        return "the queue is suspended (spec.suspend)"
    if spec.count("maxActive") == 0:
        return "the queue has no slots (spec.maxActive is 0)"
    for one in status.each("conditions", 50):
        condition = one.text("type"), one.text("status"), one.text("reason")
        if condition == ("Ready", "False", QueueReason.DOWNLOADS_DISABLED):
            return one.text("message") or "downloads are disabled in the operator"
    return None


def _oldest(rows: Sequence[Row]) -> datetime | None:
    waits = [row.place.since for row in rows if row.place is not None and row.place.since is not None]
    return min(waits, default=None)
