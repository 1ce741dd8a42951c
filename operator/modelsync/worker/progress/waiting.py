"""The waits between tries, and those that an origin asks for, which all connections keep together.

An origin counts requests by client, not by connection: a connection that is asked to wait waits for all, or
the others would be refused one by one, and each refusal counts again.
"""

import logging
import threading
import time

from modelsync.worker.common.failures import Interrupted
from modelsync.worker.common.retry import Budget, Transient
from modelsync.worker.progress.stages import Stages

_log = logging.getLogger(__name__)


class Patience:
    """What all who ask one source wait by. Thread-safe."""

    def __init__(self, stop: threading.Event, stages: Stages) -> None:
        """`stop` ends every wait; `stages` is given what is tried again."""
        self._stop, self._stages = stop, stages
        self._lock = threading.Lock()
        self._not_before = 0.0
        """Monotonic time before which the origin wants no request of anybody."""

    def keep(self) -> None:
        """Wait, before a request, as long as the origin has asked for; raises Interrupted."""
        while (left := self._not_before - time.monotonic()) > 0:
            if self._stop.wait(left):
                raise Interrupted

    def again(self, trouble: Transient, budget: Budget) -> None:
        """Wait until the next try of what has failed; raises its Failure after the last, or Interrupted."""
        self.pause(self.spend(trouble, budget))

    def spend(self, trouble: Transient, budget: Budget) -> float:
        """The seconds until the next try of what has failed; raises its Failure when none is left."""
        seconds = budget.spend(trouble)
        self._stages.retry(trouble, budget, seconds)
        _log.info("%s Trying again in %.1f s.", trouble, seconds)
        if trouble.asked:
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + seconds)
        return seconds

    def pause(self, seconds: float) -> None:
        """Wait; raises Interrupted."""
        if self._stop.wait(seconds):
            raise Interrupted
