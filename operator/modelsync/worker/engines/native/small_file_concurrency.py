"""How many connections small files get: as many as hide the origin's delay.

A small file costs some work of this process and some waiting for its origin. While one connection waits,
others work; once there is always one that works, more of them only make the interpreter change hands more
often, which then is a third of all that a file costs (docs/decisions/0010-own-exchange.md).
"""

import math
import threading

SAMPLES = 64
"""Files after which the number is settled again; fewer files than that are fetched by all connections."""


class Crowd:
    """Counts what small files take. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._count = 0
        self._least_wait = math.inf
        self._work = 0.0
        self.needed = most
        """Connections that may fetch small files at once."""

    def record(self, seconds: float, work_seconds: float) -> None:
        """A file came: in so many seconds, of which its connection worked some.

        What is no work was waiting, for the origin or for the interpreter. The least wait of many files has
        next to nothing of the latter.
        """
        with self._lock:
            self._count += 1
            self._work += work_seconds
            self._least_wait = min(self._least_wait, max(0.0, seconds - work_seconds))
            if self._count == SAMPLES:
                each = max(self._work / SAMPLES, 1e-6)
                self.needed = max(1, min(self._most, 1 + math.ceil(self._least_wait / each)))
                self._count, self._work, self._least_wait = 0, 0.0, math.inf
