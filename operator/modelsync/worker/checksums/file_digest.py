"""Checksums of a file's bytes, computed behind the writer.

Several connections write a file out of order, but a digest needs order: so one hasher follows the written
prefix, with the blocks that the writers left for it (`buffer_pool`) or reading back. After a crash the
prefix is read again from its beginning, which also proves that the volume still holds what the journal
promises.
"""

import os
from collections.abc import Callable, Iterable

from modelsync.api.reasons import Reason
from modelsync.worker.checksums import algorithms
from modelsync.worker.common import names
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Digest, RemoteFile

BLOCK = 1 << 20
"""Bytes that are read, written and hashed at once; 16 KiB TLS records and small writes make smaller ones
slow."""
Read = Callable[[int], None]
"""Hears of so many bytes more that were read."""
_RECORDED = {"md5": "etag-md5"}


class Digests:
    """The digests of one file, fed in order: SHA-256 for the manifest and what its source reports."""

    def __init__(self, expected: Iterable[Digest], size: int) -> None:
        self.offset = 0
        """How many bytes were fed."""
        expected = tuple(expected)
        self._reported = {
            digest.algorithm: digest.value for digest in expected if digest.algorithm in algorithms.STRENGTH
        }
        parts = {digest.algorithm: digest.parts for digest in expected}
        self._sums = {
            name: algorithms.new(name, size, parts.get(name, ())) for name in {"sha256", *self._reported}
        }

    def feed(self, descriptor: int, end: int) -> int:
        """Read the file up to `end`, one block at most, and return how many bytes were fed; raises
        OSError."""
        limit = min(end, (self.offset // BLOCK + 1) * BLOCK)
        data = os.pread(descriptor, limit - self.offset, self.offset)
        return self.update(data)

    def update(self, data: bytes | memoryview) -> int:
        """Hash the bytes that follow; returns how many they were."""
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
        """Whether the source reported a digest that can be compared."""
        return bool(self._reported)

    def wrong(self) -> str | None:
        """The first algorithm whose digest is not what the source reported, or None."""
        names = (name for name in algorithms.STRENGTH if name in self._reported)
        return next((name for name in names if self._sums[name].hexdigest() != self._reported[name]), None)

    def verified_by(self) -> str:
        """What the file was compared with, as the manifest records it."""
        best = next((name for name in algorithms.STRENGTH if name in self._reported), "size")
        return _RECORDED.get(best, best)


def comparable(expected: Iterable[Digest]) -> bool:
    """Whether one of these digests can be computed here."""
    return any(digest.algorithm in algorithms.STRENGTH for digest in expected)


def digest_file(
    descriptor: int, expected: Iterable[Digest], size: int, read: Read = lambda count: None
) -> Digests:
    """The digests of a whole file; raises OSError."""
    digests = Digests(expected, size)
    while digests.offset < size and (count := digests.feed(descriptor, size)):
        read(count)
    return digests


def damaged(file: RemoteFile, wrong: str) -> Failure:
    """The failure of a file whose `wrong` (an algorithm, or size) is another than the source lists."""
    path = names.printable(file.path)
    if file.size == 0:
        text = (
            f"The source lists {path} as empty, but with a {wrong} that is not that of an empty file. Correct"
            " the checksum, or bring the file's content back at the source."
        )
        return Failure(Reason.CHECKSUM_MISMATCH, text)
    text = (
        f"The file {path} has another {wrong} than the source lists, also after it was fetched again. The"
        f" origin serves damaged bytes, or the source lists a wrong {wrong}. Correct the source, or name"
        " another endpoint."
    )
    return Failure(Reason.SIZE_MISMATCH if wrong == "size" else Reason.CHECKSUM_MISMATCH, text)
