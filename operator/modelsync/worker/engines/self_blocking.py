"""Whether an engine waits for itself, which an origin that sends nothing would look like from outside.

No engine should (`buffer_pool` has the argument), so this is an error of our own: it ends the attempt within
seconds, and the next one begins again. What the engine waited for stands in the log.
"""

from collections.abc import Hashable

LOOKS = 50
"""Looks in a row, of which `supervisor` takes ten a second. Not seconds: a process that was frozen for an
hour has looked once."""


class SelfBlocked(Exception):
    """The engine waited for itself; the text says what each of its sides waited for."""


class Standstill:
    """Counts looks at an engine that waits while nothing moves."""

    def __init__(self) -> None:
        self._moved: Hashable = None
        self._looks = 0

    def look(self, moved: Hashable, *, waits: bool) -> bool:
        """Whether it has waited long enough; `moved` is another value each time that something has moved."""
        if not waits or moved != self._moved:
            self._moved, self._looks = moved, 0
        else:
            self._looks += 1
        return self._looks >= LOOKS
