"""What an attempt works with, made by whoever starts it: a Pod's worker, a command line, a test."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from modelsync.worker.attempt.watchdog import Overdue
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.model import Source
from modelsync.worker.common.rate_limiter import Limiter
from modelsync.worker.http.connector import Network
from modelsync.worker.progress import proc_counters
from modelsync.worker.progress.fallbacks import Devices
from modelsync.worker.progress.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What an attempt works with."""

    source: Source
    network: Network
    state: State
    limiter: Limiter
    stop: threading.Event
    """Set from outside to end the attempt in order."""
    volume: Path
    """Root of the volume; the request's subPath lies below it."""
    lock_wait_seconds: float = 15.0
    anew: bool = False
    """Whether this run is a sync of its own: what earlier runs of the same uid fetched was there before."""
    devices: Devices = proc_counters.network_devices
    """The counters of what came over the network, for engines that tell nothing themselves."""

    overdue: Overdue = field(default_factory=Overdue)
    give_up: Callable[[Failure], None] = lambda failure: None
    """Told of an attempt without progress that could not be ended in order; called from another thread."""

    def check_stop(self) -> None:
        """Raise Interrupted when the attempt is to end, or Failure when it makes no progress."""
        if self.stop.is_set():
            raise Interrupted
        self.overdue.check()
