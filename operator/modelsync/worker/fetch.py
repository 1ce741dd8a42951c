"""The engine: many connections fill the staging files of one listing, and a verifier follows them.

Each connection is a thread that takes a range, asks for it, and writes what comes to its place; blocking
calls in threads were the fastest of all engines measured, and the simplest. Memory is one buffer a thread. A
thread keeps its range until the last byte or a final failure, so no range is ever lost between threads.
"""

import collections
import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from urllib3.exceptions import HTTPError

from modelsync.api.reasons import Reason
from modelsync.api.wire import FileProgress, Tuning
from modelsync.worker import responses, transport, volume
from modelsync.worker.failures import Failure, Interrupted
from modelsync.worker.hashing import Digests
from modelsync.worker.limiter import Limiter
from modelsync.worker.model import RemoteFile, Request, Source
from modelsync.worker.parts import Chunk, Copy, Part
from modelsync.worker.progress import State
from modelsync.worker.retry import Budget, Transient
from modelsync.worker.staging import Staging
from modelsync.worker.verifying import Verifier

_log = logging.getLogger(__name__)

BUFFER = 1 << 20
"""Most bytes between two writes; 16 KiB TLS records make small writes slow."""
READ = 1 << 18
FLUSH_SECONDS = 0.2
SYNC_SECONDS = 2.0
SYNC_BYTES = 64 << 20
MOST_OPEN = 128
"""Files open at once; keeps many small files within a process's limit of descriptors."""


class _Stale(Exception):
    """The part started over; this range is of no use any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file in the staging directory, found right."""

    file: RemoteFile
    staged: str
    """Its name in the staging directory."""
    size: int
    sha256: str | None
    verified_by: str
    etag: str | None


