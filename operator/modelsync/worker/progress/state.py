"""What the outside may know of a running attempt, gathered from its threads.

The engine counts, this module shows: as a progress report for the operator, as lines of the log. All figures
are read at the moment they are asked for, so nothing has to be pushed and nothing lags.
"""

import logging
import threading
import time
from collections.abc import Callable

from modelsync.api import protocol
from modelsync.api.common import display
from modelsync.api.reasons import Layer, Stage
from modelsync.api.source.transfer import Resolved
from modelsync.worker.progress.byte_counts import Accounts
from modelsync.worker.progress.stages import Stages
from modelsync.worker.progress.throughput import Meter

_log = logging.getLogger(__name__)

LOG_BYTES = 100_000_000
LOG_CHECK_SECONDS = 5.0
LOG_ALIVE_SECONDS = 60.0
STALL_SECONDS = 30.0


class State:
    """The counters of one attempt. Thread-safe."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.stages = Stages(meter.clock)
        self.resolved: Resolved | None = None
        self.retries = 0
        self.verification_seconds = 0.0
        self._lock = threading.Lock()
        self._files_total: int | None = None
        self._files_done = 0
        self._network = 0
        self._on_wire = 0
        self._accounts: Accounts | None = None
        self._settled = 0
        """Bytes of files that were right before the engine started."""
        self._postponed = 0
        """Bytes of files that will be there with another."""
        self._amounts: Callable[[], tuple[int, int | None]] | None = None
        self._active: Callable[[], list[protocol.FileProgress]] = list
        self._layer: Callable[[], Layer] = _counted

    @property
    def stage(self) -> Stage:
        """What the attempt is doing."""
        return self.stages.stage

    def idle_seconds(self) -> float:
        """Seconds since the stage last got on: a download by its bytes, every other one by its own figures.

        Counted from the stage's beginning, for a byte that came before it says nothing."""
        if self.stage is Stage.DOWNLOADING:
            return min(self.meter.idle_seconds(), self.stages.lasted_seconds())
        return self.stages.idle_seconds()

    def plan(self, resolved: Resolved, files: int) -> None:
        """Set what is to be done."""
        with self._lock:
            self.resolved, self._files_total = resolved, files

    def postpone(self, size: int) -> None:
        """One file has the same bytes as another that is to be fetched."""
        with self._lock:
            self._postponed += size

    def settle(self, size: int, *, postponed: bool = False) -> None:
        """One file is right without being fetched: it was before, or came with another."""
        with self._lock:
            self._postponed -= size if postponed else 0
            self._settled += size
            self._files_done += 1

    def watch(
        self,
        amounts: Callable[[], tuple[int, int | None]],
        active: Callable[[], list[protocol.FileProgress]],
        layer: Callable[[], Layer] | None = None,
    ) -> None:
        """Where bytes done and total, the files being fetched and the layer are asked for; without a layer
        the engine counts every byte."""
        with self._lock:
            self._amounts, self._active, self._layer = amounts, active, layer or _counted

    @property
    def network_bytes(self) -> int:
        """Payload bytes that came so far."""
        return self._network

    def received(self, count: int) -> None:
        """Payload bytes came from the network."""
        self.meter.add(count)
        with self._lock:
            self._network += count
        if self._accounts is not None:
            self._accounts.add(count)

    def on_wire(self, total: int) -> None:
        """So many bytes came over the network in all, for an engine that reports its own in lumps."""
        self._on_wire = total

    @property
    def arrived_bytes(self) -> int:
        """What came so far, without delay: payload, or what the network's devices count if that is more."""
        return max(self._network, self._on_wire)

    @property
    def rate_limit_wait_seconds(self) -> float:
        """Time in which an origin wanted no request, a wait that is under way included."""
        return self.stages.asked_seconds

    def account(self, accounts: Accounts) -> None:
        """Where the counters of all attempts are kept."""
        self._accounts = accounts

    def forfeit(self, count: int) -> None:
        """Bytes that were there before this sync began are of no use after all."""
        if count and self._accounts is not None:
            self._accounts.reuse(max(0, (self._accounts.reused or 0) - count))

    def add_file(self) -> None:
        """One more file is complete and right."""
        with self._lock:
            self._files_done += 1

    def add_retry(self) -> None:
        """A request is tried again."""
        with self._lock:
            self.retries += 1

    def hashed(self, count: int) -> None:
        """Fetched bytes went through the checksums: while Verifying, that is how far it is."""
        if self.stage is Stage.VERIFYING:
            self.stages.advance(size=count)

    def add_verification(self, seconds: float) -> None:
        """Processor time went into checksums."""
        with self._lock:
            self.verification_seconds += seconds

    @property
    def _aside(self) -> int:
        """Bytes that are not the engine's to fetch."""
        return self._settled + self._postponed

    def active(self) -> list[protocol.FileProgress]:
        """The files being fetched."""
        return self._active()

    def progress(self) -> protocol.Progress:
        """How far the attempt is."""
        done, total = self._amounts() if self._amounts else (0, None)
        active = self._active()
        speed = self.meter.rate()
        with self._lock:
            if self._amounts is None and self.resolved is not None:
                total = None if self.resolved.bytes is None else self.resolved.bytes - self._aside
            return protocol.Progress(
                bytes_total=None if total is None else total + self._aside,
                bytes_done=done + self._settled,
                bytes_network=self._network,
                bytes_network_before=None if self._accounts is None else self._accounts.before,
                bytes_reused=None if self._accounts is None else self._accounts.reused,
                files_total=self._files_total,
                files_done=self._files_done,
                current_file=active[0].path if active else None,
                bytes_per_second=None if speed is None else round(speed),
                layer=self._layer(),
            )


def _counted() -> Layer:
    return Layer.ENGINE


class LogLines:
    """Progress in the log: a line every 100 MB, and one a minute when less comes."""

    def __init__(self, state: State, clock: Callable[[], float] = time.monotonic) -> None:
        self._state, self._clock = state, clock
        self._checked = self._written = clock()
        self._bytes = -LOG_BYTES
        self._stalled = False

    def tick(self) -> None:
        """Write a line if it is time; call often."""
        now = self._clock()
        self._stall()
        if now - self._checked < LOG_CHECK_SECONDS:
            return
        self._checked = now
        progress = self._state.progress()
        if progress.bytes_done - self._bytes < LOG_BYTES and now - self._written < LOG_ALIVE_SECONDS:
            return
        self._bytes, self._written = progress.bytes_done, now
        self._line(progress)

    def last(self) -> None:
        """Write the line of the end, whatever the time; bytes may have come since the last tick."""
        self._stall()
        self._line(self._state.progress())

    def _line(self, progress: protocol.Progress) -> None:
        _log.info("%s", display.log_line(progress.bytes_done, progress.bytes_total))

    def _stall(self) -> None:
        """Log once when bytes stop coming, and once when they come again."""
        downloading = self._state.stage is Stage.DOWNLOADING
        waits = self._state.stages.waits_as_asked
        stalled = downloading and not waits and self._state.idle_seconds() >= STALL_SECONDS
        if stalled and not self._stalled:
            _log.warning("Download stalled: no byte for %d seconds", STALL_SECONDS)
        elif self._stalled and not stalled:
            _log.info("Download goes on")
        self._stalled = stalled
