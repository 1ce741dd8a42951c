"""Memory for bytes on their way from the network to the disk and, in the file's order, to the checksum.

Writing past the page cache (O_DIRECT) saves a copy and leaves the Pod's memory to the Pod, but then a
checksum would have to read the disk. So a block stays here after it was written, until the hasher took it.
Blocks are of one size and number, whatever the files: memory is bounded, and a hasher that falls behind
slows the network down. A block is only a copy of what the disk holds, though: where the hasher waits for one
slow connection, the blocks behind that gap are given up for the others, and read back later.

No arrangement of files, speeds and connections makes the engine wait for itself:

1. A thread has one block in its hands at most: a connection the one that it fills, a hasher the one that it
   hashes. There are more blocks than threads, so for a connection that has none, a block is free, may still
   be made, or is kept here.
2. A kept block is a copy and can be given up at any time. So `take` never has to wait; it only prefers to,
   while a hasher has a block in its hands, or follows a copy whose next block is kept.
3. Such a hasher needs nobody: it waits for no block, no connection and no other hasher, and each block that
   it takes brings its file forward. So that wait ends, and the next one, until the hashers have nothing that
   they can take now; and then `take` gives up what is kept.

What a hasher will be able to take later (a small file that is not complete, a copy in its queue) keeps nobody
waiting; that it did once stopped the engine forever. `blocked` finds a wait that does not end all the same.
"""

import collections
import mmap
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelsync.worker.checksums.file_digest import BLOCK
from modelsync.worker.common.failures import Interrupted

if TYPE_CHECKING:
    from modelsync.worker.engines.native.file_ranges import Copy

HASHERS = 2
"""Threads; a file is hashed by one at a time, at a core's speed, which most networks do not reach."""
SPARE = 64
"""Blocks beyond one for each thread: bytes of later ranges that wait for the hasher."""
_RECHECK_SECONDS = 0.2

