"""One rate for all connections together, changeable while they run.

Each chunk books its time on a shared schedule and sleeps until it is over. The schedule may lag behind
the clock by `BURST`, so that a late wake-up is caught up with instead of adding up to a lower rate.
"""

import asyncio
import re
import time

BURST = 0.1
"""Seconds of sending that an idle or late pacer may make up for."""
MAX_CHUNK, MIN_CHUNK = 256 * 1024, 1024
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


class Pacer:
    """A token bucket in bytes per second; no rate means as fast as it goes."""

    def __init__(self, rate: float | None = None) -> None:
        self.rate = rate
        self._booked_until = 0.0

    @property
    def chunk(self) -> int:
        """Bytes to send at once: about a hundredth of a second's worth, for an even flow."""
        return MAX_CHUNK if self.rate is None else int(min(MAX_CHUNK, max(MIN_CHUNK, self.rate / 100)))

    async def take(self, count: int) -> None:
        """Wait until `count` bytes may have been sent."""
        rate = self.rate
        if rate is None:
            return
        now = time.monotonic()
        self._booked_until = max(self._booked_until, now - BURST) + count / rate
        if self._booked_until > now:
            await asyncio.sleep(self._booked_until - now)


def parse_rate(text: str) -> float:
    """Read bytes per second from text such as `3MB` or `500K` (decimal units); ValueError with the mend."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", text.strip(), re.IGNORECASE)
    if match is None or float(match[1]) == 0:
        raise ValueError(f"rate {text!r}: give bytes per second above 0, such as 3MB or 500K")
    return float(match[1]) * _UNITS[match[2].upper()]
