"""One file on its way: what of it is written, and which range comes next.

A part may start over (the object changed, a digest was wrong). Each start is a `Copy` with a staging file of
its own, and whoever still works for an outdated copy finds out by identity, so no byte of one object can end
up among those of another.
"""

import errno
import os
import threading
from dataclasses import dataclass

from modelsync.api.reasons import Reason
from modelsync.worker.checksums import file_digest
from modelsync.worker.checksums.file_digest import Digests
from modelsync.worker.common import open_files, volume_errors
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import RemoteFile, Request
from modelsync.worker.common.open_files import Handle
from modelsync.worker.engines.native.buffer_pool import BLOCK
from modelsync.worker.http import range_response
from modelsync.worker.storage import filesystem
from modelsync.worker.storage.journal import SMALL, Entry
from modelsync.worker.storage.range_set import RangeSet
from modelsync.worker.storage.staging import Staging, key_of

WHOLE_BYTES = SMALL
"""Files up to this are received in one piece (`small_file`); a crash in the middle of one costs less than a
chunk."""
LEAST_AHEAD, MOST_AHEAD = 64 << 20, 1 << 30
"""Bytes that are reserved beyond those about to be written: as many as have come, within these bounds. An
origin can announce what it likes, and so gets no more of the volume than twice what it sends, or 64 MiB. With
steps that grow, a file of 4 GiB takes eight; written at a disk's 900 MB/s they cost nothing measurable."""
PAGE = 4096
"""O_DIRECT needs memory, offset and length in multiples of the disk's block size, which is this or less."""


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
        "headed",
        "judged",
        "media_type",
        "ready",
        "reserve_lock",
        "reserved",
        "scheduled",
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
        """From the file's beginning, where blocks are taken before they are written."""
        self.reserve_lock = threading.Lock()
        self.sync_lock = threading.Lock()
        self.write_lock = threading.Lock()
        """The kernel lets one thread at a time write a file's pages; others would spin, and wait here."""
        self.cursor = 0
        """Where the search for the next missing range goes on."""
        self.busy = 0
        """Ranges being fetched."""
        self.headed = False
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


def _written(copy: Copy, data: memoryview, position: int) -> int:
    """Write some of it, past the page cache if it can be; raises OSError."""
    direct = copy.direct  # held: another thread may find at this moment that it does not work, and drop it
    if direct is not None and not (position | len(data)) % PAGE:
        try:
            return os.pwrite(direct.descriptor, data, position)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            copy.direct = None  # the file system promises O_DIRECT and does not keep it
    with copy.write_lock:
        return os.pwrite(copy.handle.descriptor, data, position)


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


