"""When to try again: capped exponential backoff with full jitter, and never before Retry-After allows.

The budget counts tries in a row that brought no new byte, so a proxy that cuts every connection after a
gigabyte cannot end a transfer of terabytes, and an origin that answers nothing cannot hold a worker for long.
"""

import random
import time
from dataclasses import dataclass, field

from modelsync.api.backoff import Backoff
from modelsync.api.backoff import retry_after as _retry_after
from modelsync.worker.failures import Failure

LONGEST_WAIT = 60.0
"""Seconds; an origin that asks for more is asked again after this."""

BACKOFF = Backoff(first=0.5, cap=15.0, jitter=1.0)
"""From 0 to 1, 2, 4, … 30 s: full jitter, since many connections of many workers fail at the same moment."""

SHORTEST_WAIT = 0.05
"""Seconds at most before the first try after progress."""


class Transient(Exception):
    """A request failed in a way that passes; the failure says what it is called when it does not."""

    def __init__(self, failure: Failure, *, wait_seconds: float | None = None, refused: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.wait_seconds = wait_seconds
        """What Retry-After asked for, from 0 to LONGEST_WAIT; None where it did not ask."""
        self.refused = refused
        """Whether the connection was refused or broke: so an origin tells who opens too many."""


@dataclass(slots=True, kw_only=True)
class Budget:
    """Tries left for one range."""

    most: int
    backoff: Backoff = BACKOFF
    used: int = 0
    _proven: bool = field(default=False, init=False)
    """Whether bytes have come."""

    def progressed(self) -> None:
        """A new byte came: all tries are there again."""
        self.used, self._proven = 0, True

    def spend(self, trouble: Transient) -> float:
        """The seconds to wait before the next try; raises the trouble's failure when none is left.

        A connection that brought bytes before it broke is opened again almost at once: a proxy that cuts
        every so often must not make the transfer wait each time. An origin that names a time, be it 0 or one
        that has passed, has refused the request: it gets our own backoff or its own figure, whichever is
        longer.
        """
        if self.used >= self.most:
            raise trouble.failure from trouble
        self.used += 1
        if self._proven and self.used == 1 and trouble.wait_seconds is None:
            return SHORTEST_WAIT * random.random()
        return self.backoff.wait(self.used, random=random.random(), asked=trouble.wait_seconds)


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, at most LONGEST_WAIT; None when it makes no sense."""
    return _retry_after(value, now=time.time(), longest=LONGEST_WAIT)
