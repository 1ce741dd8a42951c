"""What pages a listing has, and those of listings that never end."""

from collections.abc import Sequence
from enum import StrEnum


class Listing(StrEnum):
    """How an origin lists its files."""

    COMPLETE = "all files once"
    ENDLESS = "new files without end"
    EMPTY = "empty pages without end"
    REPEATED = "one file on each of endless pages"
    SAME = "a page that leads to itself"


def paths(how: Listing, known: Sequence[str], cursor: int, size: int) -> Sequence[str]:
    """The files of the page that begins at a cursor."""
    if how is Listing.COMPLETE:
        return known[cursor : cursor + size]
    if how is Listing.ENDLESS:
        return [f"endless/{cursor + number}" for number in range(size)]
    return [] if how is Listing.EMPTY else ["a.bin"]


def following(how: Listing, count: int, cursor: int, size: int) -> int | None:
    """The cursor of the next page of a listing of so many files; None behind the last one."""
    if how is Listing.SAME:
        return max(1, cursor)
    return cursor + size if how is not Listing.COMPLETE or cursor + size < count else None
