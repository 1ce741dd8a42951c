"""How fast bytes come in, and since when none did.

A speed that jumps with every packet cannot be read, and one averaged over the whole download hides what
happens now. So samples are at least 100 ms apart, the last 10 are kept, and the speed is that of the last 5.
"""

import collections
import threading
import time
from collections.abc import Callable

SPACING_SECONDS = 0.1
KEPT = 10
AVERAGED = 5


class Meter:
    """Counts bytes and tells their speed. Thread-safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._total = 0
        self._last_byte = clock()
        self._samples: collections.deque[tuple[float, int]] = collections.deque(maxlen=KEPT)

    @property
    def total(self) -> int:
        """All bytes counted."""
        return self._total

    @property
    def samples(self) -> tuple[tuple[float, int], ...]:
        """Times of the clock and totals, the oldest first; none before the first byte, at most 10."""
        with self._lock:
            return tuple(self._samples)

    def add(self, count: int) -> None:
        """Count received bytes."""
        with self._lock:
            self._total += count
            self._last_byte = self._clock()
            if not self._samples:
                # From here on, and not from the start: looking up files is no slow download.
                self._samples.append((self._last_byte, self._total))
            self._sample(self._last_byte)

    def touch(self) -> None:
        """Bytes come, though nobody can tell yet how many of them count."""
        with self._lock:
            self._last_byte = self._clock()

    def rate(self) -> float | None:
        """Bytes per second over the last 5 samples; None until there are two: a first byte and more."""
        with self._lock:
            self._sample(self._clock())
            recent = list(self._samples)[-AVERAGED:]
        if len(recent) < 2:
            return None
        (start, before), (end, after) = recent[0], recent[-1]
        return (after - before) / (end - start)

    def idle_seconds(self) -> float:
        """Seconds since the last byte, or since the start when none came yet."""
        with self._lock:
            return max(0.0, self._clock() - self._last_byte)

    def _sample(self, now: float) -> None:
        if self._samples and now - self._samples[-1][0] >= SPACING_SECONDS:
            self._samples.append((now, self._total))
