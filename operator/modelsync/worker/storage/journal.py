"""What of a staging directory can be trusted after a crash.

A record is appended only after the bytes it speaks of were synced, so a record never promises what a power
cut could take; what has no record is fetched again. Syncing takes time, though, and a worker that is killed
leaves its bytes in the kernel's page cache: so a range may be recorded before its sync, with the boot of the
kernel that holds it, and is believed under that boot alone. Each line carries a checksum, and reading stops
at the first line that is torn or garbled: all before it was true, and believing too little costs only bytes.
A file that starts over gets another generation, which is part of its staging file's name: records of the old
bytes can never be taken for records of the new ones.

The journal is in the staging directory and moves with it: two workers that write side by side (on a volume
whose locks do not work) never read each other's records.

It is believed only where the worker's own user wrote it, and even then read as if somebody else had: a record
of any other form than ours ends the reading, and so does more of it than a sync can need.
"""

import contextlib
import io
import json
import os
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

from modelsync.worker.common import open_files
from modelsync.worker.storage.range_set import RangeSet

NAME = "journal"
_TEMPORARY = "journal.new"
_MOST_BYTES = 64 << 20
"""Read of a journal. 200,000 files have 46 MB; a file of a TiB has 62,500 ranges of 110 bytes, some twice."""
_MOST_LINE = 512 * 1024
"""Bytes; an ETag may have what a header may, each character escaped."""
_MOST_ENTRIES = 200_000
_MOST_PIECES = 10_000
"""Ranges with holes between them of one file; a worker leaves one for each connection."""
PATIENCE = 256 * 1024
"""Bytes of files: records that speak of fewer wait for each other, as a write for each small file would cost
more than the file."""
SMALL = 64 * 1024
"""From this many bytes on, the least chunk of a connection, a record waits for no other: else a crash would
cost more than the chunks that were on their way."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Another one after each start of the kernel (random(4))."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """What the journal says about one file, by its key."""

    generation: int = 0
    validator: str | None = None
    """ETag or Last-Modified of the object that the bytes came from."""
    size: int | None = None
    ranges: RangeSet = field(default_factory=RangeSet)
    """What can be read."""
    durable: RangeSet = field(default_factory=RangeSet)
    """What of it a power cut could not take."""
    sha256: str | None = None
    """Of the verified file; identifies our own work after a crash in the middle of publishing."""
    before: int = 0
    """Bytes of it that were there before this sync began."""


_encoded = json.JSONEncoder(separators=(",", ":")).encode


def _line(record: dict[str, Any]) -> bytes:
    text = _encoded(record).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The record of a line without its line end, or None when it is not whole."""
    head, blank, text = line.partition(b" ")
    try:
        if not blank or len(head) != 8 or int(head, 16) != zlib.crc32(text):
            return None
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def boot_id() -> str | None:
    """Which boot of the kernel this is; None where the kernel does not say."""
    try:
        return _BOOT.read_text(encoding="ascii").strip() or None
    except OSError:
        return None


def read(content: bytes, boot: str | None = None) -> dict[str, Entry]:
    """The entries by key that a journal's bytes hold under this boot."""
    return _loaded(io.BytesIO(content), boot)


def _loaded(file: BinaryIO, boot: str | None) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    left = _MOST_BYTES
    while (line := file.readline(min(left, _MOST_LINE))).endswith(b"\n"):
        left -= len(line)
        record = _parsed(line[:-1])
        if record is None or not _apply(entries, record, boot) or len(entries) > _MOST_ENTRIES:
            break
    return entries


def _apply(entries: dict[str, Entry], record: dict[str, Any], boot: str | None) -> bool:
    """Take a record in; False for one that no worker writes."""
    match record:
        case {"file": str(key), "generation": generation, "size": size, "validator": validator}:
            if not (_natural(generation) and (size is None or _natural(size)) and _text(validator)):
                return False
            known = entries.get(key)
            if known is None or known.generation != generation:
                known = entries[key] = Entry(generation=generation)
            known.size, known.validator = size, validator
        case {"range": str(key), "generation": generation, "start": start, "end": end}:
            entry = entries.get(key)
            if entry is None or entry.generation != generation:
                return _natural(generation)
            return _natural(start) and _natural(end) and _believe(entry, start, end, record.get("boot"), boot)
        case {"whole": str(key), "generation": generation, "size": size, "sha256": str(sha256)}:
            validator = record.get("validator")
            if not (_natural(generation) and _natural(size) and _text(validator)):
                return False
            known = entries[key] = Entry(generation=generation, size=size, validator=validator)
            known.sha256 = sha256
            return _believe(known, 0, size, record.get("boot"), boot)
        case {"before": str(key), "bytes": count} if _natural(count):
            entries.setdefault(key, Entry()).before = count
        case {"lost": True}:
            for each in entries.values():
                each.ranges = RangeSet(each.durable)
        case {"verified": str(key), "sha256": str(sha256)}:
            entries.setdefault(key, Entry()).sha256 = sha256
        case _:
            return False
    return True


