"""One rate for all connections together, changeable while they run.

Each step books its time on a shared schedule and waits until it is over. A wake-up that is late by less than
`LATE` is caught up with instead of adding up to a lower rate; after a longer pause the schedule begins again,
so that idle time gives no burst.
"""

import re
import threading
import time
from collections.abc import Callable

LATE = 0.25
"""Seconds by which the schedule may lag behind the clock."""
MOST_STEP, LEAST_STEP = 64 * 1024, 1024
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


class Pacer:
    """A token bucket in bytes per second; no rate means as fast as it goes. Thread-safe."""

    def __init__(
        self,
        rate: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.rate = rate
        self._clock, self._sleep = clock, sleep
        self._booked_until = 0.0
        self._lock = threading.Lock()

    @property
    def step(self) -> int:
        """Bytes to send at once: about a hundredth of a second's worth, for an even flow."""
        return MOST_STEP if self.rate is None else int(min(MOST_STEP, max(LEAST_STEP, self.rate / 100)))

    def take(self, count: int) -> None:
        """Wait until `count` bytes may have been sent."""
        rate = self.rate
        if rate is None:
            return
        with self._lock:
            now = self._clock()
            begin = self._booked_until if self._booked_until > now - LATE else now
            self._booked_until = begin + count / rate
            wait = self._booked_until - now
        if wait > 0:
            self._sleep(wait)


def parse_rate(text: str) -> float:
    """Read bytes per second from text such as `3MB` or `500K` (decimal units); ValueError with the fix."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", text.strip(), re.IGNORECASE)
    if match is None or float(match[1]) == 0:
        raise ValueError(f"rate {text!r}: give bytes per second above 0, such as 3MB or 500K")
    return float(match[1]) * _UNITS[match[2].upper()]
