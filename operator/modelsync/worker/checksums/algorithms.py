"""The checksums that sources report, each computed as its bytes pass.

hashlib has the cryptographic ones. S3's own are cyclic ones that Python lacks; they come from awscrt, AWS'
library (20 GB/s a core, where a table in Python would make 20 MB/s), which is loaded when the first one is
needed. S3 also reports checksums of checksums: each part of an upload has one, and the object's is made of
those.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Protocol

COMPOSITE = "composite-"
"""Before the name of an algorithm: a checksum over the checksums of an upload's parts."""
_CYCLIC = {"crc64nvme": 8, "crc32c": 4, "crc32": 4}
"""Bytes of each cyclic checksum."""
STRENGTH = (
    "sha256",
    "git-sha1",
    "composite-sha256",
    "sha1",
    "composite-sha1",
    "md5",
    "crc64nvme",
    "crc32c",
    "crc32",
    "composite-crc64nvme",
    "composite-crc32c",
    "composite-crc32",
)
"""Algorithms that can be computed here, the strongest first."""


class Sum(Protocol):
    """A checksum that grows with its bytes."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take in the bytes that follow."""

    def hexdigest(self) -> str:
        """The checksum of all bytes so far, in lower-case hexadecimal."""


def new(algorithm: str, size: int, parts: Iterable[int] = ()) -> Sum:
    """A checksum of a file of `size` bytes; a composite one needs the sizes of the upload's parts."""
    if algorithm.startswith(COMPOSITE):
        return _Composite(algorithm.removeprefix(COMPOSITE), parts)
    if algorithm in _CYCLIC:
        return _Cyclic(algorithm)
    if algorithm == "git-sha1":
        # A blob's id in git: the digest of "blob <size>\0" and the bytes.
        return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    return hashlib.new(algorithm, usedforsecurity=False)


class _Cyclic:
    def __init__(self, algorithm: str) -> None:
        from awscrt import checksums

        self._next: Callable[[bytes | memoryview, int], int] = getattr(checksums, algorithm)
        self._digits = 2 * _CYCLIC[algorithm]
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._next(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:0{self._digits}x}"


class _Composite:
    """What S3 reports of an upload in parts: the checksum of the parts' checksums, one after the other."""

    def __init__(self, algorithm: str, parts: Iterable[int]) -> None:
        self._algorithm = algorithm
        self._sizes = iter(parts)
        self._ended: list[bytes] = []
        self._begin()

    def _begin(self) -> None:
        self._left = next(self._sizes, None)
        self._part = new(self._algorithm, 0)
        if self._left == 0:
            self._end()

    def _end(self) -> None:
        self._ended.append(bytes.fromhex(self._part.hexdigest()))
        self._begin()

    def update(self, data: bytes | memoryview, /) -> None:
        rest = memoryview(data)
        while rest and self._left is not None:
            piece = rest[: self._left]
            self._part.update(piece)
            self._left -= len(piece)
            rest = rest[len(piece) :]
            if not self._left:
                self._end()

    def hexdigest(self) -> str:
        whole = new(self._algorithm, 0)
        whole.update(b"".join(self._ended))
        return whole.hexdigest()