class Part:
    """One file on its way. Thread-safe."""

    def __init__(
        self, file: RemoteFile, staging: Staging, chunk_bytes: int, *, checksum: bool = True
    ) -> None:
        """Open the staging file, with what the journal says of it; raises Failure."""
        self.file = file
        self.key = key_of(file)
        self.target: Request | None = None
        """Where the last answer came from, behind redirects; None asks the source anew."""
        self.lock = threading.Lock()
        self.digested = checksum and file.named
        """Whether a SHA-256 will judge the bytes."""
        self.strict = not self.digested
        """Whether every answer must carry the same ETag or date. A known SHA-256 judges better, and nodes of
        a CDN may tag the same bytes differently; but once it was wrong, no two tags are mixed any more."""
        self.checksum = checksum
        """Whether the bytes are hashed."""
        self.compared = checksum and file_digest.comparable(file.digests)
        """Whether the bytes are compared with a checksum before they are published."""
        self._staging = staging
        self._chunk_bytes = chunk_bytes
        self._best = 0
        self._mark = -1
        self._rewinds = 0
        self._restarts: set[Reason] = set()
        self.copy = self._opened(staging.journal.entries.get(self.key))

    def _opened(self, entry: Entry | None) -> Copy:
        with volume_errors.guarded("opening a staging file"):
            if entry is not None and entry.size is not None and self.file.size in (None, entry.size):
                found = self._resumed(entry)
                if found is not None:
                    return found
            return self._fresh(0 if entry is None else entry.generation + 1)

    def _resumed(self, entry: Entry) -> Copy | None:
        """The copy that the journal speaks of, as far as its staging file is there."""
        name = self.staged_name(entry.generation)
        try:
            handle = Handle(self._staging.open(name))
        except (FileNotFoundError, IsADirectoryError, PermissionError, open_files.Unusable):
            return None
        copy = Copy(entry.generation, handle, entry.size, entry.validator)
        copy.direct = self._direct(handle, copy.size)
        copy.written = entry.ranges.clipped(min(entry.size or 0, os.fstat(handle.descriptor).st_size))
        copy.ready = RangeSet(copy.written)
        self._best = copy.written.total
        return copy

    def _fresh(self, generation: int) -> Copy:
        name = self.staged_name(generation)
        handle = Handle(self._staging.create(name))
        if self.file.size is not None and self.file.size > BLOCK:
            os.ftruncate(handle.descriptor, self.file.size)  # which takes no blocks
        validator = f"etag:{self.file.etag}" if self.file.etag else None
        copy = Copy(generation, handle, self.file.size, validator)
        copy.direct = self._direct(handle, copy.size)
        if generation:
            self.record(copy)
        return copy

    def _direct(self, handle: Handle, size: int | None) -> Handle | None:
        if not self._staging.direct or (size is not None and size < BLOCK):
            return None
        try:
            return Handle(open_files.again(handle.descriptor, os.O_WRONLY | os.O_DIRECT))
        except OSError:
            return None

    def staged_name(self, generation: int) -> str:
        """Name of a copy's file in the staging directory; not made of the file's own name, which may be as
        long as names may be."""
        return f"{self.key}.{generation}"

    def next_chunk(self, sharers: int = 0) -> Chunk | None:
        """The next range to fetch; None when all is handed out or the first answer must come first.

        With `sharers` connections that have nothing else to fetch, what is left is cut so that they end
        together rather than wait for one.
        """
        with self.lock:
            copy = self.copy
            if copy.busy and (copy.size is None or not copy.headed):
                return None
            if copy.size is None:
                copy.busy += 1
                return Chunk(copy=copy, begin=0, position=0, end=None)
            gap = copy.written.first_gap(copy.cursor, copy.size)
            if gap is None:
                return None
            start, limit = gap
            size = self._chunk_bytes
            if sharers > 1:
                size = min(size, max(BLOCK, (copy.size - start) // (2 * sharers) // BLOCK * BLOCK))
            end = min(limit, (start // size + 1) * size)
            copy.cursor, copy.busy = end, copy.busy + 1
            return Chunk(copy=copy, begin=start, position=start, end=end)

    def exhausted(self) -> bool:
        """Whether all ranges of the present copy are handed out."""
        with self.lock:
            copy = self.copy
            return copy.size is not None and copy.written.first_gap(copy.cursor, copy.size) is None

    def pin(self, chunk: Chunk, body: range_response.Body) -> None:
        """Take in what an answer told about the object; raises responses.Changed when it is another."""
        copy = chunk.copy
        with self.lock:
            if self.strict and not range_response.same(copy.validator, body.validator):
                text = f"The file {self.file.path} changed at the source during the sync."
                raise range_response.Changed(Reason.SOURCE_CHANGED, text)
            news = copy.validator is None and body.validator is not None
            learned = body.size if copy.size is None else None
            first = news or learned is not None or not copy.written.total
            copy.validator = copy.validator or body.validator
            copy.media_type = copy.media_type or body.media_type
            copy.size = body.size if copy.size is None else copy.size
        if learned is not None:
            self._staging.check_space(copy)
            with volume_errors.guarded("sizing a staging file"):
                os.ftruncate(copy.handle.descriptor, learned)
        if first and not self.in_one_piece(chunk):
            self.record(copy)

    def in_one_piece(self, chunk: Chunk) -> bool:
        """Whether a chunk is a whole file, small and with a checksum to compare."""
        size = chunk.copy.size
        return self.compared and not chunk.position and chunk.end == size and 0 < (size or 0) <= WHOLE_BYTES

    def ranges_work(self, copy: Copy) -> None:
        """Further ranges may be asked for at the same time."""
        with self.lock:
            copy.headed = True

    def claim_rest(self, chunk: Chunk) -> None:
        """The chunk's answer is the whole file: nobody else need fetch of it."""
        with self.lock:
            chunk.end = chunk.copy.size
            if chunk.copy.size is not None:
                chunk.copy.cursor = chunk.copy.size

    def write(self, chunk: Chunk, data: memoryview) -> bool:
        """Write at the chunk's position and move it; tells whether the file has never got so far before.

        `data` lies in its page of memory as the position does in the file's. Raises Failure.
        """
        copy, start = chunk.copy, chunk.position
        self._reserve(copy, start + len(data))
        with volume_errors.guarded("writing a staging file"):
            while data:
                count = _written(copy, data, chunk.position)
                data, chunk.position = data[count:], chunk.position + count
        with self.lock:
            copy.written.add(start, chunk.position)
            copy.unsynced.append((start, chunk.position))
            further = copy.written.total > self._best
            self._best = max(self._best, copy.written.total)
        return further

    def _reserve(self, copy: Copy, end: int) -> None:
        """Take the blocks up to where bytes are about to be written, and some ahead; raises Failure."""
        size = copy.size
        if end <= copy.reserved or size is None or size <= BLOCK or not self._staging.reserves:
            return
        with copy.reserve_lock, volume_errors.guarded("reserving space"):
            if end > copy.reserved:
                ahead = max(LEAST_AHEAD, min(MOST_AHEAD, copy.written.total))
                following = min(size, end + ahead)
                able = filesystem.reserve(copy.handle.descriptor, copy.reserved, following)
                copy.reserved = following if able else size

    def hand_over(self, copy: Copy, start: int, end: int) -> None:
        """Let these bytes be hashed: they are written, and nobody adds to their block any more."""
        with self.lock:
            copy.ready.add(start, end)

    def sync(self, copy: Copy) -> None:
        """Bring what was written to the disk, then say so in the journal; raises Failure."""
        with copy.sync_lock:
            with self.lock:
                ranges = RangeSet(copy.unsynced)
                count = len(copy.unsynced)
            if not count:
                return
            with volume_errors.guarded("syncing a staging file"), self._staging.journal.proving():
                os.fdatasync(copy.handle.descriptor)
                self._staging.journal.ranges((self.key, copy.generation, *each) for each in ranges)
            with self.lock:
                del copy.unsynced[:count]

    def release(self, chunk: Chunk) -> None:
        """The chunk's connection is done with it: a crash must not cost it any more. Raises Failure."""
        copy = chunk.copy
        try:
            if not self.compared:
                self.sync(copy)
            elif chunk.position > chunk.begin and self.copy is copy and not copy.whole:
                with volume_errors.guarded("writing the journal"):
                    self._staging.journal.volatile(self.key, copy.generation, chunk.begin, chunk.position)
        finally:
            with self.lock:
                copy.busy -= 1

    def sized(self, chunk: Chunk) -> None:
        """The body of a file of unknown size ended here."""
        with self.lock:
            chunk.copy.size = chunk.end = chunk.position
        with volume_errors.guarded("sizing a staging file"):
            os.ftruncate(chunk.copy.handle.descriptor, chunk.position)
        self.record(chunk.copy)

    def restart(self, copy: Copy, failure: Failure) -> None:
        """Start over from zero; raises the failure the second time."""
        with self.lock:
            if self.copy is not copy:
                return
            if failure.reason in self._restarts:
                raise failure
            self._restarts.add(failure.reason)
            self.strict |= failure.reason is Reason.CHECKSUM_MISMATCH
            self._renewed(copy)

    def rewind(self, copy: Copy, most: int) -> None:
        """Start over because the origin sends the whole file only; as often as that gets further."""
        with self.lock:
            if self.copy is not copy:
                return
            self._rewinds = 1 if self._best > self._mark else self._rewinds + 1
            self._mark = self._best
            if self._rewinds > most:
                text = "The origin serves no ranges and cuts the connection before the end of the file."
                raise Failure(Reason.ORIGIN_ERROR, text)
            self._renewed(copy)

    def _renewed(self, copy: Copy) -> None:
        self.target = None
        copy.gone = True
        with volume_errors.guarded("starting a file over"):
            os.unlink(self.staged_name(copy.generation), dir_fd=self._staging.directory.descriptor)
            self.copy = self._fresh(copy.generation + 1)

    def record(self, copy: Copy) -> None:
        """Tell the journal what object a copy's ranges come from; raises Failure."""
        with volume_errors.guarded("writing the journal"):
            self._staging.journal.file(
                self.key, generation=copy.generation, size=copy.size, validator=copy.validator
            )
