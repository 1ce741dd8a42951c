"""From the pieces that a connection receives to writes of a good size."""

import threading
import time

from modelsync.worker.blocks import BLOCK, Block, Pool
from modelsync.worker.parts import Chunk, Part
from modelsync.worker.progress import State
from modelsync.worker.retry import Budget

FLUSH_SECONDS = 0.2


class Writer:
    """Gathers what a connection receives into blocks that end where the file's blocks end. Close it in the
    end."""

    def __init__(
        self, part: Part, chunk: Chunk, pool: Pool, budget: Budget, state: State, halt: threading.Event
    ) -> None:
        self._part, self._chunk, self._pool = part, chunk, pool
        self._budget, self._state, self._halt = budget, state, halt
        self._block: Block | None = None
        self._filled = 0
        self._written = time.monotonic()
        self.flushed = 0
        """Bytes that the last `add` wrote."""

    @property
    def position(self) -> int:
        """Offset of the next byte to be read."""
        return self._chunk.position + self._filled

    def room(self, most: int) -> memoryview:
        """Where the next bytes go, `most` at most; raises Interrupted."""
        if self._block is None:
            self._block = self._pool.take(self._chunk.copy, self.position, self._halt)
        return memoryview(self._block)[self._filled : self._filled + self._fitting(most)]

    def _fitting(self, most: int) -> int:
        position = self.position
        free = min(most, BLOCK - position % BLOCK)
        return free if self._chunk.end is None else min(free, self._chunk.end - position)

    def add(self, count: int) -> None:
        """Take in what was read into the room; raises Failure."""
        self._filled += count
        self._state.received(count)
        now = time.monotonic()
        self.flushed = 0
        if not self.position % BLOCK or now - self._written >= FLUSH_SECONDS:
            self.flush()
            self._written = now

    def flush(self) -> None:
        """Write what was gathered; also when the connection broke, so that no byte received is lost."""
        if self._block is None or not self._filled or self._part.copy is not self._chunk.copy:
            return
        block, count, start = self._block, self._filled, self._chunk.position
        self._filled = 0
        if self._part.write(self._chunk, memoryview(block)[:count]):
            self._budget.progressed()
        self.flushed = count
        if self._part.checksum:
            self._block = None
            self._pool.keep(self._chunk.copy, start, block, count)

    def close(self) -> None:
        """Write the rest and hand the block back; raises Failure."""
        try:
            self.flush()
        finally:
            if self._block is not None:
                self._pool.give(self._block)
                self._block = None
