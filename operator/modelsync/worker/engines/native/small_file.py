"""A small file's body: gathered in memory, hashed there and written once.

Each step that a large file needs on its way (blocks that wait for a hasher, a record for every range) costs a
small one more than its bytes do. What breaks in the middle of such a body is written as far as it came, and
the file goes the way of the large ones from there.
"""

from modelsync.worker.checksums.file_digest import Digests
from modelsync.worker.common import contents
from modelsync.worker.common.retry import Budget
from modelsync.worker.engines.native.file_ranges import Chunk
from modelsync.worker.engines.native.partial_file import WHOLE_BYTES, Part
from modelsync.worker.progress.state import State


class Whole:
    """Takes in one body, as `block_writer.Writer` does. Close it in the end."""

    flushed = 0
    """Nothing is written before all has come."""

    def __init__(self, part: Part, chunk: Chunk, memory: memoryview, budget: Budget, state: State) -> None:
        """`memory` has WHOLE_BYTES and serves one body at a time."""
        self._part, self._chunk, self._memory = part, chunk, memory
        self._budget, self._state = budget, state
        self._filled = 0

    @property
    def position(self) -> int:
        """Offset of the next byte to be read."""
        return self._filled

    def room(self, most: int) -> memoryview:
        """Where the next bytes go, `most` at most."""
        return self._memory[self._filled : min(self._chunk.end or 0, self._filled + most)]

    def add(self, count: int) -> None:
        """Take in what was read into the room."""
        self._filled += count
        self._state.received(count)

    def close(self) -> None:
        """Write what came, and hash it if that is all; raises Failure."""
        part, chunk, copy = self._part, self._chunk, self._chunk.copy
        if not self._filled or part.copy is not copy:
            return
        data = self._memory[: self._filled]
        if self._filled == chunk.end:
            copy.digests = Digests(part.file.digests, self._filled)
            copy.digests.update(data)
            copy.head = bytes(data[: contents.HEAD])
            copy.whole = True
        else:
            part.staged.record(copy)
        if part.write(chunk, data):
            self._budget.progressed()
        if not copy.whole:
            part.hand_over(copy, 0, self._filled)


def memory() -> memoryview:
    """For the bodies of one connection."""
    return memoryview(bytearray(WHOLE_BYTES))
