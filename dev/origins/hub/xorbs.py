"""How Xet lays out a file: chunks, each behind a header, in xorbs that are fetched by ranges.

The format is that of the Xet protocol (huggingface.co/docs/xet: "Xorb Format", "File Reconstruction"). Ours
is the plainest layout that it allows: chunks of one length, nothing compressed, no chunk shared with another
file. Hashes are made up of the file's digest, since clients do not compute them again when they read; so a
file of any size is laid out without reading it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from dev.origins.content import Content, part
from dev.origins.hub.repository import File

CHUNK = 64 * 1024
"""Bytes of a chunk: what content-defined chunking aims at (at most 128 KiB)."""
HEADER = 8
"""Bytes before each chunk: version, length as stored, compression, length."""
STRIDE = HEADER + CHUNK
XORB_CHUNKS = 1000
"""Chunks of a whole xorb: 65.5 MB with headers, of the 64 MiB and 8192 chunks that the format allows."""
XORB = XORB_CHUNKS * CHUNK
"""Bytes of a file in a whole xorb."""


def xet_hash(file: File) -> str:
    """The name of a file's content in Xet, 64 hex digits."""
    return hashlib.sha256(f"file {file.sha256}".encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Xorb:
    """One xorb of a file in its serialized form, computed when it is read."""

    original: Content
    """The whole file."""
    number: int
    """Which one of the file's."""

    @property
    def length(self) -> int:
        """Bytes of the file in it."""
        return min(XORB, self.original.size - self.number * XORB)

    @property
    def size(self) -> int:
        """Bytes with the headers."""
        return self.length + HEADER * -(-self.length // CHUNK)

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """Headers and chunks of a range."""
        while start < end:
            index, skipped = divmod(start, STRIDE)
            length = min(CHUNK, self.length - index * CHUNK)
            if skipped < HEADER:
                data = _header(length)[skipped : skipped + end - start]
            else:
                first = self.number * XORB + index * CHUNK + skipped - HEADER
                data = part(self.original, first, first + min(HEADER + length - skipped, end - start))
            yield memoryview(data)
            start += len(data)


def _header(length: int) -> bytes:
    """Version 0, both lengths in 3 bytes, compression 0 (none)."""
    both = length.to_bytes(3, "little")
    return b"\0" + both + b"\0" + both


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A part of a file as chunks of one xorb."""

    number: int
    """Which xorb of the file's."""
    first: int
    """The first chunk in the xorb."""
    end: int
    """The chunk after the last."""
    length: int
    """Bytes of the file in them."""

    @property
    def stored(self) -> tuple[int, int]:
        """The chunks' bytes in the xorb, headers included: first and last."""
        return self.first * STRIDE, self.first * STRIDE + self.length + HEADER * (self.end - self.first) - 1


def terms(size: int, start: int, end: int) -> Iterator[Term]:
    """The terms that hold the bytes [start, end) of a file of a size; they begin and end between chunks."""
    offset, end = start - start % CHUNK, min(size, end + -end % CHUNK)
    while offset < end:
        number, skipped = divmod(offset, XORB)
        length = min(XORB - skipped, end - offset)
        first = skipped // CHUNK
        yield Term(number=number, first=first, end=first - (-length // CHUNK), length=length)
        offset += length
