"""When to try again: capped exponential backoff with full jitter, and what Retry-After asks.

The budget counts tries in a row that brought no new byte, so a proxy that cuts every connection after a
gigabyte cannot end a transfer of terabytes, and an origin that answers nothing cannot hold a worker for long.
"""

import datetime
import email.utils
import random
import time
from dataclasses import dataclass, field

from modelsync.worker.failures import Failure

LONGEST_WAIT = 60.0
"""Seconds; an origin that asks for more is asked again after this."""

SHORTEST_WAIT = 0.05
"""Seconds at most before the first try after progress."""


class Transient(Exception):
    """A request failed in a way that passes; the failure says what it is called when it does not."""

    def __init__(self, failure: Failure, *, wait_seconds: float | None = None, refused: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.wait_seconds = wait_seconds
        """What Retry-After asked for, capped; None where it did not ask."""
        self.refused = refused
        """Whether the connection was refused or broke: so an origin tells who opens too many."""


@dataclass(slots=True, kw_only=True)
class Budget:
    """Tries left for one range."""

    most: int
    base_seconds: float = 0.5
    cap_seconds: float = 30.0
    used: int = 0
    _proven: bool = field(default=False, init=False)
    """Whether bytes have come."""

    def progressed(self) -> None:
        """A new byte came: all tries are there again."""
        self.used, self._proven = 0, True

    def spend(self, trouble: Transient) -> float:
        """The seconds to wait before the next try; raises the trouble's failure when none is left.

        A connection that brought bytes before it broke is opened again almost at once: a proxy that cuts
        every so often must not make the transfer wait each time.
        """
        if self.used >= self.most:
            raise trouble.failure from trouble
        self.used += 1
        if trouble.wait_seconds is not None:
            return trouble.wait_seconds
        if self._proven and self.used == 1:
            return random.uniform(0, SHORTEST_WAIT)
        return random.uniform(0, min(self.cap_seconds, self.base_seconds * 2**self.used))


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, a number or an HTTP date; None when it makes no sense."""
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.UTC)
    return min(max(0.0, when.timestamp() - time.time()), LONGEST_WAIT)
