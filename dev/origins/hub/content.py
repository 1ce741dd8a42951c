"""What a file consists of: bytes, a file on disk, or synthetic bytes that cost no memory.

Everything that sends a file asks for `size` and `read`, so a test of 20 GB and one of 20 bytes take the
same path through the server.
"""

import functools
import hashlib
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

BLOCK = 1 << 20
PERIOD = 1_048_583
"""Length of the synthetic pattern in bytes: a prime, so that no chunk of a file equals its neighbour and a
range put in the wrong place changes the digest."""


class Content(Protocol):
    """Bytes of a known size that can be read anywhere."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """Content held in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        """Return a slice."""
        return self.data[offset : offset + length]


@dataclass(frozen=True, slots=True)
class Disk:
    """Content of a file on disk; opened for each read, so that no descriptor outlives a request."""

    path: Path
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Read from the file; it is expected to stay as it was when its digest was taken."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Content that follows from its seed alone; it does not compress."""

    size: int
    seed: int = 0

    def read(self, offset: int, length: int) -> bytes:
        """Cut the range out of the repeated pattern of this seed."""
        length = max(0, min(length, self.size - offset))
        pattern, start = _pattern(self.seed), offset % PERIOD
        repeats = (start + length + PERIOD - 1) // PERIOD
        if repeats <= 1:
            return pattern[start : start + length]
        return (pattern * repeats)[start : start + length]


@functools.lru_cache(maxsize=16)
def _pattern(seed: int) -> bytes:
    return random.Random(seed).randbytes(PERIOD)


def blocks(content: Content) -> Iterator[bytes]:
    """Read the whole content, a block at a time."""
    for offset in range(0, content.size, BLOCK):
        yield content.read(offset, BLOCK)


def sha256(content: Content) -> str:
    """SHA-256 in hex, as LFS and the Hub name large files."""
    return _synthetic_sha256(content) if isinstance(content, Synthetic) else _sha256(content)


@functools.lru_cache(maxsize=256)
def _synthetic_sha256(content: Synthetic) -> str:
    """Kept, as synthetic files are large and the same ones are served by many tests."""
    return _sha256(content)


def _sha256(content: Content) -> str:
    digest = hashlib.sha256()
    for block in blocks(content):
        digest.update(block)
    return digest.hexdigest()


def git_blob_id(content: Content) -> str:
    """Git's object id of the content in hex: SHA-1 over a header with the size, then the bytes."""
    digest = hashlib.sha1(b"blob %d\0" % content.size, usedforsecurity=False)
    for block in blocks(content):
        digest.update(block)
    return digest.hexdigest()