def _natural(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and 0 <= value < 1 << 63


def _text(value: object) -> TypeGuard[str | None]:
    return value is None or isinstance(value, str)


def _believe(entry: Entry, start: int, end: int, recorded: object, boot: str | None) -> bool:
    if recorded is None:
        entry.durable.add(start, end)
    if recorded in (None, boot):
        entry.ranges.add(start, end)
    return max(entry.durable.pieces, entry.ranges.pieces) <= _MOST_PIECES


class Journal:
    """The journal of one staging directory, open for appending. Thread-safe."""

    def __init__(
        self, directory: int, count: Callable[[], None] = lambda: None, owner: int | None = None
    ) -> None:
        """Read what is there and rewrite it without what is outdated; raises OSError.

        `count` is called before records are written, to write what was received till then. Only what `owner`
        wrote is read; None reads anybody's.
        """
        self._count = count
        self._boot = boot_id()
        self.entries = _entries(directory, owner, self._boot)
        self._lock = threading.Lock()
        # Guards the descriptor and `_waiting`. `_distrusted` and `_spoken` are set without it: the first only
        # ever becomes True, and a lost update of the second makes a record wait a little longer.
        self._distrusted = False
        self._waiting: list[bytes] = []
        self._spoken = 0
        """Bytes that waiting records speak of."""
        self._descriptor = _rewritten(directory, self.entries, self._boot)

    def file(self, key: str, *, generation: int, size: int | None, validator: str | None) -> None:
        """Say what object the following ranges of a file come from."""
        record = {"file": key, "generation": generation, "size": size, "validator": validator}
        self._append(record, waits=True)

    def ranges(self, synced: Iterable[tuple[str, int, int, int]]) -> None:
        """Say of each key, generation, start and end that [start, end) is on the disk; only after a sync of
        these bytes."""
        if not self._distrusted:
            self._append(*(_range(*each) for each in synced))

    def volatile(self, key: str, generation: int, start: int, end: int) -> None:
        """Say that [start, end) was written; believed as long as the kernel lives."""
        if self._boot is None or self._distrusted:
            return
        self._append(_range(key, generation, start, end, self._boot), waits=self._patient(end - start))

    @contextlib.contextmanager
    def proving(self) -> Iterator[None]:
        """Around a sync of staging files: when it fails, nothing written is believed that was not synced
        before.

        The kernel drops pages that it could not write, and reports that once: a second sync that succeeds
        proves nothing.
        """
        try:
            yield
        except OSError:
            self._distrusted = True
            with contextlib.suppress(OSError):
                self._append({"lost": True})
            raise

    def whole(self, key: str, *, generation: int, size: int, validator: str | None, sha256: str) -> None:
        """Say all of a small file at once: what it comes from, that it was written and found right."""
        if self._distrusted:
            return
        head = {"whole": key, "generation": generation, "size": size, "validator": validator}
        record = {**head, "sha256": sha256, "boot": self._boot or ""}
        self._append(record, waits=self._patient(size))

    def verified(self, key: str, sha256: str) -> None:
        """Say that a file's bytes were found right."""
        self._append({"verified": key, "sha256": sha256}, waits=True)

    def found(self, there: Mapping[str, int]) -> None:
        """Say how many bytes of each file, by key, were there before this sync began; of all others none."""
        for key in self.entries.keys() | there.keys():
            entry = self.entries.setdefault(key, Entry())
            if entry.before != there.get(key, 0):
                entry.before = there.get(key, 0)
                self._append({"before": key, "bytes": entry.before}, waits=True)
        self._append()

    def forfeit(self, key: str) -> int:
        """A file starts over: the bytes of it that were there before this sync began, which are of no use."""
        entry = self.entries.get(key)
        if entry is None or not entry.before:
            return 0
        count, entry.before = entry.before, 0
        self._append({"before": key, "bytes": 0}, waits=True)
        return count

    def sync(self) -> None:
        """Make the records durable."""
        with self._lock:
            self._flush()
            if self._descriptor < 0:
                return
            descriptor = os.dup(self._descriptor)  # so that `close` meanwhile cannot free the number
        try:
            os.fdatasync(descriptor)  # not within the lock: connections append meanwhile
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """End writing; later records are dropped."""
        with self._lock:
            if self._descriptor >= 0:
                with contextlib.suppress(OSError):
                    self._flush()
                os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, *records: dict[str, Any], waits: bool = False) -> None:
        lines = [_line(each) for each in records]
        with self._lock:
            self._waiting += lines
            if not waits:
                self._flush()

    def _patient(self, count: int) -> bool:
        """Whether a record of so many written bytes may wait for others."""
        self._spoken += count
        return count < SMALL and self._spoken < PATIENCE

    def _flush(self) -> None:
        lines, self._waiting, self._spoken = self._waiting, [], 0
        if lines and self._descriptor >= 0:
            self._count()
            os.write(self._descriptor, b"".join(lines))


def _range(key: str, generation: int, start: int, end: int, boot: str | None = None) -> dict[str, Any]:
    record = {"range": key, "generation": generation, "start": start, "end": end}
    return record if boot is None else {**record, "boot": boot}


def _entries(directory: int, owner: int | None, boot: str | None) -> dict[str, Entry]:
    try:
        descriptor = open_files.own(directory, NAME, owner)
    except (FileNotFoundError, open_files.Unusable):
        return {}
    with open(descriptor, "rb") as file:
        return _loaded(file, boot)


def _rewritten(directory: int, entries: dict[str, Entry], boot: str | None) -> int:
    descriptor = open_files.create(directory, _TEMPORARY, os.O_WRONLY | os.O_APPEND)
    with open(os.dup(descriptor), "wb") as file:
        for key, entry in entries.items():
            head = {"file": key, "generation": entry.generation}
            file.write(_line({**head, "size": entry.size, "validator": entry.validator}))
            for start, end in entry.durable:
                file.write(_line(_range(key, entry.generation, start, end)))
            for start, end in entry.ranges if entry.ranges != entry.durable else ():
                file.write(_line(_range(key, entry.generation, start, end, boot)))
            if entry.sha256:
                file.write(_line({"verified": key, "sha256": entry.sha256}))
            if entry.before:
                file.write(_line({"before": key, "bytes": entry.before}))
    # Durable before it has the name: a power cut leaves the old journal or the new one, never a torn one.
    os.fsync(descriptor)
    os.rename(_TEMPORARY, NAME, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)
    return descriptor
