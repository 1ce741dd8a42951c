"""What of a staging directory can be trusted after a crash.

A record is appended only after the bytes it speaks of were synced, so a record never promises what a power
cut could take; what has no record is fetched again. Each line carries a checksum, and reading stops at the
first line that is torn or garbled: all before it was true, and believing too little costs only bytes. A file
that starts over gets another generation, which is part of its staging file's name: records of the old bytes
can never be taken for records of the new ones.

The journal lies in the staging directory and moves with it: two workers that write side by side (on a volume
whose locks do not work) never read each other's records.
"""

import json
import os
import threading
import zlib
from dataclasses import dataclass, field
from typing import Any

from modelsync.worker.ranges import RangeSet

NAME = "journal"
_TEMPORARY = "journal.new"
_MAX_BYTES = 1 << 30


@dataclass(slots=True, kw_only=True)
class Entry:
    """What the journal says about one file, by its key."""

    generation: int = 0
    validator: str | None = None
    """ETag or Last-Modified of the object that the bytes came from."""
    size: int | None = None
    ranges: RangeSet = field(default_factory=RangeSet)
    sha256: str | None = None
    """Of the verified file; tells our own work after a crash in the midst of publishing."""


def _line(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The record of a line without its line end, or None when it is not whole."""
    head, blank, text = line.partition(b" ")
    try:
        if not blank or len(head) != 8 or int(head, 16) != zlib.crc32(text):
            return None
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def read(content: bytes) -> dict[str, Entry]:
    """The entries by key that a journal's bytes tell."""
    entries: dict[str, Entry] = {}
    for line in content.split(b"\n")[:-1]:
        record = _parsed(line)
        if record is None or not _apply(entries, record):
            break
    return entries


def _apply(entries: dict[str, Entry], record: dict[str, Any]) -> bool:
    match record:
        case {"file": str(key), "generation": int(generation), "size": size, "validator": validator}:
            known = entries.get(key)
            if known is None or known.generation != generation:
                known = entries[key] = Entry(generation=generation)
            known.size, known.validator = size, validator
        case {"range": str(key), "generation": int(generation), "start": int(start), "end": int(end)}:
            entry = entries.get(key)
            if entry is not None and entry.generation == generation and 0 <= start < end:
                entry.ranges.add(start, end)
        case {"verified": str(key), "sha256": str(sha256)}:
            entries.setdefault(key, Entry()).sha256 = sha256
        case _:
            return False
    return True


class Journal:
    """The journal of one staging directory, open for appending. Thread-safe."""

    def __init__(self, directory: int) -> None:
        """Read what is there and write it anew without what is outdated; raises OSError."""
        self.entries = read(_content(directory))
        self._lock = threading.Lock()
        self._descriptor = _rewritten(directory, self.entries)

    def file(self, key: str, *, generation: int, size: int | None, validator: str | None) -> None:
        """Say what object the following ranges of a file come from."""
        self._append({"file": key, "generation": generation, "size": size, "validator": validator})

    def range(self, key: str, generation: int, start: int, end: int) -> None:
        """Say that [start, end) is on the disk; only after a sync of these bytes."""
        self._append({"range": key, "generation": generation, "start": start, "end": end})

    def verified(self, key: str, sha256: str) -> None:
        """Say that a file's bytes were found right."""
        self._append({"verified": key, "sha256": sha256})

    def sync(self) -> None:
        """Make the records durable."""
        with self._lock:
            if self._descriptor >= 0:
                os.fdatasync(self._descriptor)

    def close(self) -> None:
        """End writing; later records are dropped."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, record: dict[str, Any]) -> None:
        line = _line(record)
        with self._lock:
            if self._descriptor >= 0:
                os.write(self._descriptor, line)


def _content(directory: int) -> bytes:
    try:
        descriptor = os.open(NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return b""
    with open(descriptor, "rb") as file:
        return file.read(_MAX_BYTES)


def _rewritten(directory: int, entries: dict[str, Entry]) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(_TEMPORARY, flags, 0o644, dir_fd=directory)
    with open(os.dup(descriptor), "wb") as file:
        for key, entry in entries.items():
            head = {"file": key, "generation": entry.generation}
            file.write(_line({**head, "size": entry.size, "validator": entry.validator}))
            for start, end in entry.ranges:
                file.write(_line({"range": key, "generation": entry.generation, "start": start, "end": end}))
            if entry.sha256:
                file.write(_line({"verified": key, "sha256": entry.sha256}))
    os.fsync(descriptor)
    os.rename(_TEMPORARY, NAME, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)
    return descriptor
