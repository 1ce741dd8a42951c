"""Brings written bytes to the disk beside the transfer, and records in the journal when they are there.

A connection that waits for the disk fetches nothing, so one thread does the waiting for all. Small files are
synced by the hundred with one call for their file system: one by one, each would cost a disk's round trip.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from modelsync.worker.common import volume_errors
from modelsync.worker.engines.native.file_ranges import Copy
from modelsync.worker.engines.native.partial_file import Part
from modelsync.worker.storage import filesystem
from modelsync.worker.storage.staging import Staging

TICK_SECONDS = 1.0
JOURNAL_SECONDS = 5.0
"""Between two syncs of the journal: a power cut costs what came since the last one."""
HURRY_BYTES = 64 << 20
"""Written but not synced: more makes a sync begin at once, or the page cache fills the Pod's memory."""
HURRY_FILES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finished:
    key: str
    generation: int
    name: str
    size: int


class Syncer:
    """The thread. Start it once; end it in the end."""

    def __init__(
        self,
        staging: Staging,
        opened: Callable[[], list[tuple[Part, Copy]]],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._staging, self._opened, self._failed = staging, opened, failed
        self._finished: list[_Finished] = []
        self._lock = threading.Lock()
        self._pending = 0
        self._wake = threading.Event()
        self._ended = False
        self._recorded = time.monotonic()
        """When the journal was last synced."""
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wrote(self, count: int) -> None:
        """So many bytes more were written."""
        self._pending += count  # a lost update between threads only delays a sync by a tick
        if self._pending >= HURRY_BYTES:
            self._pending = 0
            self._wake.set()

    def finished(self, part: Part, copy: Copy) -> None:
        """A file is complete and right; its descriptor may close before it is synced."""
        found = _Finished(
            key=part.key,
            generation=copy.generation,
            name=part.staged.name(copy.generation),
            size=copy.size or 0,
        )
        with self._lock:
            self._finished.append(found)
            hurry = len(self._finished) >= HURRY_FILES
        if hurry:
            self._wake.set()

    def end(self, timeout: float) -> None:
        """Sync what is there once more and stop."""
        self._ended = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._ended:
                self._wake.wait(TICK_SECONDS)
                self._wake.clear()
                self._sync_all()
                self._sync_journal()
        except BaseException as error:
            self._failed(error)

    def _sync_all(self) -> None:
        for part, copy in self._opened():
            if part.copy is copy:
                part.sync(copy)
        with self._lock:
            finished, self._finished = self._finished, []
        if not finished:
            return
        with volume_errors.guarded("syncing staging files"), self._staging.journal.proving():
            self._sync_finished(finished)
            self._staging.journal.ranges((each.key, each.generation, 0, each.size) for each in finished)

    def _sync_journal(self) -> None:
        now = time.monotonic()
        if now - self._recorded >= JOURNAL_SECONDS:
            self._recorded = now
            with volume_errors.guarded("writing the journal"):
                os.fsync(self._staging.directory.descriptor)  # the names of the files that it speaks of
                self._staging.journal.sync()

    def _sync_finished(self, finished: list[_Finished]) -> None:
        directory = self._staging.directory.descriptor
        if len(finished) >= filesystem.MANY and filesystem.sync_file_system(directory):
            return
        for each in finished:
            with contextlib.suppress(FileNotFoundError):
                filesystem.sync_file(directory, each.name)
