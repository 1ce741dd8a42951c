"""What one attempt is given: the request, and the means to carry it out.

The caller that starts an attempt (a Pod's worker, a command line, a test) makes it once. It is handed on as
it is, from the pipeline to the engines, and no layer packs its values again. What a package makes for itself,
such as an engine's memory, is not in here. Code that runs for each block of a file binds the values that it
needs once, in its constructor, rather than look them up here.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from modelsync.api.protocol import WorkRequest
from modelsync.api.source.transfer import Verification
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.model import FileSource
from modelsync.worker.common.rate_limiter import Limiter
from modelsync.worker.http.connector import Network
from modelsync.worker.progress import proc_counters
from modelsync.worker.progress.fallbacks import Devices
from modelsync.worker.progress.state import State


class Overdue:
    """Why the attempt has to end, once it has; set by the watchdog, read by all loops that it watches."""

    def __init__(self) -> None:
        self.failure: Failure | None = None

    def check(self) -> None:
        """Raise the failure when there is one."""
        if self.failure is not None:
            raise self.failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What one attempt works with, from its first request to its termination report."""

    request: WorkRequest
    source: FileSource
    network: Network
    state: State
    limiter: Limiter
    stop: threading.Event
    """Set from outside to end the attempt in order."""
    volume: Path
    """Root of the volume; the request's subPath is below it."""
    lock_wait_seconds: float = 15.0
    is_new_sync: bool = False
    """Whether this run is a sync of its own: what earlier runs of the same uid fetched was there before."""
    devices: Devices = proc_counters.network_devices
    """The counters of what came over the network, for engines that report nothing themselves."""
    overdue: Overdue = field(default_factory=Overdue)
    give_up: Callable[[Failure], None] = lambda failure: None
    """Called, from another thread, with the failure of an attempt that could not be ended in order."""

    @property
    def verifies_checksums(self) -> bool:
        """Whether fetched bytes are compared with the source's checksums, rather than sizes only."""
        return self.request.verification is Verification.CHECKSUM

    def check_stop(self) -> None:
        """Raise Interrupted when the attempt is to end, or Failure when it makes no progress."""
        if self.stop.is_set():
            raise Interrupted
        self.overdue.check()
