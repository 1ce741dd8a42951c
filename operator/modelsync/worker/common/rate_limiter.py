"""A limit on bytes per second that all connections of a worker share.

Bytes are taken after they were read, and a thread then waits until the time has granted them: so no guess
about a read's size is needed, and the sum over all threads is exact. What was not used while the origin was
slow is kept for a moment only; a limit is there to spare others, and a burst would not. It is fair: bytes are
granted in the order in which they were taken, so no connection overtakes another one that waits.

A limit that is lowered binds what comes from then on. What was received, or asked for, under the old one was
right by that, and charging it at the new rate would silence the worker for minutes.
"""

import threading
import time
from collections.abc import Callable

from modelsync.worker.common.failures import Interrupted

BURST_SECONDS = 0.05
"""How much unused time is kept; the error of a limit over T seconds is at most this over T."""
RECHECK_SECONDS = 0.2
"""Longest wait before a waiting thread looks at the limit again, which may have been changed."""
GRANULE_SECONDS = BURST_SECONDS / 8
"""What one connection reads at once: what the usual number of them has read and was not yet granted is a
burst's worth, too."""
LEAST_GRANULE = 1024


class Limiter:
    """Grants bytes at a rate that may change at any time. Thread-safe."""

    def __init__(self, rate: int | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate` in bytes per second; None is unlimited."""
        self._clock = clock
        self._lock = threading.Lock()
        self._rate = _checked(rate)
        self._taken = 0.0
        self._granted = 0.0
        self._at = clock()

    @property
    def rate(self) -> int | None:
        """The limit in force in bytes per second; None is unlimited."""
        return self._rate

    def set_rate(self, rate: int | None) -> None:
        """Change the limit, also for bytes that are waited for at this moment; ValueError below 1."""
        checked = _checked(rate)
        with self._lock:
            self._grant()
            if checked is not None and self._rate is not None and checked < self._rate:
                # A thread that waits does so as long as before, and not longer.
                self._granted = self._taken - (self._taken - self._granted) * checked / self._rate
            self._rate = checked

    def granule(self, most: int) -> int:
        """How many bytes to read at once, so that a low limit gives an even flow rather than gulps."""
        rate = self._rate
        return most if rate is None else max(LEAST_GRANULE, min(most, int(rate * GRANULE_SECONDS)))

    def take(self, count: int, halt: threading.Event | None = None) -> None:
        """Wait until `count` bytes are granted; raises Interrupted when `halt` is set meanwhile."""
        with self._lock:
            self._grant()
            self._taken += min(count, self.granule(count))  # more was asked for under a higher limit only
            mine = self._taken
        stop = halt or threading.Event()
        while (wait := self._missing(mine)) > 0:
            if stop.wait(min(wait, RECHECK_SECONDS)):
                raise Interrupted

    def _missing(self, mine: float) -> float:
        """Seconds until the `mine`-th byte is granted at the present rate."""
        with self._lock:
            self._grant()
            if self._rate is None:
                return 0.0
            return (mine - self._granted) / self._rate

    def _grant(self) -> None:
        now = self._clock()
        passed, self._at = now - self._at, now
        if self._rate is None:
            self._granted = self._taken
            return
        most = self._taken + self._rate * BURST_SECONDS
        self._granted = min(self._granted + passed * self._rate, most)


def _checked(rate: int | None) -> int | None:
    if rate is not None and rate < 1:
        raise ValueError(f"a limit must be at least 1 byte per second, not {rate}")
    return rate
