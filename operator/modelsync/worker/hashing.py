"""Checksums of a file's bytes, computed behind the writer.

Several connections write a file out of order, but a digest needs order: so one hasher follows the written
prefix, with the blocks that the writers left for it (`blocks`) or reading back. After a crash the
prefix is read again from its beginning, which also proves that the volume still holds what the journal
promises.
"""

import hashlib
import os
import zlib
from collections.abc import Iterable
from typing import Protocol

from modelsync.worker.model import Digest

BLOCK = 1 << 20
_STRENGTH = ("sha256", "git-sha1", "sha1", "md5", "crc32")
"""Algorithms that can be computed here, the most telling first. crc32c and crc64nvme would need a table in
Python, at a hundredth of the network's speed."""
_RECORDED = {"md5": "etag-md5"}


class _Sum(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


def _new(algorithm: str, size: int) -> _Sum:
    if algorithm == "crc32":
        return _Crc32()
    if algorithm == "git-sha1":
        # A blob's id in git: the digest of "blob <size>\0" and the bytes.
        return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    return hashlib.new(algorithm, usedforsecurity=False)


class Digests:
    """The digests of one file, fed in order: SHA-256 for the manifest and what its source tells."""

    def __init__(self, told: Iterable[Digest], size: int) -> None:
        self.offset = 0
        """How many bytes were fed."""
        self._told = {digest.algorithm: digest.value for digest in told if digest.algorithm in _STRENGTH}
        self._sums = {name: _new(name, size) for name in {"sha256", *self._told}}

    def feed(self, descriptor: int, end: int) -> int:
        """Read the file up to `end`, one block at most, and tell how many bytes were fed; raises OSError."""
        limit = min(end, (self.offset // BLOCK + 1) * BLOCK)
        data = os.pread(descriptor, limit - self.offset, self.offset)
        return self.update(data)

    def update(self, data: bytes | memoryview) -> int:
        """Take in the bytes that follow, and tell how many they were."""
        for each in self._sums.values():
            each.update(data)
        self.offset += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        """SHA-256 of all that was fed."""
        return self._sums["sha256"].hexdigest()

    @property
    def comparable(self) -> bool:
        """Whether the source told a digest that can be compared."""
        return bool(self._told)

    def wrong(self) -> str | None:
        """The first algorithm whose digest is not what the source told, or None."""
        names = (name for name in _STRENGTH if name in self._told)
        return next((name for name in names if self._sums[name].hexdigest() != self._told[name]), None)

    def verified_by(self) -> str:
        """What the file was compared with, as the manifest records it."""
        best = next((name for name in _STRENGTH if name in self._told), "size")
        return _RECORDED.get(best, best)


def comparable(told: Iterable[Digest]) -> bool:
    """Whether one of these digests can be computed here."""
    return any(digest.algorithm in _STRENGTH for digest in told)


def digest_file(descriptor: int, told: Iterable[Digest], size: int) -> Digests:
    """The digests of a whole file; raises OSError."""
    digests = Digests(told, size)
    while digests.offset < size and digests.feed(descriptor, size):
        pass
    return digests
