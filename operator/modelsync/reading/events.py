"""Events about ModelSyncs as lines."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from modelsync.reading.fields import Fields
from modelsync.reading.values import EventLine

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def read(events: Iterable[Mapping[str, Any]]) -> tuple[EventLine, ...]:
    """Events of `v1` or `events.k8s.io/v1` as lines, the oldest first."""
    lines = [_line(Fields(event)) for event in events]
    return tuple(sorted(lines, key=lambda line: line.time or _LONG_AGO))


def _line(event: Fields) -> EventLine:
    series, about = event.of("series"), event.of("involvedObject") or event.of("regarding")
    times = (
        series.time("lastObservedTime"),
        event.time("lastTimestamp") or event.time("deprecatedLastTimestamp"),
        event.time("eventTime"),
        event.of("metadata").time("creationTimestamp"),
    )
    count = series.count("count") or event.count("count") or event.count("deprecatedCount")
    return EventLine(
        time=next((time for time in times if time is not None), None),
        warning=event.text("type") == "Warning",
        reason=event.text("reason", 128) or "",
        message=event.text("message") or event.text("note") or "",
        count=count or 1,
        namespace=about.text("namespace", 63),
        name=about.text("name", 253),
    )
