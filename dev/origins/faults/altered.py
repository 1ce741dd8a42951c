"""Content that is another one's, changed: what damaging faults send."""

from collections.abc import Iterator
from dataclasses import dataclass

from dev.origins.content import Content, Synthetic

_OTHER = 1_000_003
"""Added to a seed for content of the same size and other bytes."""


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


@dataclass(frozen=True, slots=True)
class Inverted:
    """Another content with every bit changed from an offset on."""

    inner: Content
    offset: int

    @property
    def size(self) -> int:
        """That of the inner one."""
        return self.inner.size

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """The inner pieces; those from the offset on are copies."""
        table = bytes(value ^ 0xFF for value in range(256))
        for piece in self.inner.pieces(start, end):
            kept = min(len(piece), max(0, self.offset - start))
            yield memoryview(bytes(piece[:kept]) + bytes(piece[kept:]).translate(table))
            start += len(piece)


def other(content: Content) -> Synthetic:
    """Other content of the same size."""
    seed = content.seed + _OTHER if isinstance(content, Synthetic) else _OTHER + content.size
    return Synthetic(content.size, seed)
