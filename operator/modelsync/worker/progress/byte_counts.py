"""What a sync has received and reused, over all its attempts: a record on the volume.

A worker that is killed leaves no report, so its counters must outlive it where the bytes do. The record is
written in place and left in the page cache: that survives the process, and the journal's records are written
after it, so no range is ever believed whose bytes are not counted. A power cut may cost the last seconds.
It outlives the staging directories, for a worker may be killed after it has published all.

    line 1  {"version": 1, "uid": …}, padded
    line 2  bytes received by all attempts of this uid
    line 3  bytes that were there before the first attempt and are used; `-` until all files were looked at
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable

from modelsync.worker.common import open_files

NAME = "accounts"
_VERSION = 1
_HEAD = 512
_NUMBER = 21
"""20 digits and a line's end."""
_UNKNOWN = b"%20s\n" % b"-"
STEP, STEP_SECONDS = 64 * 1024, 0.05
"""So many bytes, received within so long, may be counted in memory alone: a kill costs the record no more."""


class Accounts:
    """The record of one sync on one volume. Thread-safe; a volume that refuses it makes it one of memory."""

    def __init__(
        self,
        directory: int,
        uid: str,
        *,
        fresh: bool = False,
        owner: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the record below a descriptor; that of another uid is replaced, and with `fresh` any, and so
        is all that is no file of `owner`."""
        self._lock = threading.Lock()
        self._descriptor = -1
        self._written, self._time = 0, clock()
        self._clock = clock
        self.reused: int | None = None
        """Bytes that were there before this sync began and are used; None until all files were looked at."""
        self.received = 0
        """Payload bytes that came over the network, over all attempts."""
        with contextlib.suppress(OSError):
            self._descriptor = _opened(directory, owner)
            known = None if fresh else _read(os.pread(self._descriptor, _HEAD + 2 * _NUMBER, 0), uid)
            if known is None:
                self._begin(uid)
            else:
                self.received, self.reused = known
        self._written = self.received
        self.before = self.received
        """What earlier attempts received."""

    def add(self, count: int) -> None:
        """Payload bytes came."""
        with self._lock:
            self.received += count
            if self.received - self._written >= STEP or self._clock() - self._time >= STEP_SECONDS:
                self._write()

    def reuse(self, count: int | None) -> None:
        """Bytes on the volume that this sync did not fetch and uses."""
        with self._lock:
            self.reused = count
            self._put(_HEAD + _NUMBER, _UNKNOWN if count is None else _number(count))

    def flush(self) -> None:
        """Write what was counted."""
        with self._lock:
            if self.received != self._written:
                self._write()

    def close(self) -> None:
        """Write what was counted and let go of the record."""
        self.flush()
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def _write(self) -> None:
        self._written, self._time = self.received, self._clock()
        self._put(_HEAD, _number(self.received))

    def _put(self, offset: int, line: bytes) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):  # a full volume ends the sync elsewhere, with its reason
                os.pwrite(self._descriptor, line, offset)

    def _begin(self, uid: str) -> None:
        head = json.dumps({"version": _VERSION, "uid": uid}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, head.ljust(_HEAD - 1) + b"\n" + _number(0) + _UNKNOWN, 0)


def _opened(directory: int, owner: int | None) -> int:
    try:
        return open_files.own(directory, NAME, owner, os.O_RDWR)
    except (FileNotFoundError, PermissionError, open_files.Unusable):
        return open_files.create(directory, NAME)


def _number(count: int) -> bytes:
    return b"%020d\n" % count


def _read(content: bytes, uid: str) -> tuple[int, int | None] | None:
    """Bytes received and reused; None unless it is a whole record of this uid."""
    try:
        head = json.loads(content[:_HEAD])
        received, reused, rest = content[_HEAD:].split(b"\n")
        if rest or (head["version"], head["uid"]) != (_VERSION, uid):
            return None
        counts = int(received), None if reused.strip() == b"-" else int(reused)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return counts if all(0 <= count < 1 << 63 for count in counts if count is not None) else None
