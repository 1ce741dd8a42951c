"""From the pieces that a connection receives to writes of a good size, synced now and then."""

import time

from modelsync.worker.parts import Chunk, Part
from modelsync.worker.progress import State
from modelsync.worker.retry import Budget

BUFFER = 1 << 20
"""Most bytes between two writes; 16 KiB TLS records make small writes slow."""
FLUSH_SECONDS = 0.2
SYNC_SECONDS = 2.0
SYNC_BYTES = 64 << 20


class Writer:
    """Gathers what a connection receives into writes of a good size, and syncs now and then."""

    def __init__(self, part: Part, chunk: Chunk, buffer: memoryview, budget: Budget, state: State) -> None:
        self._part, self._chunk, self._buffer = part, chunk, buffer
        self._budget, self._state = budget, state
        self._filled = 0
        self._written = self._synced = time.monotonic()
        self._unsynced = 0
        self.flushed = False

    @property
    def position(self) -> int:
        """Offset of the next byte to be read."""
        return self._chunk.position + self._filled

    def room(self, most: int) -> int:
        """How many bytes may be read next."""
        free = min(most, len(self._buffer) - self._filled)
        return free if self._chunk.end is None else min(free, self._chunk.end - self.position)

    def add(self, data: bytes) -> None:
        """Take in what was read."""
        self._buffer[self._filled : self._filled + len(data)] = data
        self._filled += len(data)
        self._state.received(len(data))
        now = time.monotonic()
        self.flushed = self._filled == len(self._buffer) or now - self._written >= FLUSH_SECONDS
        if self.flushed:
            self.flush()
            self._written = now
        if self._unsynced >= SYNC_BYTES or (self._unsynced and now - self._synced >= SYNC_SECONDS):
            self._part.sync(self._chunk.copy)
            self._unsynced, self._synced = 0, time.monotonic()

    def flush(self) -> None:
        """Write what was gathered; also when the connection broke, so that no byte received is lost."""
        if not self._filled or self._part.copy is not self._chunk.copy:
            return
        count, self._filled = self._filled, 0
        self._unsynced += count
        if self._part.write(self._chunk, self._buffer[:count]):
            self._budget.progressed()
