"""The staging files of one file: descriptors, blocks of the volume, syncs, and what the journal says of them.

The order of durable steps is what a crash can be survived by: bytes are written, then synced, then recorded
(`StagedFile.sync`); a range may be recorded before its sync, and is then believed only while the kernel that
holds it runs (`record_volatile`). A new generation has a name of its own before its first record, so a record
of the old bytes can never be taken for one of the new.
"""

import errno
import os
import threading

from modelsync.worker.checksums.file_digest import BLOCK
from modelsync.worker.common import open_files, volume_errors
from modelsync.worker.common.model import RemoteFile
from modelsync.worker.common.open_files import Handle
from modelsync.worker.engines.native.file_ranges import Chunk, Copy
from modelsync.worker.storage import filesystem
from modelsync.worker.storage.journal import Entry
from modelsync.worker.storage.range_set import RangeSet
from modelsync.worker.storage.staging import Staging, key_of

LEAST_AHEAD, MOST_AHEAD = 64 << 20, 1 << 30
"""Bytes that are reserved beyond those about to be written: as many as have come, within these bounds. An
origin can announce what it likes, and so gets no more of the volume than twice what it sends, or 64 MiB. With
steps that grow, a file of 4 GiB takes eight; written at a disk's 900 MB/s they cost nothing measurable."""
PAGE = 4096
"""O_DIRECT needs memory, offset and length in multiples of the disk's block size, which is this or less."""


def written(copy: Copy, data: memoryview, position: int) -> int:
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


class StagedFile:
    """Makes, opens, syncs and records the copies of one file. Thread-safe."""

    __slots__ = ("_file", "_staging", "key")

    def __init__(self, file: RemoteFile, staging: Staging) -> None:
        self._file, self._staging = file, staging
        self.key = key_of(file)

    @property
    def entry(self) -> Entry | None:
        """What the journal said of the file when this attempt began."""
        return self._staging.journal.entries.get(self.key)

    def name(self, generation: int) -> str:
        """Name of a copy's file in the staging directory; not made of the file's own name, which may be as
        long as names may be."""
        return f"{self.key}.{generation}"

    def resumed(self, entry: Entry) -> Copy | None:
        """The copy that the journal speaks of, as far as its staging file is there."""
        name = self.name(entry.generation)
        try:
            handle = Handle(self._staging.open(name))
        except (FileNotFoundError, IsADirectoryError, PermissionError, open_files.Unusable):
            return None
        copy = Copy(entry.generation, handle, entry.size, entry.validator)
        self._prepare(copy)
        copy.written = entry.ranges.clipped(min(entry.size or 0, os.fstat(handle.descriptor).st_size))
        copy.ready = RangeSet(copy.written)
        return copy

    def fresh(self, generation: int) -> Copy:
        """A new, empty copy; raises OSError and Failure."""
        name = self.name(generation)
        handle = Handle(self._staging.create(name))
        if self._file.size is not None and self._file.size > BLOCK:
            os.ftruncate(handle.descriptor, self._file.size)  # which takes no blocks
        validator = f"etag:{self._file.etag}" if self._file.etag else None
        copy = Copy(generation, handle, self._file.size, validator)
        self._prepare(copy)
        if generation:
            self.record(copy)
        return copy

    def _prepare(self, copy: Copy) -> None:
        copy.direct = self._direct(copy.handle, copy.size)
        if copy.size is not None and (copy.size <= BLOCK or not self._staging.reserves):
            copy.reserved = copy.size

    def _direct(self, handle: Handle, size: int | None) -> Handle | None:
        if not self._staging.direct or (size is not None and size < BLOCK):
            return None
        try:
            return Handle(open_files.again(handle.descriptor, os.O_WRONLY | os.O_DIRECT))
        except OSError:
            return None

    def remove(self, copy: Copy) -> None:
        """Take the name of an outdated copy away; who still writes to it does so unseen. Raises OSError."""
        os.unlink(self.name(copy.generation), dir_fd=self._staging.directory.descriptor)

    def grow(self, copy: Copy, size: int) -> None:
        """The size was learned from an answer: raises Failure where the volume has no room for it."""
        self._staging.check_space(copy)
        self.truncate(copy, size)

    def truncate(self, copy: Copy, size: int) -> None:
        """Give the staging file its size; raises Failure."""
        with volume_errors.guarded("sizing a staging file"):
            os.ftruncate(copy.handle.descriptor, size)

    def reserve(self, copy: Copy, end: int) -> None:
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

    def sync(self, copy: Copy, lock: threading.Lock) -> None:
        """Bring what was written to the disk, then say so in the journal; raises Failure.

        `lock` is the part's.
        """
        # One sync of a copy at a time: two could delete each other's ranges from `unsynced`. The part's lock
        # is not held over fdatasync, which may take seconds: connections go on to write, and append behind
        # `count`.
        with copy.sync_lock:
            with lock:
                ranges = RangeSet(copy.unsynced)
                count = len(copy.unsynced)
            if not count:
                return
            with volume_errors.guarded("syncing a staging file"), self._staging.journal.proving():
                # In this order: a record speaks of bytes that a power cut cannot take any more.
                os.fdatasync(copy.handle.descriptor)
                self._staging.journal.ranges((self.key, copy.generation, *each) for each in ranges)
            # Not before the record: after a failed sync the ranges stay unsynced.
            with lock:
                del copy.unsynced[:count]

    def record_volatile(self, chunk: Chunk) -> None:
        """Say in the journal that a chunk was written, though not synced; raises Failure."""
        with volume_errors.guarded("writing the journal"):
            self._staging.journal.volatile(self.key, chunk.copy.generation, chunk.begin, chunk.position)

    def record(self, copy: Copy) -> None:
        """Say in the journal what object a copy's ranges come from; raises Failure."""
        with volume_errors.guarded("writing the journal"):
            self._staging.journal.file(
                self.key, generation=copy.generation, size=copy.size, validator=copy.validator
            )
