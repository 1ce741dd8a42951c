"""`kubectl modelsync wait`: until downloads are over, with an exit code that says how it went."""

import time
from collections.abc import Iterable, Sequence

import click

from modelsync.kubectl import client, options, tables
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError
from modelsync.reading import forecast, rows
from modelsync.reading.values import Row

COMPLETE, FAILED, CANCELLED, TIMEOUT = 0, 1, 3, 124
"""Exit codes; 124 is that of timeout(1)."""
_TICK = 2.0
_WORD = len("Downloading")
"""The longest word of a badge."""


@click.command("wait")
@options.names()
@click.option("--timeout", default="0", help="Longest wait, such as 6h; 0 is no limit.")
@options.on_cluster
def command(cluster: Cluster, names: tuple[str, ...], timeout: str) -> None:
    """Wait until all are over: exit code 0 complete, 1 failed, 3 cancelled, 124 timeout.

    Leaving it stops no download.
    """
    raise SystemExit(until_over(cluster, names, options.seconds(timeout, "--timeout")))


def until_over(cluster: Cluster, names: Sequence[str], limit: float) -> int:
    """Wait for all, showing how far they are; returns the exit code."""
    memory, screen = forecast.Forecasts(), Screen()
    end = time.monotonic() + limit if limit else None
    while True:
        now = options.now()
        found = [rows.read(_read(cluster, name), now, memory) for name in names]
        screen.show(found)
        if all(row.finished for row in found):
            return outcome(found)
        if end is not None and time.monotonic() >= end:
            options.warn("error: timed out; the downloads go on")
            return TIMEOUT
        time.sleep(_TICK)


def outcome(found: Iterable[Row]) -> int:
    """The exit code of rows that are over: a failure counts before a cancellation."""
    words = {row.badge.word for row in found}
    return FAILED if "Failed" in words else CANCELLED if "Cancelled" in words else COMPLETE


def _read(cluster: Cluster, name: str) -> dict[str, object]:
    """A ModelSync; an API server that is away for a moment ends no wait."""
    path, about = client.syncs(cluster.namespace, name), f"modelsync {cluster.namespace}/{name}"
    for _ in range(5):
        try:
            found: dict[str, object] = cluster.client.get(path, about)
            return found
        except CommandError as problem:
            if 0 < problem.status < 500:
                raise
            time.sleep(_TICK)
    found = cluster.client.get(path, about)
    return found


class Screen:
    """Bars that are redrawn on a terminal; elsewhere a line for each change of state."""

    def __init__(self) -> None:
        self._drawn = 0
        self._states: dict[str, str] = {}

    def show(self, found: Sequence[Row]) -> None:
        """Show how far they are."""
        if not tables.on_terminal():
            for row in found:
                if self._states.get(row.name) != row.badge.word:
                    self._states[row.name] = row.badge.word
                    options.say(line(row))
            return
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        wide = tables.width()
        name = max((len(row.name) for row in found), default=0)
        text = "\n".join(f"\x1b[2K{tables.shortened(line(row, name), wide)}" for row in found)
        options.say(up + text)
        self._drawn = len(found)


def line(row: Row, name: int | None = None) -> str:
    """A row in one line; with a bar and in columns where `name` is the width of the longest name."""
    columns = name is not None
    bar = tables.bar(row.bytes.percent, 16) if columns and row.bytes.percent is not None else None
    pace = row.speed.text if row.speed is not None else None
    left = row.eta.text if row.eta is not None else None
    reason = row.message if row.badge.word in ("Failed", "Blocked", "Retrying") and not columns else None
    word = row.badge.word.ljust(_WORD) if columns else row.badge.word
    parts = (row.name.ljust(name or 0), word, bar, row.bytes.percent_text, row.bytes.text, pace, left, reason)
    return "  ".join(part for part in parts if part).rstrip()
