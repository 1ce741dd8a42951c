"""How many connections an origin gets: as many as it bears.

Some origins refuse connections or requests beyond a number that they do not publish (refused, 429, 503). Each
refusal halves the connections that may ask, and every quiet while lets one more try: the rule by which TCP
finds a link's capacity (additive increase, multiplicative decrease; RFC 5681), a level higher.
"""

import threading
import time
from collections.abc import Callable

QUIET_SECONDS = 5.0
"""Without a refusal for so long, one more connection may ask."""
HALVING_SECONDS = 1.0
"""Refusals that come together count once: they speak of the same moment."""


class Gate:
    """Admits connections by their number. Thread-safe."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._allowed = most
        self._changed = clock() - HALVING_SECONDS
        self._lock = threading.Lock()

    def admits(self, number: int) -> bool:
        """Whether the connection with this number, from 0, may ask now."""
        with self._lock:
            now = self._clock()
            if self._allowed < self._most and now - self._changed >= QUIET_SECONDS:
                self._allowed, self._changed = self._allowed + 1, now
            return number < self._allowed

    def refused(self) -> None:
        """The origin wants fewer."""
        with self._lock:
            now = self._clock()
            if now - self._changed >= HALVING_SECONDS or self._allowed == self._most:
                self._allowed, self._changed = max(1, self._allowed // 2), now
