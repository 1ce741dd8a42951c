"""Time left, without jumps.

A speed swings, and time left computed again at each tick swings with it: people then trust neither. So a
forecast is remembered: it counts down by itself, moves towards what the present speed says, and by no more
than half of itself at once.
"""

import math
from dataclasses import dataclass
from datetime import datetime

from modelsync.api.common import display
from modelsync.reading.values import Eta, EtaState

HALF = 0.5
_SMOOTH_SECONDS = 10.0
"""After so long, two thirds of a change of speed have come through: status speeds are of 20 s already."""
_FORGOTTEN_SECONDS = 120.0
"""A forecast that was not asked for so long says nothing of the present."""
_DAY = 86_400
_MOST_REMEMBERED = 20_000
"""Keys: 5,000 syncs with their groups and queues, four times over."""


@dataclass(frozen=True, slots=True)
class _Known:
    at: datetime
    seconds: float


class Forecasts:
    """Forecasts by key, each remembered from one reading to the next; for one thread."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def seconds(self, key: str, now: datetime, raw: float) -> float:
        """The time left to show, for what the present speed says."""
        before = self._known.pop(key, None)
        shown = raw if before is None else _smoothed(before, now, raw)
        if len(self._known) >= _MOST_REMEMBERED:  # the first is the one that was asked for longest ago
            del self._known[next(iter(self._known))]
        self._known[key] = _Known(now, shown)
        return shown

    def forget(self, key: str) -> None:
        """Begin again: nothing comes any more."""
        self._known.pop(key, None)


def _smoothed(before: _Known, now: datetime, raw: float) -> float:
    elapsed = (now - before.at).total_seconds()
    expected = before.seconds - elapsed
    if not 0 <= elapsed <= _FORGOTTEN_SECONDS or expected <= 0:
        return raw
    nearer = expected + (raw - expected) * (1 - math.exp(-elapsed / _SMOOTH_SECONDS))
    return min(max(nearer, expected * (1 - HALF)), expected * (1 + HALF))


def eta(
    memory: Forecasts | None,
    key: str,
    now: datetime,
    *,
    remaining: int | None,
    speed: int | None,
    at_least: bool = False,
) -> Eta | None:
    """Time left of a download that runs; None where nothing comes, or where its end cannot be known.

    `at_least` says that `remaining` misses what is not known yet.
    """
    raw = None if remaining is None or not speed else remaining / speed
    if raw is None:
        if memory is not None:
            memory.forget(key)
        calculating = remaining is not None and speed is None
        return Eta(state=EtaState.CALCULATING, text=EtaState.CALCULATING) if calculating else None
    shown = raw if memory is None else memory.seconds(key, now, raw)
    seconds = math.ceil(shown)
    if seconds > _DAY:
        return Eta(state=EtaState.LONG, seconds=min(seconds, 2**53), text="> 1 day")
    text = display.duration(seconds)
    return Eta(state=EtaState.KNOWN, seconds=seconds, text=f"≥ {text}" if at_least else text)
