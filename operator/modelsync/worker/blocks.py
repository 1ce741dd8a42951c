"""Memory for bytes on their way from the network to the disk and, in the file's order, to the checksum.

Writing past the page cache (O_DIRECT) saves a copy and leaves the Pod's memory to the Pod, but then a
checksum would have to read the disk. So a block stays here after it was written, until the hasher took it.
Blocks are of one size and number, whatever the files: memory is bounded, and a hasher that falls behind
slows the network down. A block is only a copy of what the disk holds, though: where the hasher waits for one
slow connection, the blocks behind that gap are given up for the others, and read back later.
"""

import collections
import mmap
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelsync.worker.failures import Interrupted

if TYPE_CHECKING:
    from modelsync.worker.parts import Copy

BLOCK = 1 << 20
"""Bytes; 16 KiB TLS records and small writes make smaller ones slow."""
SPARE = 64
"""Blocks beyond one for each connection: bytes of later ranges that wait for the hasher."""
_RECHECK_SECONDS = 0.2

Block = mmap.mmap
"""Page-aligned, as O_DIRECT needs it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    copy: "Copy"
    position: int
    changed: threading.Condition


class Pool:
    """The blocks of one engine. Thread-safe."""

    def __init__(self, connections: int, spare: int = SPARE) -> None:
        self._most = connections + spare
        self._made = 0
        self._free: list[Block] = []
        self._kept: dict[Copy, dict[int, tuple[Block, int]]] = collections.defaultdict(dict)
        """Written blocks by copy and offset in the file, with their length."""
        self._hashing = 0
        self._lead = spare * BLOCK
        self._lock = threading.Lock()
        self._waiters: list[_Waiter] = []

    def take(self, copy: "Copy", position: int, halt: threading.Event) -> Block:
        """An empty block for bytes from this position on, waiting for one if need be.

        Raises Interrupted when `halt` is set.
        """
        with self._lock:
            while True:
                near = position - copy.hashed < self._lead
                block = self._empty() if near or not self._hasher_busy() else None
                if block is not None:
                    return block
                if halt.is_set():
                    raise Interrupted
                self._wait(_Waiter(copy, position, threading.Condition(self._lock)))

    def _wait(self, waiter: "_Waiter") -> None:
        self._waiters.append(waiter)
        waiter.changed.wait(_RECHECK_SECONDS)
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    def _wake(self) -> None:
        """Let the waiter whose bytes the hasher needs first look again: what it cannot take, nobody can."""
        if self._waiters:
            nearest = min(self._waiters, key=lambda each: each.position - each.copy.hashed)
            self._waiters.remove(nearest)
            nearest.changed.notify()

    def _empty(self) -> Block | None:
        if self._free:
            return self._free.pop()
        if self._made < self._most:
            self._made += 1
            return mmap.mmap(-1, BLOCK)
        return None if self._hasher_busy() else self._farthest()

    def _hasher_busy(self) -> bool:
        """Whether a block becomes free soon without being given up."""
        return self._hashing > 0 or any(
            copy.hashed in kept and not copy.gone for copy, kept in self._kept.items()
        )

    def give(self, block: Block) -> None:
        """Hand a block back."""
        with self._lock:
            self._free.append(block)
            self._wake()

    def keep(self, copy: "Copy", offset: int, block: Block, length: int) -> None:
        """Leave a written block for the hasher."""
        with self._lock:
            if copy.gone or offset < copy.hashed:
                self._free.append(block)
            else:
                self._kept[copy][offset] = (block, length)
            self._wake()

    def pick(self, copy: "Copy", offset: int) -> tuple[Block, int] | None:
        """The kept block that begins at this offset, and its length; hand it back by `done`."""
        with self._lock:
            kept = self._kept.get(copy)
            found = kept.pop(offset, None) if kept else None
            self._hashing += found is not None
            return found

    def done(self, block: Block) -> None:
        """The hasher has taken a block in."""
        with self._lock:
            self._hashing -= 1
            self._free.append(block)
            self._wake()

    def forget(self, copy: "Copy", before: int | None = None) -> None:
        """Free the blocks of a copy, all or those below an offset."""
        with self._lock:
            kept = self._kept.get(copy)
            if kept is None:
                return
            for offset in [each for each in kept if before is None or each < before]:
                self._free.append(kept.pop(offset)[0])
                self._wake()
            if not kept:
                del self._kept[copy]

    def _farthest(self) -> Block | None:
        """The block that the hasher needs last, of those that it cannot take now."""
        waiting = [
            (offset - copy.hashed, offset, copy)
            for copy, kept in self._kept.items()
            for offset in (kept if copy.gone else _beyond(kept, copy.hashed))
        ]
        if not waiting:
            return None
        _, offset, copy = max(waiting, key=lambda each: each[:2])
        return self._kept[copy].pop(offset)[0]


def _beyond(kept: dict[int, tuple[Block, int]], hashed: int) -> list[int]:
    """The offsets behind the first gap after what is hashed."""
    while hashed in kept:
        hashed += kept[hashed][1]
    return [offset for offset in kept if offset > hashed]