class Engine:
    """Fetches and verifies files into a staging directory. One use: start, wait, end."""

    def __init__(
        self,
        *,
        source: Source,
        network: transport.Transport,
        staging: Staging,
        files: Sequence[RemoteFile],
        tuning: Tuning,
        checksum: bool,
        state: State,
        limiter: Limiter,
    ) -> None:
        self.results: list[Fetched] = []
        self.failure: Failure | None = None
        self.done = threading.Event()
        """Set when all files are right, or on the first failure."""
        self._source, self._network, self._staging = source, network, staging
        self._tuning, self._state, self._limiter = tuning, state, limiter
        self._waiting = collections.deque(files)
        self._count = len(files)
        self._waiting_sizes = sum(file.size or 0 for file in files)
        self._waiting_unknown = sum(file.size is None for file in files)
        self._finished_bytes = 0
        self._open: dict[str, Part] = {}
        self._handing: list[Part] = []
        """Open parts with ranges that nobody fetches yet."""
        self._change = threading.Condition()
        self._halt = threading.Event()
        self._not_before = 0.0
        self._checksum = checksum
        self._verifier = Verifier(judge=self._judge, failed=self._fail, spent=state.add_verification)
        self._threads = [
            threading.Thread(target=self._run, name=f"fetch-{number}", daemon=True)
            for number in range(max(1, tuning.connections))
        ]

    def start(self) -> None:
        """Start all threads."""
        self._state.watch(self.amounts, self.active)
        if not self._count:
            self.done.set()
            return
        self._verifier.start()
        for thread in self._threads:
            thread.start()

    def end(self, timeout: float = 2.0) -> None:
        """Stop all threads and record what is written; raises nothing."""
        self._halt.set()
        with self._change:
            self._change.notify_all()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._count:
            with contextlib.suppress(RuntimeError):
                self._verifier.end(max(0.1, deadline - time.monotonic()))
        with self._change:
            parts = list(self._open.values())
        for part in parts:
            with contextlib.suppress(Failure):
                part.sync(part.copy)
        with contextlib.suppress(OSError):
            self._staging.journal.sync()

    def amounts(self) -> tuple[int, int | None]:
        """Bytes that are there, and of all files; None while the size of one is unknown."""
        with self._change:
            copies = [part.copy for part in self._open.values()]
            done = self._finished_bytes + sum(copy.written.total for copy in copies)
            if self._waiting_unknown or any(copy.size is None for copy in copies):
                return done, None
            sizes = sum(copy.size or 0 for copy in copies)
            return done, self._finished_bytes + self._waiting_sizes + sizes

    def active(self) -> list[FileProgress]:
        """The files being fetched, the oldest first."""
        with self._change:
            parts = list(self._open.values())
        return [
            FileProgress(
                path=part.file.path[:500], bytes_done=part.copy.written.total, bytes_total=part.copy.size
            )
            for part in parts
        ]

    def fetching(self) -> bool:
        """Whether bytes are still to come from the origin, rather than only to be hashed."""
        with self._change:
            return bool(self._waiting) or any(part.copy.busy for part in self._open.values())

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, Failure):
            failure = error
        elif isinstance(error, OSError):
            failure = volume.failure(error, "fetching")
        else:
            _log.error("internal error", exc_info=error)
            failure = Failure(
                Reason.INTERNAL_ERROR, f"The worker failed: {type(error).__name__}. See its log."
            )
        with self._change:
            self.failure = self.failure or failure
            self._halt.set()
            self._change.notify_all()
        self.done.set()

    def _run(self) -> None:
        buffer = memoryview(bytearray(min(BUFFER, self._tuning.chunk_bytes)))
        try:
            while (work := self._take()) is not None:
                self._fetch(*work, buffer)
        except Interrupted:
            pass
        except BaseException as error:
            self._fail(error)

    def _take(self) -> tuple[Part, Chunk] | None:
        """The next range for this thread; None when there will be none."""
        while True:
            with self._change:
                if self._halt.is_set() or self.done.is_set():
                    return None
                found = self._handed()
                if found is not None:
                    return found
                if not self._waiting or len(self._open) >= MOST_OPEN:
                    self._change.wait(1.0)
                    continue
                file = self._waiting.popleft()
                part = self._opened(file)
            self._advance(part, part.copy)

    def _opened(self, file: RemoteFile) -> Part:
        """Open a file's part; within the lock, so that the amounts of all files are right at any instant."""
        part = Part(file, self._staging, self._tuning.chunk_bytes)
        self._state.add_reused(part.copy.written.total)
        self._waiting_sizes -= file.size or 0
        self._waiting_unknown -= file.size is None
        self._open[part.key] = part
        self._handing.append(part)
        self._change.notify_all()
        return part

    def _handed(self) -> tuple[Part, Chunk] | None:
        for part in list(self._handing):
            chunk = part.next_chunk()
            if chunk is not None:
                return part, chunk
            if part.exhausted():
                self._handing.remove(part)
        return None

    def _advance(self, part: Part, copy: Copy) -> None:
        """Hash what is new; without checksums, a complete file is right."""
        if self._checksum:
            self._verifier.advance(part, copy)
            return
        with part.lock:
            if not copy.complete or copy.judged or part.copy is not copy:
                return
            copy.judged = True
        self._finish(part, copy, None, "size")

    def _judge(self, part: Part, copy: Copy, digests: Digests) -> None:
        wrong = digests.wrong()
        if wrong is None:
            self._staging.journal.verified(part.key, digests.sha256)
            self._finish(part, copy, digests.sha256, digests.verified_by())
            return
        text = (
            f"The file {part.file.path} has another {wrong} than the source tells, also after it was"
            " fetched again. The origin serves damaged bytes, or the checksum in the source is wrong."
        )
        _log.warning("%s of %r is wrong; it is fetched again", wrong, part.file.path)
        part.restart(copy, Failure(Reason.CHECKSUM_MISMATCH, text))
        self._over_again(part)

    def _finish(self, part: Part, copy: Copy, sha256: str | None, verified_by: str) -> None:
        kind, _, value = (copy.validator or "").partition(":")
        fetched = Fetched(
            file=part.file,
            staged=part.staged_name(copy.generation),
            size=copy.size or 0,
            sha256=sha256,
            verified_by=verified_by,
            etag=value if kind == "etag" else None,
        )
        self._state.add_file()
        with self._change:
            self._open.pop(part.key)
            self._finished_bytes += fetched.size
            self.results.append(fetched)
            if len(self.results) == self._count:
                self.done.set()
            self._change.notify_all()

    def _over_again(self, part: Part) -> None:
        with self._change:
            if part not in self._handing:
                self._handing.append(part)
            self._change.notify_all()

    def _fetch(self, part: Part, chunk: Chunk, buffer: memoryview) -> None:
        """Fetch one range to its end, whatever passes on the way."""
        budget = Budget(most=self._tuning.max_retries)
        try:
            with contextlib.suppress(_Stale):
                while not chunk.finished:
                    self._attempt(part, chunk, buffer, budget)
        finally:
            try:
                part.sync(chunk.copy)
            finally:
                part.release(chunk)
                with self._change:
                    self._change.notify_all()
        self._advance(part, chunk.copy)

    def _attempt(self, part: Part, chunk: Chunk, buffer: memoryview, budget: Budget) -> None:
        cached = part.target
        try:
            self._stream(part, chunk, buffer, budget, cached or self._source.request(part.file))
        except responses.Renew as renew:
            if cached is None:
                raise renew.failure from renew
            part.target = None
        except responses.Changed as changed:
            _log.warning("%s It is fetched from its beginning.", changed)
            part.restart(chunk.copy, changed.failure)
            self._over_again(part)
            raise _Stale from changed
        except Transient as trouble:
            if part.copy is not chunk.copy:
                raise _Stale from trouble
            self._wait(budget.spend(trouble), trouble)

    def _wait(self, seconds: float, trouble: Transient) -> None:
        _log.info("%s Trying again in %.1f s.", trouble, seconds)
        self._state.add_retry(seconds if trouble.wait_seconds is not None else 0.0)
        if trouble.wait_seconds is not None:
            self._not_before = max(self._not_before, time.monotonic() + seconds)
        if self._halt.wait(seconds):
            raise Interrupted

    def _stream(self, part: Part, chunk: Chunk, buffer: memoryview, budget: Budget, request: Request) -> None:
        """Ask once and write what comes."""
        if self._halt.wait(max(0.0, self._not_before - time.monotonic())):
            raise Interrupted
        copy = chunk.copy
        ranged = chunk.position > 0 or (chunk.end is not None and chunk.end != copy.size)
        asked = responses.Asked(
            path=part.file.path,
            start=chunk.position,
            end=chunk.end,
            ranged=ranged,
            size=copy.size,
            validator=copy.validator,
        )
        answer = self._network.get(request, _headers(asked))
        try:
            body = responses.read(answer.response.status, answer.response.headers, asked)
            part.target = answer.request
            self._place(part, chunk, body, whole=answer.response.status == 200)
            self._receive(part, chunk, buffer, budget, answer)
        except HTTPError as error:
            raise transport.trouble(error, request.url) from error
        finally:
            answer.response.close()  # a body read to its end has given its connection back already

    def _place(self, part: Part, chunk: Chunk, body: responses.Body, *, whole: bool) -> None:
        """Agree with the answer on what its body is."""
        copy = chunk.copy
        if part.copy is not copy:
            raise _Stale
        part.pin(chunk, body)
        if not whole:
            part.ranges_work(copy)
            with self._change:
                self._change.notify_all()
        elif copy.headed:
            text = f"The origin ignores the range asked for of {part.file.path}."
            raise Transient(Failure(Reason.ORIGIN_ERROR, text))
        elif chunk.position:
            part.rewind(copy, max(1, self._tuning.max_retries))
            self._over_again(part)
            raise _Stale
        if part.copy is copy and (whole or chunk.end is None):
            part.claim_rest(chunk)

    def _receive(
        self, part: Part, chunk: Chunk, buffer: memoryview, budget: Budget, answer: transport.Answer
    ) -> None:
        """Read the body into the file, in writes of up to the buffer's size."""
        writer = _Writer(part, chunk, buffer, budget, self._state)
        try:
            while chunk.end is None or writer.position < chunk.end:
                if self._halt.is_set():
                    raise Interrupted
                if part.copy is not chunk.copy:
                    raise _Stale
                data = answer.response.read1(writer.room(self._limiter.granule(READ)))
                if not data:
                    break
                writer.add(data)
                self._limiter.take(len(data), self._halt)
                if writer.flushed:
                    self._advance(part, chunk.copy)
        finally:
            writer.flush()
        if chunk.end is None:
            part.sized(chunk)
        elif chunk.position < chunk.end:
            text = f"The connection ended before the end of {part.file.path}."
            raise Transient(Failure(Reason.NETWORK_ERROR, text))


