"""From the pieces that a connection receives to writes of a good size.

On a slow line a block is written piece by piece, so that a crash costs little, but it is filled all the same
before the hasher gets it: a block for each piece would soon use up all of them.
"""

import threading
import time

from modelsync.worker.checksums.file_digest import BLOCK
from modelsync.worker.common.retry import Budget
from modelsync.worker.engines.native.buffer_pool import Block, Pool
from modelsync.worker.engines.native.file_ranges import Chunk
from modelsync.worker.engines.native.partial_file import Part
from modelsync.worker.progress.state import State

FLUSH_SECONDS = 0.2


class Writer:
    """Gathers what a connection receives into blocks that begin and end where the file's blocks do. Close it
    in the end."""

    def __init__(
        self, part: Part, chunk: Chunk, pool: Pool, budget: Budget, state: State, halt: threading.Event
    ) -> None:
        self._part, self._chunk, self._pool = part, chunk, pool
        self._budget, self._state, self._halt = budget, state, halt
        self._block: Block | None = None
        self._begin = chunk.position
        """Offset in the file of the block's first byte."""
        self._pending = 0
        """The block's last bytes, which are not written yet."""
        self._written = time.monotonic()
        self.flushed = 0
        """Bytes that the last `add` wrote."""

    @property
    def position(self) -> int:
        """Offset of the next byte to be read."""
        return self._chunk.position + self._pending

    def room(self, most: int) -> memoryview:
        """Where the next bytes go, `most` at most; raises Interrupted."""
        position = self.position
        if self._block is None:
            self._block = self._pool.take(self._chunk.copy, position, self._halt)
            self._begin = position
        place = position % BLOCK
        return memoryview(self._block)[place : place + self._fitting(most)]

    def _fitting(self, most: int) -> int:
        position = self.position
        free = min(most, BLOCK - position % BLOCK)
        return free if self._chunk.end is None else min(free, self._chunk.end - position)

    def add(self, count: int) -> None:
        """Take in what was read into the room; raises Failure."""
        self._pending += count
        self._state.received(count)
        self.flushed = 0
        now = time.monotonic()
        full = not self.position % BLOCK
        if full or now - self._written >= FLUSH_SECONDS:
            self._flush()
            self._written = now
        if full:
            self._hand_over()

    def _flush(self) -> None:
        """Write what is not written yet of the block at hand."""
        if self._block is None or not self._pending or self._part.copy is not self._chunk.copy:
            return
        place = self._chunk.position % BLOCK
        data = memoryview(self._block)[place : place + self._pending]
        self.flushed, self._pending = self._pending, 0
        if self._part.write(self._chunk, data):
            self._budget.progressed()

    def _hand_over(self) -> None:
        """Leave a block to the hasher to which nothing is added any more; without one it is filled again."""
        block, end = self._block, self._chunk.position
        if block is None or not self._part.checksum or end == self._begin:
            return
        self._block = None
        self._pool.keep(self._chunk.copy, self._begin, block, end - self._begin)
        self._part.hand_over(self._chunk.copy, self._begin, end)

    def close(self) -> None:
        """Write the rest, also when the connection broke, so that no byte received is lost, and let go of the
        block; raises Failure."""
        try:
            self._flush()
            self._hand_over()
        finally:
            if self._block is not None:
                self._pool.release(self._block)
                self._block = None