Block = mmap.mmap
"""Page-aligned, as O_DIRECT needs it. A byte is where its offset in the file says, modulo BLOCK, so that
each piece of a block is as aligned in memory as it is in the file."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    copy: "Copy"
    position: int
    changed: threading.Condition


class Pool:
    """The blocks of one engine. Thread-safe.

    Each block has one owner at any time: the pool (free, or kept for a hasher), a connection from `take`
    until `keep` or `release`, or a hasher from `take_kept` until `release_hashed`. Only the owner touches its
    bytes, so these need no lock; `_lock` guards who owns what, and no other lock is taken under it.
    `copy.hashed` and `copy.gone` are read here without the part's lock: both only move forward, and an older
    value keeps a block that `forget` frees, or gives up one that is read back.
    """

    def __init__(self, connections: int, spare: int = SPARE) -> None:
        self._most = connections + HASHERS + spare
        self._made = 0
        self._free: list[Block] = []
        self._kept: dict[Copy, dict[int, tuple[Block, int]]] = collections.defaultdict(dict)
        """Written blocks by copy and offset in the file of their first byte, with their length."""
        self._followed: list[Copy] = []
        """Copies that a thread hashes at this moment."""
        self._hashing = 0
        """Blocks in the hands of these threads."""
        self._lead = spare * BLOCK
        self.moves = 0
        """Grows with each block that comes back."""
        self.waiting = 0
        """Connections that wait for a block."""
        self._lock = threading.Lock()
        self._waiters: list[_Waiter] = []

    def take(self, copy: "Copy", position: int, halt: threading.Event) -> Block:
        """A block for bytes from this position on, waiting for one if that spares reading back.

        The caller has no other block. Raises Interrupted when `halt` is set.
        """
        with self._lock:
            while (block := self._found(copy, position)) is None:
                if halt.is_set():
                    raise Interrupted
                self._wait(_Waiter(copy, position, threading.Condition(self._lock)))
            if self._waiters and not self._hashed_soon():
                self._wake()  # each wakes the next: now nobody has to wait
            return block

    def _found(self, copy: "Copy", position: int) -> Block | None:
        soon = self._hashed_soon()
        if soon and position - copy.hashed >= self._lead:
            return None  # leave the free ones to bytes that the hasher needs first
        if self._free:
            return self._free.pop()
        if self._made < self._most:
            self._made += 1
            return mmap.mmap(-1, BLOCK)
        return None if soon else self._given_up()

    def _hashed_soon(self) -> bool:
        """Whether a thread that hashes hands a block back, and needs nobody for that."""
        return self._hashing > 0 or any(
            copy.hashed in self._kept.get(copy, ()) and not copy.gone for copy in self._followed
        )

    def _given_up(self) -> Block:
        """The block that the hasher needs last."""
        kept = (
            (offset - copy.hashed, offset, copy) for copy, found in self._kept.items() for offset in found
        )
        _, offset, copy = max(kept, key=lambda each: each[:2])
        return self._removed(copy, offset)[0]

    def _removed(self, copy: "Copy", offset: int) -> tuple[Block, int]:
        kept = self._kept[copy]
        found = kept.pop(offset)
        if not kept:
            del self._kept[copy]
        return found

    def _wait(self, waiter: "_Waiter") -> None:
        self._waiters.append(waiter)
        self.waiting += 1
        waiter.changed.wait(_RECHECK_SECONDS)
        self.waiting -= 1
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    def _wake(self) -> None:
        """Let the waiter whose bytes the hasher needs first look again: what it cannot take, nobody can."""
        self.moves += 1
        if self._waiters:
            nearest = min(self._waiters, key=lambda each: each.position - each.copy.hashed)
            self._waiters.remove(nearest)
            nearest.changed.notify()

    def release(self, block: Block) -> None:
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

    def follow(self, copy: "Copy") -> None:
        """A thread hashes this copy from now on, until it calls `leave`."""
        with self._lock:
            self._followed.append(copy)

    def leave(self, copy: "Copy") -> None:
        """The thread has hashed what it could."""
        with self._lock:
            self._followed.remove(copy)
            self._wake()

    def take_kept(self, copy: "Copy", offset: int) -> tuple[Block, memoryview] | None:
        """The kept block that begins at this offset, and its bytes; hand it back by `release_hashed`."""
        with self._lock:
            if offset not in self._kept.get(copy, ()):
                self._wake()  # it is read back, which frees no block soon
                return None
            self._hashing += 1
            block, length = self._removed(copy, offset)
            return block, memoryview(block)[offset % BLOCK : offset % BLOCK + length]

    def release_hashed(self, block: Block) -> None:
        """The hasher has taken a block in."""
        with self._lock:
            self._hashing -= 1
            self._free.append(block)
            self._wake()

    def forget(self, copy: "Copy", before: int | None = None) -> None:
        """Free the blocks of a copy, all or those below an offset."""
        with self._lock:
            for offset in list(self._kept.get(copy, ())):
                if before is None or offset < before:
                    self._free.append(self._removed(copy, offset)[0])
                    self._wake()

    def described(self, names: Mapping["Copy", str]) -> str:
        """Where all blocks are and who waits for one, for the log; `names` are those of the files."""
        with self._lock:
            kept = {copy: sorted(found) for copy, found in self._kept.items()}
            count = sum(map(len, kept.values()))
            hands = self._made - len(self._free) - count
            lines = [
                f"blocks: {self._most} at most, {self._made} made, {len(self._free)} free, {count} kept,"
                f" {hands} in hands, {self._hashing} of them in hashers'"
            ]
            for copy, offsets in kept.items():
                followed = ", followed" if copy in self._followed else ""
                where = f"{offsets[0]} to {offsets[-1]}, hashed to {copy.hashed} of {copy.size}{followed}"
                lines.append(f"{len(offsets)} kept of {names.get(copy, 'an outdated copy')} from {where}")
            for each in self._waiters:
                name = names.get(each.copy, "an outdated copy")
                lines.append(f"waiting for {name} at {each.position}, hashed to {each.copy.hashed}")
        return "; ".join(lines)
