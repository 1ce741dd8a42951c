"""Speeds of the past: an hour in steps of 5 s and a day in steps of a minute, within bounds.

A series holds four bytes a step from its first figure to its last one, so a sync that downloads for ten
minutes costs 500 bytes and not a whole day's ring: measured are 13.9 MiB for a day of 5,000 syncs, 100 of
them at a time (`python -m tests.reading.speeds_measured`). All series together hold at most MOST_STEPS;
beyond that, the one that was recorded longest ago is dropped. Nothing is stored: an operator's restart cuts
the history, and a series says where.
"""

import math
from array import array
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import AwareDatetime

from modelsync.api.common.base import Value

TOTAL = "total"
MOST_STEPS = 3_000_000
"""12 MB of figures: 100 downloads at once for a whole day are 0.5 million."""
MOST_SERIES = 12_000
"""Each costs some 500 bytes besides its figures."""
_SPANS = {"5m": (5, 60), "1h": (5, 720), "24h": (60, 1440)}
"""Seconds a step, and how many are shown."""
_KEPT = ((5, 720), (60, 1440))
_NONE = math.nan


class Keeper(StrEnum):
    """Who keeps a record."""

    OPERATOR = "Operator"
    """The operator that acts: whether anybody looks or not."""
    WEB_SERVER = "WebServer"
    """The server of the page: while somebody with these rights looks, and for five minutes after."""


class CutReason(StrEnum):
    """Why nothing is known of the time before a record."""

    OPERATOR_STARTED = "OperatorStarted"
    """The operator was restarted, or another replica acts since then."""
    PAGE_OPENED = "PageOpened"
    """Nobody with these rights looked, or the page's server was restarted."""
    CLOCK_SET_BACK = "ClockSetBack"
    """The keeper's clock was set back by more than a minute."""


class Series(Value):
    """Speeds of one thing in equal steps, the oldest first."""

    start: AwareDatetime
    """When the first step began."""
    step_seconds: int
    down: tuple[int | None, ...]
    """Bytes per second on average over a step; None where nothing ran, or where it is unknown."""
    up: tuple[int | None, ...] = ()
    """The same for bytes that the workers' network devices send; empty for a ModelSync and for a queue."""
    since: AwareDatetime
    """When the present record began."""
    cut: AwareDatetime | None = None
    """The same, if that is within the steps: nothing is known of the time before."""
    cut_reason: CutReason | None = None
    """Why it begins there."""
    kept_by: Keeper = Keeper.WEB_SERVER
    """Who keeps the record."""


class _Ring:
    """Averages of equal steps from the first one recorded to the last, at most so many."""

    __slots__ = ("_count", "_first", "_most", "_step", "values")

    def __init__(self, step: int, most: int) -> None:
        self._step, self._most = step, most
        self._first = self._count = 0
        self.values = array("f")

    def add(self, second: float, figure: float) -> int:
        """Take a figure in; returns by how many steps the ring has grown."""
        slot, before = int(second // self._step), len(self.values)
        last = self._first + before - 1
        if not before or slot - last >= self._most:
            self.values, self._first, self._count = array("f", [figure]), slot, 1
        elif slot > last:
            self.values.extend([_NONE] * (slot - last - 1))
            self.values.append(figure)
            self._count = 1
        elif slot == last:
            self._count += 1
            self.values[-1] += (figure - self.values[-1]) / self._count
        over = len(self.values) - self._most
        if over > 0:
            del self.values[:over]
            self._first += over
        return len(self.values) - before

    def last(self, second: float, steps: int) -> tuple[int | None, ...]:
        """The steps up to the one that a time is in."""
        end = int(second // self._step) + 1
        begin, known = end - steps, self._first + len(self.values)
        low, high = max(begin, self._first), min(end, known)
        if low >= high:
            return (None,) * steps
        held = self.values[low - self._first : high - self._first]
        figures = [None if math.isnan(each) else int(each) for each in held]
        return (*(None,) * (low - begin), *figures, *(None,) * (end - high))


class History:
    """Speeds by key (`speed_record` has the keys); no clock: the recorder says when."""

    def __init__(self, started: datetime, *, most_steps: int = MOST_STEPS) -> None:
        self._started = started
        self._most_steps = most_steps
        self._series: OrderedDict[str, tuple[_Ring, ...]] = OrderedDict()
        """By the time of their last record, the oldest first."""
        self._up = tuple(_Ring(*each) for each in _KEPT)
        self.steps = 0
        """Of all series but that of bytes sent."""

    def record(self, now: datetime, speeds: Mapping[str, float], up: float | None = None) -> None:
        """Take in the speeds of what downloads now, and what all send; each 5 s or more often."""
        second = now.timestamp()
        for key, speed in speeds.items():
            rings = self._series.get(key)
            if rings is None:
                rings = self._series[key] = tuple(_Ring(*each) for each in _KEPT)
            self._series.move_to_end(key)
            self.steps += sum(ring.add(second, speed) for ring in rings)
        if up is not None:
            for ring in self._up:
                ring.add(second, up)
        while len(self._series) > 1 and (self.steps > self._most_steps or len(self._series) > MOST_SERIES):
            self.forget(next(iter(self._series)))

    def forget(self, key: str) -> None:
        """Drop a series, as of a sync that is gone."""
        for ring in self._series.pop(key, ()):
            self.steps -= len(ring.values)

    def keys(self) -> tuple[str, ...]:
        """All series."""
        return tuple(self._series)

    def series(self, key: str, span: str, now: datetime) -> Series:
        """A series of the last `5m`, `1h` or `24h`; raises ValueError for another span."""
        if span not in _SPANS:
            raise ValueError(f"span: {span!r} must be one of {', '.join(_SPANS)}")
        step, steps = _SPANS[span]
        which, second = [each[0] for each in _KEPT].index(step), now.timestamp()
        rings = self._series.get(key)
        start = datetime.fromtimestamp((int(second // step) - steps + 1) * step, UTC)
        return Series(
            start=start,
            step_seconds=step,
            down=(None,) * steps if rings is None else rings[which].last(second, steps),
            up=self._up[which].last(second, steps) if key == TOTAL else (),
            since=self._started,
            cut=self._started if self._started > start else None,
        )
