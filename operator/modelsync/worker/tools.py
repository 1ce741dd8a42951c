"""What an attempt works with, made by whoever starts it: a Pod's worker, a command line, a test."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from modelsync.worker import counters
from modelsync.worker.connecting import Network
from modelsync.worker.failures import Failure, Interrupted
from modelsync.worker.layers import Devices
from modelsync.worker.limiter import Limiter
from modelsync.worker.model import Source
from modelsync.worker.progress import State
from modelsync.worker.watchdog import Overdue


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
    devices: Devices = counters.network_devices
    """The counters of what came over the network, for engines that tell nothing themselves."""

    overdue: Overdue = field(default_factory=Overdue)
    give_up: Callable[[Failure], None] = lambda failure: None
    """Told of an attempt without progress that could not be ended in order; called from another thread."""

    def check_stop(self) -> None:
        """Raise Interrupted when the attempt is to end, or Failure when it makes no progress."""
        if self.stop.is_set():
            raise Interrupted
        self.overdue.check()
