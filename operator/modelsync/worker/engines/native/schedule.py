"""Which file and which range a connection fetches next, and how far all files are.

`change` guards every field here, and connections with nothing to do wait for it. It is taken before a part's
lock, never within one (`_handed` asks parts for ranges), and nothing is done under it that may wait for a
disk or an origin: a file is opened between `take` and `register`, and counted as `opening` meanwhile, so that
the figures neither miss it nor count it twice.
"""

import collections
import threading
from collections.abc import Sequence

from modelsync.api.protocol import FileProgress, Tuning
from modelsync.worker.common.model import Fetched, RemoteFile
from modelsync.worker.engines.native.connection_limit import Gate
from modelsync.worker.engines.native.file_ranges import Chunk, Copy
from modelsync.worker.engines.native.partial_file import WHOLE_BYTES, Part
from modelsync.worker.engines.native.small_file_concurrency import Crowd

MOST_OPEN = 128
"""Files open at once; keeps many small files within a process's limit of descriptors."""


class Schedule:
    """Hands out the ranges of one listing. Thread-safe."""

    def __init__(
        self,
        files: Sequence[RemoteFile],
        *,
        tuning: Tuning,
        gate: Gate,
        there: dict[str, int],
        halt: threading.Event,
    ) -> None:
        """`there` has the bytes of files, by key, that an earlier attempt left; `halt` ends all waits."""
        self.change = threading.Condition()
        self.gate, self.crowd = gate, Crowd(tuning.connections)
        self.results: list[Fetched] = []
        self.done = threading.Event()
        """Set when all files are right, or by the engine when it ends for another reason."""
        self.opening = self.resting = 0
        """Files that a thread opens at this moment, neither waiting nor open; threads with nothing to do."""
        self.open: dict[str, Part] = {}
        self.waiting = collections.deque(files)
        self.count = len(files)
        self._halt = halt
        self._connections = max(1, tuning.connections)
        self._chunk_bytes = tuning.chunk_bytes
        self._waiting_sizes = sum(file.size or 0 for file in files)
        self._waiting_unknown = sum(file.size is None for file in files)
        self._waiting_done = there
        """Bytes that are there of files not yet opened, by key: so that figures do not begin at zero
        again."""
        self._large = sum(not _is_small(file) for file in files)
        """How many of the waiting ones are not small."""
        self._small_underway = 0
        """Small files that are on their way."""
        self._finished_bytes = 0
        self._handing: list[Part] = []
        """Open parts with ranges that nobody fetches yet."""

    def take(self, number: int) -> tuple[Part, Chunk] | RemoteFile | None:
        """The next range for the connection of this number, or a file that it has to open and `register`
        first; None when there will be none."""
        with self.change:
            while not (self._halt.is_set() or self.done.is_set()):
                if not self.gate.admits(number):
                    self._rest()
                    continue
                found = self._handed()
                if found is not None:
                    if self.waiting and not _is_small(found[0].file):
                        self.change.notify()  # one that slept while this connection fetched small files
                    return found
                file = self._next() if len(self.open) + self.opening < MOST_OPEN else None
                if file is not None:
                    self.opening += 1
                    return file
                self._rest()
        return None

    def _rest(self) -> None:
        """Wait for work, or for a second."""
        self.resting += 1
        self.change.wait(1.0)
        self.resting -= 1

    def _next(self) -> RemoteFile | None:
        """The next file to be opened; a small one only while another connection for these is of use."""
        if not self.waiting:
            return None
        file = self.waiting[0]
        if _is_small(file) and self._small_underway >= self.crowd.needed:
            if not self._large:
                return None
            file = next(each for each in self.waiting if not _is_small(each))
            self.waiting.remove(file)
        else:
            self.waiting.popleft()
        self._small_underway += _is_small(file)
        self._large -= not _is_small(file)
        return file

    def register(self, part: Part) -> None:
        """Move a file from those that wait to those that are open, at one instant for all figures."""
        file, there = part.file, part.copy.written.total
        with self.change:
            self.opening -= 1
            self._waiting_done.pop(part.key, None)
            self._waiting_sizes -= file.size or 0
            self._waiting_unknown -= file.size is None
            self.open[part.key] = part
            self._handing.append(part)
            if there or file.size is None or file.size > self._chunk_bytes:
                self.change.notify_all()

    def _handed(self) -> tuple[Part, Chunk] | None:
        for part in list(self._handing):
            chunk = part.next_chunk(0 if self.waiting else self._connections)
            if chunk is not None:
                return part, chunk
            if part.exhausted():
                self._handing.remove(part)
        return None

    def finish(self, part: Part, fetched: Fetched) -> None:
        """A file is right: its place is free for another."""
        with self.change:
            full = len(self.open) + self.opening >= MOST_OPEN
            self.open.pop(part.key)
            self._small_underway -= _is_small(part.file)
            self._finished_bytes += fetched.size
            self.results.append(fetched)
            if len(self.results) == self.count:
                self.done.set()
            if full or self.done.is_set():
                self.change.notify_all()

    def reopen(self, part: Part) -> None:
        """A part has ranges to hand out again."""
        with self.change:
            if part not in self._handing:
                self._handing.append(part)
            self.change.notify_all()

    def wake(self) -> None:
        """Let all that wait look again: a range may have become free, or the end has come."""
        with self.change:
            self.change.notify_all()

    def copies(self) -> list[tuple[Part, Copy]]:
        """The open files, each with its present copy."""
        with self.change:
            return [(part, part.copy) for part in self.open.values()]

    def amounts(self) -> tuple[int, int | None]:
        """Bytes that are there, and of all files; None while the size of one is unknown."""
        with self.change:
            copies = [part.copy for part in self.open.values()]
            done = self._finished_bytes + sum(copy.written.total for copy in copies)
            done += sum(self._waiting_done.values())
            if self._waiting_unknown or any(copy.size is None for copy in copies):
                return done, None
            sizes = sum(copy.size or 0 for copy in copies)
            return done, self._finished_bytes + self._waiting_sizes + sizes

    def active(self) -> list[FileProgress]:
        """The files being fetched, the oldest first."""
        with self.change:
            parts = list(self.open.values())
        return [
            FileProgress(
                path=part.file.path[:500], bytes_done=part.copy.written.total, bytes_total=part.copy.size
            )
            for part in parts
        ]

    def fetching(self) -> bool:
        """Whether bytes are still to come from the origin, rather than only to be hashed."""
        with self.change:
            return bool(self.waiting or self.opening) or any(part.copy.busy for part in self.open.values())


def _is_small(file: RemoteFile) -> bool:
    return file.size is not None and file.size <= WHOLE_BYTES
