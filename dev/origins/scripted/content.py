"""Content that is computed from a seed and an offset: a file of a terabyte costs nothing.

Content is one block of noise of 1 MiB, rotated for each block by another distance, so that no two blocks are
the same and a range that lands in the wrong place shows. Pieces are views of the same memory: nothing is
copied, and an origin is never slower than the socket.
"""

import base64
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

BLOCK = 1 << 20
_STEP = 7919
"""Rotation from one block to the next; odd, so that 2**20 blocks (a terabyte) all differ."""


class Content(Protocol):
    """Bytes of a known size."""

    @property
    def size(self) -> int:
        """How many there are."""

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """The bytes [start, end), in pieces of at most a block."""

    def __hash__(self) -> int:
        """Of what determines the bytes."""


@functools.lru_cache(maxsize=32)
def _noise(seed: int) -> memoryview:
    block = hashlib.shake_128(b"origin %d" % seed).digest(BLOCK)
    return memoryview(block + block)


@dataclass(frozen=True, slots=True)
class Computed:
    """`size` bytes that a seed determines."""

    seed: int
    size: int

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """Views into the rotated noise."""
        noise = _noise(self.seed)
        while start < end:
            block, offset = divmod(start, BLOCK)
            count = min(BLOCK - offset, end - start)
            first = (offset + block * _STEP) % BLOCK
            yield noise[first : first + count]
            start += count


@dataclass(frozen=True, slots=True)
class Fixed:
    """Bytes that are given."""

    data: bytes

    @property
    def size(self) -> int:
        """Their number."""
        return len(self.data)

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """Views of them."""
        while start < end:
            count = min(BLOCK, end - start)
            yield memoryview(self.data)[start : start + count]
            start += count


@dataclass(frozen=True, slots=True)
class Spliced:
    """The bytes of one content up to an offset, and those of another from there on."""

    first: Content
    second: Content
    offset: int

    @property
    def size(self) -> int:
        """That of the second."""
        return self.second.size

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """Pieces of the one, then of the other."""
        if start < self.offset:
            yield from self.first.pieces(start, min(end, self.offset))
        if end > self.offset:
            yield from self.second.pieces(max(start, self.offset), end)


@dataclass(frozen=True, slots=True)
class Flipped:
    """Another content with one bit changed."""

    inner: Content
    offset: int

    @property
    def size(self) -> int:
        """That of the inner one."""
        return self.inner.size

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """The inner pieces; the one with the bit is a copy."""
        for piece in self.inner.pieces(start, end):
            if start <= self.offset < start + len(piece):
                changed = bytearray(piece)
                changed[self.offset - start] ^= 1 << self.offset % 8
                yield memoryview(bytes(changed))
            else:
                yield piece
            start += len(piece)


def read(content: Content) -> bytes:
    """All bytes, in memory."""
    return b"".join(content.pieces(0, content.size))


@functools.lru_cache(maxsize=4096)
def hexdigest(content: Content, algorithm: str) -> str:
    """A digest of all bytes in hexadecimal; `git-sha1` is the id of a blob in git."""
    if algorithm == "git-sha1":
        sums = hashlib.sha1(b"blob %d\0" % content.size, usedforsecurity=False)
    else:
        sums = hashlib.new(algorithm, usedforsecurity=False)
    for piece in content.pieces(0, content.size):
        sums.update(piece)
    return sums.hexdigest()


def base64_digest(content: Content, algorithm: str) -> str:
    """A digest of all bytes in base64, as S3's headers have it."""
    return base64.b64encode(bytes.fromhex(hexdigest(content, algorithm))).decode()
