"""What a file consists of: given bytes, a file on disk, or bytes that a seed determines.

Everything that sends a file asks for pieces, so a file of a terabyte and one of two bytes take the same path.
Synthetic content is one block of noise of 1 MiB, rotated for each block by another distance, so that no two
blocks are the same and a range that lands in the wrong place shows. Pieces are views of the same memory:
nothing is copied, and an origin is never slower than the socket.
"""

import base64
import functools
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
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
class Synthetic:
    """`size` bytes that a seed determines; they do not compress."""

    size: int
    seed: int = 0

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
        for first in range(start, end, BLOCK):
            yield memoryview(self.data)[first : min(first + BLOCK, end)]


@dataclass(frozen=True, slots=True)
class Disk:
    """A file on disk; opened for each reader, so that no descriptor outlives a request."""

    path: Path
    size: int = field(init=False)
    changed: int = field(init=False)
    """Its modification in nanoseconds."""

    def __post_init__(self) -> None:
        """It is expected to stay as it is now."""
        state = self.path.stat()
        object.__setattr__(self, "size", state.st_size)
        object.__setattr__(self, "changed", state.st_mtime_ns)

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """What the file holds; raises OSError where it is shorter than it was."""
        with self.path.open("rb", buffering=0) as file:
            while start < end:
                data = os.pread(file.fileno(), min(BLOCK, end - start), start)
                if not data:
                    raise OSError(f"{self.path} is shorter than it was")
                yield memoryview(data)
                start += len(data)


def noise(size: int, seed: str = "noise") -> bytes:
    """Bytes in memory that a word determines; they do not compress."""
    return hashlib.shake_128(seed.encode()).digest(size)


def part(content: Content, start: int, end: int) -> bytes:
    """The bytes [start, end), in memory."""
    return b"".join(content.pieces(start, end))


def read(content: Content) -> bytes:
    """All bytes, in memory."""
    return part(content, 0, content.size)


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