class _Writer:
    """Gathers what a connection receives into writes of a good size, and syncs now and then."""

    def __init__(self, part: Part, chunk: Chunk, buffer: memoryview, budget: Budget, state: State) -> None:
        self._part, self._chunk, self._buffer = part, chunk, buffer
        self._budget, self._state = budget, state
        self._filled = 0
        self._written = self._synced = time.monotonic()
        self._unsynced = 0
        self.flushed = False

    @property
    def position(self) -> int:
        """Offset of the next byte to be read."""
        return self._chunk.position + self._filled

    def room(self, most: int) -> int:
        """How many bytes may be read next."""
        free = min(most, len(self._buffer) - self._filled)
        return free if self._chunk.end is None else min(free, self._chunk.end - self.position)

    def add(self, data: bytes) -> None:
        """Take in what was read."""
        self._buffer[self._filled : self._filled + len(data)] = data
        self._filled += len(data)
        self._state.received(len(data))
        now = time.monotonic()
        self.flushed = self._filled == len(self._buffer) or now - self._written >= FLUSH_SECONDS
        if self.flushed:
            self.flush()
            self._written = now
        if self._unsynced >= SYNC_BYTES or (self._unsynced and now - self._synced >= SYNC_SECONDS):
            self._part.sync(self._chunk.copy)
            self._unsynced, self._synced = 0, time.monotonic()

    def flush(self) -> None:
        """Write what was gathered; also when the connection broke, so that no byte received is lost."""
        if not self._filled or self._part.copy is not self._chunk.copy:
            return
        count, self._filled = self._filled, 0
        self._unsynced += count
        if self._part.write(self._chunk, self._buffer[:count]):
            self._budget.progressed()


def _headers(asked: responses.Asked) -> dict[str, str]:
    if not asked.ranged:
        return {}
    last = "" if asked.end is None else str(asked.end - 1)
    return {"Range": f"bytes={asked.start}-{last}", **responses.condition(asked.validator)}
