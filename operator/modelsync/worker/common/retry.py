"""When to try again: capped exponential backoff with full jitter, and never before the origin allows.

The budget counts tries in a row that brought no new byte, so a proxy that cuts every connection after a
gigabyte cannot end a transfer of terabytes, and an origin that answers nothing cannot hold a worker for long.

An origin that names a time has answered, and will again: such waits are no tries, up to the longest window in
which origins count requests. One that goes on to ask for patience is asked as one that fails.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelsync.api.common.backoff import Backoff
from modelsync.worker.common import retry_after
from modelsync.worker.common.failures import Failure

LONGEST_WAIT = 300.0
"""Seconds: the window in which the Hub counts requests. An origin that asks for more is asked again after
this, and as long in all it may ask without a try being spent."""

LONGEST_OF_A_TRY = 60.0
"""Seconds that an origin may ask for when a try is spent."""

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
        """What the origin asked for, from 0 to LONGEST_WAIT; None where it did not ask."""
        self.refused = refused
        """Whether the connection was refused or broke: so an origin treats a client that opens too many."""

    @property
    def asked(self) -> bool:
        """Whether the origin named a time to come."""
        return bool(self.wait_seconds)


@dataclass(slots=True, kw_only=True)
class Budget:
    """Tries left for one range."""

    most: int
    backoff: Backoff = BACKOFF
    used: int = 0
    _proven: bool = field(default=False, init=False)
    """Whether bytes have come."""
    _granted: int = field(default=0, init=False)
    """Waits in a row that spent no try, since the origin asked for them."""
    _waited: float = field(default=0.0, init=False)
    """Their seconds."""

    def progressed(self) -> None:
        """A new byte came: all tries are there again."""
        self.used, self._proven = 0, True
        self._granted, self._waited = 0, 0.0

    def spend(self, trouble: Transient) -> float:
        """The seconds to wait before the next try; raises the trouble's failure when none is left.

        A connection that brought bytes before it broke is opened again almost at once: a proxy that cuts
        every so often must not make the transfer wait each time. An origin that names a time, be it 0 or one
        that has passed, has refused the request: it gets our own backoff or its own figure, whichever is
        longer.
        """
        asked = trouble.wait_seconds
        if asked and self._waited + asked <= LONGEST_WAIT:
            self._granted += 1
            wait = self.backoff.wait(self._granted, random=random.random(), asked=asked)
            self._waited += wait
            return wait
        if self.used >= self.most:
            raise trouble.failure from trouble
        self.used += 1
        if self._proven and self.used == 1 and trouble.wait_seconds is None:
            return SHORTEST_WAIT * random.random()
        bounded = None if asked is None else min(asked, LONGEST_OF_A_TRY)
        return self.backoff.wait(self.used + self._granted, random=random.random(), asked=bounded)


def asked_seconds(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait, at most LONGEST_WAIT; None where it names no time."""
    return retry_after.seconds(status, headers, now=time.time(), longest=LONGEST_WAIT)
