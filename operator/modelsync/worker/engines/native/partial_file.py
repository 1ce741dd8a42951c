"""One file on its way: the present copy of its bytes, and which range comes next.

A part may start over (the object changed, a digest was wrong): then it has another `Copy`. `lock` guards
which copy is the present one and all figures and sets of that copy; it is held for a few instructions, and
over a system call only while a file starts over. Before it, `schedule` may hold its own lock; below it, only
the journal's is taken.
"""

import threading

from modelsync.api.reasons import Reason
from modelsync.worker.checksums import file_digest
from modelsync.worker.checksums.file_digest import BLOCK
from modelsync.worker.common import volume_errors
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import RemoteFile, Request
from modelsync.worker.engines.native import staged_file
from modelsync.worker.engines.native.file_ranges import Chunk, Copy
from modelsync.worker.engines.native.retry_state import RetryState
from modelsync.worker.engines.native.staged_file import StagedFile
from modelsync.worker.http import range_response
from modelsync.worker.storage.journal import SMALL, Entry
from modelsync.worker.storage.staging import Staging

WHOLE_BYTES = SMALL
"""Files up to this are received in one piece (`small_file`); a crash in the middle of one costs less than a
chunk."""


class Part:
    """One file on its way. Thread-safe."""

    def __init__(
        self, file: RemoteFile, staging: Staging, chunk_bytes: int, *, checksum: bool = True
    ) -> None:
        """Open the staging file, with what the journal says of it; raises Failure."""
        self.file = file
        self.staged = StagedFile(file, staging)
        self.key = self.staged.key
        self.target: Request | None = None
        """Where the last answer came from, behind redirects; None asks the source again."""
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
        self._chunk_bytes = chunk_bytes
        self._retries: RetryState | None = None
        """Made by the first start over: most files need none."""
        self.copy = self._opened(self.staged.entry)
        self._furthest = self.copy.written.total
        """The most bytes that any copy had."""

    def _opened(self, entry: Entry | None) -> Copy:
        with volume_errors.guarded("opening a staging file"):
            if entry is not None and entry.size is not None and self.file.size in (None, entry.size):
                found = self.staged.resumed(entry)
                if found is not None:
                    return found
            return self.staged.fresh(0 if entry is None else entry.generation + 1)

    def next_chunk(self, sharers: int = 0) -> Chunk | None:
        """The next range to fetch; None when all is handed out or the first answer must come first.

        With `sharers` connections that have nothing else to fetch, what is left is cut so that they end
        together rather than wait for one.
        """
        with self.lock:
            copy = self.copy
            if copy.busy and (copy.size is None or not copy.serves_ranges):
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
        """Note what an answer says about the object; raises range_response.Changed when it is another."""
        copy = chunk.copy
        with self.lock:
            if self.strict and not range_response.same(copy.validator, body.validator):
                text = f"The file {self.file.path} changed at the source during the sync."
                text = f"{text} {range_response.LISTED_AGAIN}"
                raise range_response.Changed(Reason.SOURCE_CHANGED, text)
            news = copy.validator is None and body.validator is not None
            learned = body.size if copy.size is None else None
            first = news or learned is not None or not copy.written.total
            copy.validator = copy.validator or body.validator
            copy.media_type = copy.media_type or body.media_type
            copy.size = body.size if copy.size is None else copy.size
        if learned is not None:
            self.staged.grow(copy, learned)
        if first and not self.in_one_piece(chunk):
            self.staged.record(copy)

    def in_one_piece(self, chunk: Chunk) -> bool:
        """Whether a chunk is a whole file, small and with a checksum to compare."""
        size = chunk.copy.size
        return self.compared and not chunk.position and chunk.end == size and 0 < (size or 0) <= WHOLE_BYTES

    def ranges_work(self, copy: Copy) -> None:
        """Further ranges may be asked for at the same time."""
        with self.lock:
            copy.serves_ranges = True

    def claim_rest(self, chunk: Chunk) -> None:
        """The chunk's answer is the whole file: nobody else need fetch of it."""
        with self.lock:
            chunk.end = chunk.copy.size
            if chunk.copy.size is not None:
                chunk.copy.cursor = chunk.copy.size

    def write(self, chunk: Chunk, data: memoryview) -> bool:
        """Write at the chunk's position and move it; returns whether the file has never got so far before.

        `data` has the same offset in its page of memory as the position has in the file's. Raises Failure.
        """
        copy, start = chunk.copy, chunk.position
        if start + len(data) > copy.reserved:
            self.staged.reserve(copy, start + len(data))
        with volume_errors.guarded("writing a staging file"):
            while data:
                count = staged_file.written(copy, data, chunk.position)
                data, chunk.position = data[count:], chunk.position + count
        with self.lock:
            copy.written.add(start, chunk.position)
            copy.unsynced.append((start, chunk.position))
            further = copy.written.total > self._furthest
            self._furthest = max(self._furthest, copy.written.total)
        return further

    def sync(self, copy: Copy) -> None:
        """Bring what was written to the disk, then say so in the journal; raises Failure."""
        self.staged.sync(copy, self.lock)

    def hand_over(self, copy: Copy, start: int, end: int) -> None:
        """Let these bytes be hashed: they are written, and nobody adds to their block any more."""
        with self.lock:
            copy.ready.add(start, end)

    def release(self, chunk: Chunk) -> None:
        """The chunk's connection is done with it: a crash must not cost it any more. Raises Failure."""
        copy = chunk.copy
        try:
            if not self.compared:
                self.staged.sync(copy, self.lock)
            elif chunk.position > chunk.begin and self.copy is copy and not copy.whole:
                self.staged.record_volatile(chunk)
        finally:
            with self.lock:
                copy.busy -= 1

    def sized(self, chunk: Chunk) -> None:
        """The body of a file of unknown size ended here."""
        with self.lock:
            chunk.copy.size = chunk.end = chunk.position
        self.staged.truncate(chunk.copy, chunk.position)
        self.staged.record(chunk.copy)

    def restart(self, copy: Copy, failure: Failure) -> None:
        """Start over from zero; raises the failure the second time."""
        with self.lock:
            if self.copy is not copy:
                return
            self._counted().restart(failure)
            self.strict |= failure.reason is Reason.CHECKSUM_MISMATCH
            self._renewed(copy)

    def rewind(self, copy: Copy, most: int) -> None:
        """Start over because the origin sends the whole file only; as often as that gets further."""
        with self.lock:
            if self.copy is not copy:
                return
            self._counted().rewind(self._furthest, most)
            self._renewed(copy)

    def _renewed(self, copy: Copy) -> None:
        self.target = None
        copy.gone = True
        with volume_errors.guarded("starting a file over"):
            self.staged.remove(copy)
            self.copy = self.staged.fresh(copy.generation + 1)

    def _counted(self) -> RetryState:
        if self._retries is None:
            self._retries = RetryState()
        return self._retries
