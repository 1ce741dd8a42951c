"""`kubectl modelsync status NAME`: all that is known of one ModelSync, on one screen."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import click

from modelsync.api.common import display
from modelsync.kubectl import client, options, tables
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError
from modelsync.reading import events as event_reading
from modelsync.reading import rows, transfer_speed
from modelsync.reading.fields import Fields, seconds_since
from modelsync.reading.values import EventLine, Row

_LABEL = 11
_MOST_EVENTS = 10


@click.command("status")
@options.one_name
@options.on_cluster
def command(cluster: Cluster, name: str) -> None:
    """Show one ModelSync: progress, files, attempts, conditions, Events, and what to do."""
    namespace, now = cluster.namespace, options.now()
    found = cluster.client.get(client.syncs(namespace, name), f"modelsync {namespace}/{name}")
    row = rows.read(found, now)
    for line in screen(row, found, now):
        options.say(line)
    _say_events(cluster, row, now)


def screen(row: Row, found: dict[str, Any], now: datetime) -> Iterator[str]:
    """The lines of the screen, without Events."""
    yield from _summary(row)
    wide = max((len(file.bytes.text or "") for file in row.file_bars), default=0)
    for file in row.file_bars:
        yield f"  {tables.bar(file.bytes.percent, 16)}  {file.bytes.text or '':<{wide}}  {file.path}"
    conditions = [
        (one.text("type") or "", one.text("status") or "", one.text("reason") or "", _since(one, now))
        for one in Fields(found).of("status").each("conditions", 20)
    ]
    if conditions:
        yield ""
        yield from tables.lines(("CONDITION", "STATUS", "REASON", "SINCE"), conditions)
    if row.remedy is not None:
        yield ""
        yield _line("What to do", row.remedy.text)
        if row.remedy.command:
            yield _line("", row.remedy.command)


def _since(condition: Fields, now: datetime) -> str:
    return tables.age(seconds_since(condition.time("lastTransitionTime"), now))


def _summary(row: Row) -> Iterator[str]:
    state = tables.paint(tables.badge(row.badge, plain=not tables.on_terminal()), row.badge.colour)
    parts: list[tuple[str, str | None]] = [
        ("Name", f"{row.namespace}/{row.name}"),
        ("Status", f"{state}{_why(row)}"),
        ("Message", row.message if tables.says_more(row.message, row.badge) else None),
        ("Source", row.source + (f" ({row.revision[:12]})" if row.revision else "")),
        ("Target", row.target),
        ("Group", row.group),
        ("Progress", _progress(row)),
        ("Stage", row.stage if tables.says_more(row.stage, row.badge) else None),
        ("Files", _files(row)),
        ("Speed", _speed(row)),
        ("Queue", f"{row.queue}, priority {row.priority}" if row.place is None else row.place.text),
        ("Limit", f"{row.bandwidth_limit} bytes per second" if row.bandwidth_limit else None),
        ("Attempt", _attempt(row)),
        ("Worker", " on ".join(filter(None, (row.pod, row.node))) or None),
        ("Network", _network(row)),
        ("Took", display.duration(row.duration_seconds) if row.finished and row.duration_seconds else None),
    ]
    for label, text in parts:
        if text:
            yield _line(label, text)


def _line(label: str, text: str) -> str:
    return f"{label + ':' if label else '':<{_LABEL}} {text}"


def _why(row: Row) -> str:
    return f" ({row.reason})" if row.reason and row.reason != row.badge.word else ""


def _progress(row: Row) -> str | None:
    if row.bytes.text is None:
        return None
    shown = tables.bar(row.bytes.percent) + "  " if row.bytes.percent is not None else ""
    return f"{shown}{row.bytes.percent_text or ''}  {row.bytes.text}".strip()


def _files(row: Row) -> str | None:
    if row.files.text is None:
        return None
    return row.files.text + (f", now {row.files.current}" if row.files.current else "")


def _speed(row: Row) -> str | None:
    parts = [row.speed.text] if row.speed is not None else []
    if row.eta is not None:
        parts.append(row.eta.text if row.eta.seconds is None else f"{row.eta.text} left")
    age = row.figures_age_seconds
    if age is not None and transfer_speed.is_old(age):
        parts.append(f"figures are {display.duration(age)} old: is the operator running?")
    return ", ".join(parts) or None


def _attempt(row: Row) -> str | None:
    if row.attempt is None:
        return None
    again = row.attempt.next_time
    return row.attempt.text + (f", next at {again:%H:%M:%S} UTC" if again is not None else "")


def _network(row: Row) -> str | None:
    parts = []
    if row.bytes_network is not None:
        parts.append(f"{display.size(row.bytes_network)} received")
    if row.bytes_reused:
        parts.append(f"{display.size(row.bytes_reused)} found on the volume")
    return ", ".join(parts) or None


def _say_events(cluster: Cluster, row: Row, now: datetime) -> None:
    try:
        found = of_sync(cluster, row.namespace, row.name)
    except CommandError as problem:
        options.warn(f"Events are not shown: {problem}")
        return
    if found:
        options.say()
    for line in event_table(found[-_MOST_EVENTS:], now):
        options.say(line)


def of_sync(cluster: Cluster, namespace: str, name: str) -> tuple[EventLine, ...]:
    """The Events of a ModelSync."""
    about = f"involvedObject.kind=ModelSync,involvedObject.name={name}"
    found = cluster.client.list(client.core("events", namespace), "events", fieldSelector=about)
    return event_reading.read(found["items"])


def event_table(found: Iterable[EventLine], now: datetime) -> list[str]:
    """Events as a table; nothing where there are none."""
    cells = [
        (
            tables.age(seconds_since(one.time, now)),
            "Warning" if one.warning else "Normal",
            one.reason,
            one.message + (f" (x{one.count})" if one.count > 1 else ""),
        )
        for one in found
    ]
    return tables.lines(("AGE", "TYPE", "REASON", "MESSAGE"), cells) if cells else []
