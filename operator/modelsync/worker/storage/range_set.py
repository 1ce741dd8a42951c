"""Which bytes of a file are there: a sorted set of half-open ranges.

Ranges arrive out of order from several connections and from a journal; they are kept merged, so that the
set stays as small as the number of holes.
"""

import bisect
from collections.abc import Iterable, Iterator


class RangeSet:
    """Half-open ranges [start, end), merged; not thread-safe."""

    __slots__ = ("_ends", "_starts", "total")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.total = 0
        """Number of bytes in the set."""
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._starts, self._ends, strict=True)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and list(self) == list(other)

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"

    @property
    def pieces(self) -> int:
        """How many ranges it is made of."""
        return len(self._starts)

    def add(self, start: int, end: int) -> int:
        """Add [start, end) and return how many of its bytes are new."""
        if start >= end:
            return 0
        if not self._ends or start > self._ends[-1]:  # behind all others, as most are
            self._starts.append(start)
            self._ends.append(end)
            self.total += end - start
            return end - start
        first = bisect.bisect_left(self._ends, start)
        last = bisect.bisect_right(self._starts, end)
        before = sum(self._ends[i] - self._starts[i] for i in range(first, last))
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last], self._ends[first:last] = [start], [end]
        new = end - start - before
        self.total += new
        return new

    def prefix_end(self) -> int:
        """Where the part that begins at 0 ends."""
        return self._ends[0] if self._starts and self._starts[0] == 0 else 0

    def first_gap(self, start: int, limit: int) -> tuple[int, int] | None:
        """The first missing range at or after `start` and before `limit`, or None."""
        index = bisect.bisect_right(self._starts, start) - 1
        if index >= 0 and self._ends[index] > start:
            start = self._ends[index]
        if start >= limit:
            return None
        following = bisect.bisect_right(self._starts, start)
        end = self._starts[following] if following < len(self._starts) else limit
        return start, min(end, limit)

    def clipped(self, limit: int) -> "RangeSet":
        """The part of the set below `limit`."""
        return RangeSet((start, min(end, limit)) for start, end in self if start < limit)
