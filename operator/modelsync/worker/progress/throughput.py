"""How fast bytes come in, and since when none did.

A speed that jumps with every packet cannot be read, and one averaged over the whole download hides what
happens now. So it is a rolling average over the last 5 samples of 10 that are kept, and samples last as long
as the engine needs to deliver: one ends when bytes arrive, at the earliest 4 s after the one before.
Libraries write 10 MB or 64 MiB at a time; measured from arrival to arrival their speed is right, where
samples of a fixed length see nothing and then a gulp. At the beginning samples are shorter, so that the first
figure comes early; a beginning in which 24 connections deliver at once must not make the time left jump, so
the speed shown moves by a bounded factor a second.
"""

import collections
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

KEPT = 10
AVERAGED = 5
SPACING_SECONDS = 4.0
"""Least length of a sample, which makes a window of 20 s."""
FIRST_SPACING_SECONDS = 0.25
FIRST_FIGURE_SECONDS = 1.5
"""What the samples must span before they are a speed."""
STOPPED_SECONDS = 10.0
"""Silence of the network that is no speed any more."""
FALLS, RISES = 1.4, 1.6
"""Most factors in a second: with both, the time left moves by less than half of itself."""
BURST = 8
"""No burst of a steady download makes a speed so many times higher: what does is another speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The end of a sample, which is the start of the next one."""

    time: float
    """Of the clock."""
    total: int
    """Bytes counted until then."""
    largest: int
    """The most bytes that came at once in it."""


class Meter:
    """Counts bytes and measures their speed. Thread-safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._total = 0
        self._begun = self._last_sign = clock()
        self._largest = 0
        self._due = self._begun
        """When the next sample ends, at the earliest."""
        self._samples: collections.deque[Sample] = collections.deque(maxlen=KEPT)
        self._shown: tuple[float, float] | None = None
        """When a speed was asked for, and which was the answer."""

    @property
    def clock(self) -> Callable[[], float]:
        """The clock of all figures."""
        return self._clock

    @property
    def total(self) -> int:
        """All bytes counted."""
        return self._total

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The oldest first; none before the first byte, at most 10."""
        with self._lock:
            return tuple(self._samples)

    def add(self, count: int) -> None:
        """Count received bytes."""
        with self._lock:
            now = self._clock()
            if not self._samples or self._stopped(now):
                # From here on, not from the start or over a silence: listing files is no slow download.
                self._samples.clear()
                self._begun, self._shown = now, None
            self._total += count
            self._last_sign = now
            if count > self._largest:
                self._largest = count
            if not self._samples or now >= self._due:
                self._samples.append(Sample(time=now, total=self._total, largest=self._largest))
                self._largest = 0
                self._due = self._sample_due(now)

    def touch(self) -> None:
        """Bytes come, though it is not known yet how many of them count."""
        with self._lock:
            now = self._clock()
            if self._stopped(now):
                self._samples.clear()
            self._last_sign = now

    def rate(self) -> float | None:
        """Bytes per second over the last 5 samples, 0 when bytes stopped; None while it is too early."""
        with self._lock:
            now = self._clock()
            window = list(self._samples)[-AVERAGED - 1 :]
            if not window or window[-1].time - window[0].time < FIRST_FIGURE_SECONDS:
                return None
            if self._stopped(now):
                return 0.0
            found = self._measured(window, now)
            if self._shown is not None:
                before, speed = self._shown
                passed = min(now - before, 60.0)
                highest = found if found > BURST * speed else speed * RISES**passed
                found = min(max(found, speed / FALLS**passed), highest)
            self._shown = now, found
            return found

    def idle_seconds(self) -> float:
        """Seconds since the last byte, or since the start when none came yet."""
        with self._lock:
            return max(0.0, self._clock() - self._last_sign)

    def _measured(self, samples: list[Sample], now: float) -> float:
        """Bytes per second from the end of one sample to that of the last."""
        last = samples[-1]
        # Where an engine needs long to deliver, the samples that make a window are few.
        far = [each for each in samples if last.time - each.time >= AVERAGED * SPACING_SECONDS]
        first = far[-1] if far else samples[0]
        measured = (last.total - first.total) / (last.time - first.time)
        # What is overdue slows it down; a delivery that may be about to come counts as if it were here.
        due = max(each.largest for each in samples)
        return min(measured, (self._total + due - first.total) / (now - first.time))

    def _sample_due(self, last: float) -> float:
        """When the sample that begins at `last` ends: it has a fifth of what was seen by then, until five of
        them make a window. Its length x solves x = (last + x - begun) / AVERAGED."""
        fifth = (last - self._begun) / (AVERAGED - 1)
        return last + min(SPACING_SECONDS, max(FIRST_SPACING_SECONDS, fifth))

    def _stopped(self, now: float) -> bool:
        return now - self._last_sign >= STOPPED_SECONDS
