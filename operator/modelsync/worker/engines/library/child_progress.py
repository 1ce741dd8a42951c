"""How far a library is, seen from outside: by what it reports, else by partial files, else by the network.

Whole files are known exactly; of those on their way the best layer that can see them decides. What appears is
counted as received, so that speed and stalls are as with an engine that counts itself.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from modelsync.api.protocol import FileProgress
from modelsync.api.reasons import Layer
from modelsync.worker.common.model import RemoteFile
from modelsync.worker.engines.library.subprocess import Running
from modelsync.worker.progress.fallbacks import (
    PARTIAL_SUFFIXES,
    Devices,
    Seen,
    Sight,
    allocated,
    partial_bytes,
    received,
)
from modelsync.worker.progress.state import State

_ALIVE_BYTES = 4096
"""Received between two samples, these are more than the questions for progress: the origin is no stall, even
if the library has not written its next block yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A file on its way."""

    file: RemoteFile
    running: Running | None = None
    """None while the job is being prepared."""
    growing: str | None = None
    """See `Prepared.growing`."""


class Figures:
    """Bytes of a library's files. Thread-safe."""

    def __init__(
        self, *, folder: str, counts: bool, devices: Devices, state: State, total: int | None
    ) -> None:
        """`folder` is the staging directory; `counts` says whether the library reports bytes."""
        self._folder, self._counts, self._devices, self._state = folder, counts, devices, state
        self._total = total
        self._lock = threading.Lock()
        self._flights: dict[str, Flight] = {}
        self._finished = 0
        """Bytes of whole files."""
        self._brought = 0
        """Bytes of those that came over the network."""
        self._before = tuple(devices())
        self._came = 0
        self._sight = Sight(engine=self._reported, files=self._scanned, network=self._counted)
        self._seen = Seen(bytes_done=0, layer=Layer.ENGINE)
        self._mark = 0
        """How much was counted as received."""
        self._floor = 0
        """What was shown last."""

    @property
    def layer(self) -> Layer:
        """The layer of the last look."""
        return self._seen.layer

    @property
    def flying(self) -> bool:
        """Whether any file is on its way."""
        return bool(self._flights)

    def depart(self, key: str, flight: Flight) -> None:
        """A file is on its way, or further on it."""
        with self._lock:
            self._flights[key] = flight

    @contextlib.contextmanager
    def landing(self, key: str, size: int, *, brought: bool) -> Iterator[None]:
        """A file is whole after the block; nobody sees it both whole and on its way."""
        with self._lock:
            self._look()  # what was reported since the last sample, or a small file's figure has no layer
            yield
            self._flights.pop(key)
            self._finished += size
            self._brought += size if brought else 0
            self._look()

    def again(self, key: str, file: RemoteFile, *, lost: int = 0) -> None:
        """A file begins again, and `lost` bytes of a whole one are none: what comes now is received again."""
        with self._lock:
            self._flights[key] = Flight(file=file)
            self._finished -= lost
            self._seen, self._floor = self._sight.look(), 0
            self._mark = self._brought + self._seen.bytes_done

    def sample(self) -> None:
        """Look, and count what is new."""
        with self._lock:
            self._look()
        before, self._came = self._came, received(self._before, self._devices()) or 0
        self._state.on_wire(self._came)
        if self._came - before > _ALIVE_BYTES:
            self._state.meter.touch()

    def amounts(self) -> tuple[int, int | None]:
        """Bytes of whole files and of those on their way, and of all; None where a size is unknown."""
        with self._lock:
            done = self._finished + self._seen.bytes_done
            # A better layer that knows less must not take back what a coarser one has shown.
            self._floor = max(self._floor, done if self._total is None else min(done, self._total))
            return self._floor, self._total

    def active(self) -> list[FileProgress]:
        """The files on their way."""
        with self._lock:
            flights = list(self._flights.values())
        return [
            FileProgress(path=each.file.path[:500], bytes_done=self._grown(each), bytes_total=each.file.size)
            for each in flights
        ]

    def _grown(self, flight: Flight) -> int:
        """Bytes of one file on its way: reported, else seen on the volume."""
        if flight.running is not None and flight.running.bytes is not None:
            return flight.running.bytes
        if flight.growing is None:
            return 0
        path = f"{self._folder}/{flight.growing}"
        return allocated(path) if path.endswith(PARTIAL_SUFFIXES) else partial_bytes(path) or 0

    def _look(self) -> None:
        if self._flights:
            self._seen = self._sight.look()
        else:  # nothing is there to be seen; what was seen came by the last layer
            self._seen = Seen(bytes_done=0, layer=self._seen.layer)
        grown = self._brought + self._seen.bytes_done - self._mark
        if grown > 0:
            self._mark += grown
            self._state.received(grown)

    def _reported(self) -> int | None:
        """Bytes of files on their way that the library reports; None when it reports none of them."""
        if not self._counts:
            return None
        counts = [each.running.bytes for each in self._flights.values() if each.running is not None]
        known = [count for count in counts if count is not None]
        return sum(known) if known or not counts else None

    def _scanned(self) -> int | None:
        """Bytes in partial files; None while they are empty, since libraries write large blocks, and the
        network shows more until the first."""
        return partial_bytes(self._folder) or None

    def _counted(self) -> int | None:
        """Bytes that the network's devices received beyond those of whole files."""
        found = received(self._before, self._devices())
        return None if found is None else max(0, found - self._brought)
