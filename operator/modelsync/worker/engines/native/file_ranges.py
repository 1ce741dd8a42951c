"""One try at a file's bytes: which of them are written, may be hashed, are handed out.

Each try (`Copy`) has a staging file of its own, under another generation. A connection or hasher that still
works for an outdated copy finds out by identity, so no byte of one object can end up among those of another.

All sets and figures of a copy are guarded by its part's lock (`partial_file.Part.lock`). The copy's own three
locks guard system calls on its staging file and no fields but `reserved` (`staged_file`).
"""

import threading
from dataclasses import dataclass

from modelsync.worker.checksums.file_digest import Digests
from modelsync.worker.common.open_files import Handle
from modelsync.worker.storage.range_set import RangeSet


class Copy:
    """One try at a file's bytes, in a staging file of its own."""

    __slots__ = (
        "__weakref__",
        "busy",
        "cursor",
        "digests",
        "direct",
        "generation",
        "gone",
        "handle",
        "head",
        "judged",
        "media_type",
        "ready",
        "reserve_lock",
        "reserved",
        "scheduled",
        "serves_ranges",
        "size",
        "sync_lock",
        "unsynced",
        "validator",
        "whole",
        "write_lock",
        "written",
    )

    def __init__(self, generation: int, handle: Handle, size: int | None, validator: str | None) -> None:
        self.generation = generation
        self.handle = handle
        self.direct: Handle | None = None
        """The same file for writes past the page cache, where they pay."""
        self.size = size
        self.validator = validator
        self.media_type = ""
        """As the first answer of this attempt said."""
        self.head: bytes | None = None
        """Its first bytes, where it came in one piece; None where they are to be read."""
        self.written = RangeSet()
        self.ready = RangeSet()
        """What of it may be hashed: all but the blocks that are still being filled."""
        self.unsynced: list[tuple[int, int]] = []
        self.reserved = 0
        """Bytes from the file's beginning whose blocks of the volume are taken; the size where none need
        be."""
        self.reserve_lock = threading.Lock()
        self.sync_lock = threading.Lock()
        self.write_lock = threading.Lock()
        """The kernel lets one thread at a time write a file's pages; others would spin, and wait here."""
        self.cursor = 0
        """Where the search for the next missing range goes on."""
        self.busy = 0
        """Ranges being fetched."""
        self.serves_ranges = False
        """Whether an answer has shown that the origin serves ranges of this object."""
        self.digests: Digests | None = None
        self.whole = False
        """Whether all came in one piece and was hashed from memory; the journal does not know of it yet."""
        self.scheduled = False
        self.judged = False
        self.gone = False
        """Whether nobody needs its bytes any more."""

    @property
    def complete(self) -> bool:
        """Whether all bytes are written."""
        return self.written.total == self.size and not self.busy

    @property
    def hashed(self) -> int:
        """How many bytes, from the file's beginning, went into its checksum."""
        return self.digests.offset if self.digests else 0


@dataclass(slots=True, kw_only=True, eq=False)
class Chunk:
    """A range that one connection fetches."""

    copy: Copy
    begin: int
    position: int
    """The next byte; moves as bytes are written."""
    end: int | None
    """None while the size is unknown: to the end of the body."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left of it."""
        return self.end is not None and self.position >= self.end
