"""Whether a download is slower than its queue allows: SyncQueue's `minimumRate`.

Silence is the watchdog's; an origin that sends a byte each two seconds is never silent, and would hold its
slot forever. Judged is the average over a window, so that a pause inside of it costs nothing. Nobody is
ended for a limit of our own: half of the bandwidth limit in force is always fast enough. Nor for a wait that
the origin asked for (Retry-After), which makes the window longer; but only so much longer, or an origin could
ask for waits between its bytes forever.
"""

from collections.abc import Callable

WINDOW_SECONDS = 600.0
"""Longest window: who sets progressDeadlineSeconds must not stretch what the queue's owner asks for."""
LONGEST_WINDOWS = 10
"""A window with all waits that an origin asked for, in windows without."""
LIMITED_SHARE = 0.5


class Slowness:
    """Judges the bytes of a download, window by window."""

    def __init__(self, rate: int, deadline_seconds: float, limit: Callable[[], int | None]) -> None:
        """`rate` in bytes per second; `limit` gives the bandwidth limit in force, None for none."""
        self._limit = limit
        self._rate = rate
        self.window_seconds = min(float(deadline_seconds), WINDOW_SECONDS)
        self._least = float(rate)
        """The least that was asked for at any time of this window."""
        self._begin(0)

    def look(self, seconds: float, total: int, *, excused: bool) -> bool:
        """Whether it is too slow, after so many seconds since the last look.

        `total` are the bytes that came so far; `excused` says whether the origin has asked to wait.
        """
        self._least = min(self._least, self._enough())
        if excused:
            self._excused += seconds
        else:
            self._counted += seconds
        passed = self._counted + self._excused
        if self._counted < self.window_seconds and passed < LONGEST_WINDOWS * self.window_seconds:
            return False
        slow = total - self._from < self._least * max(self._counted, self.window_seconds)
        self._begin(total)
        return slow

    def _begin(self, total: int) -> None:
        self._from, self._counted, self._excused = total, 0.0, 0.0
        self._least = self._enough()

    def _enough(self) -> float:
        limit = self._limit()
        return float(self._rate) if limit is None else min(self._rate, limit * LIMITED_SHARE)
