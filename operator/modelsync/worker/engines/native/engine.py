"""The engine: many connections fill the staging files of one listing, and a verifier follows them.

Each connection is a thread that takes a range, asks for it, and writes what comes to its place; blocking
calls in threads were the fastest of all engines measured, and the simplest. Memory is one buffer a thread.
"""

import collections
import contextlib
import logging
import os
import threading
import time
from collections.abc import Sequence

from modelsync.api.protocol import FileProgress
from modelsync.api.reasons import Reason
from modelsync.worker.checksums import file_digest
from modelsync.worker.checksums.file_digest import Digests
from modelsync.worker.common import contents, unexpected, volume_errors
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.model import Fetched, RemoteFile
from modelsync.worker.context import Context
from modelsync.worker.engines.native.buffer_pool import Pool
from modelsync.worker.engines.native.connection_limit import Gate
from modelsync.worker.engines.native.durability import Syncer
from modelsync.worker.engines.native.file_ranges import Chunk, Copy
from modelsync.worker.engines.native.partial_file import WHOLE_BYTES, Part
from modelsync.worker.engines.native.range_fetcher import Connection, Shared
from modelsync.worker.engines.native.small_file_concurrency import Crowd
from modelsync.worker.engines.native.verifier import Verifier
from modelsync.worker.engines.self_blocking import SelfBlocked, Standstill
from modelsync.worker.http import client
from modelsync.worker.progress.waiting import Patience
from modelsync.worker.storage.staging import Staging

_log = logging.getLogger(__name__)

MOST_OPEN = 128
"""Files open at once; keeps many small files within a process's limit of descriptors."""


class NativeEngine:
    """Fetches and verifies files into a staging directory. One use: start, wait, end."""

    def __init__(
        self, context: Context, transport: client.Transport, staging: Staging, files: Sequence[RemoteFile]
    ) -> None:
        tuning, state = context.request.tuning, context.state
        self.results: list[Fetched] = []
        self.failure: Failure | None = None
        self.done = threading.Event()
        """Set when all files are right, or on the first failure."""
        self._staging, self._tuning, self._state = staging, tuning, state
        self._waiting = collections.deque(files)
        self._count = len(files)
        self._waiting_sizes = sum(file.size or 0 for file in files)
        self._waiting_unknown = sum(file.size is None for file in files)
        self._waiting_done = staging.journaled(files)
        """Bytes that are there of files not yet opened, by key: so that figures do not begin at zero anew."""
        self._large = sum(not _small(file) for file in files)
        """How many of the waiting ones are not small."""
        self._small_underway = 0
        """Small files that are on their way."""
        self._opening = self._resting = 0
        """Files that a thread opens at this moment, neither waiting nor open; threads with nothing to do."""
        self._standstill = Standstill()
        self._finished_bytes = 0
        self._open: dict[str, Part] = {}
        self._handing: list[Part] = []
        """Open parts with ranges that nobody fetches yet."""
        self._change = threading.Condition()
        self._halt = threading.Event()
        self._pool = Pool(tuning.connections)
        self._syncer = Syncer(staging, self._copies, self._fail)
        self._shared = Shared(
            source=context.source,
            network=transport,
            tuning=tuning,
            state=state,
            limiter=context.limiter,
            pool=self._pool,
            gate=Gate(tuning.connections),
            crowd=Crowd(tuning.connections),
            wrote=self._syncer.wrote,
            advance=self._advance,
            over_again=self._over_again,
            changed=self._notify,
            halt=self._halt,
            patience=Patience(self._halt, state.stages),
        )
        self._checksum = context.verifies_checksums
        self._verifier = Verifier(pool=self._pool, judge=self._judge, failed=self._fail, state=state)
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"fetch-{number}", daemon=True)
            for number in range(max(1, tuning.connections))
        ]

    def start(self) -> None:
        """Start all threads."""
        self._state.watch(self.amounts, self.active)
        if not self._count:
            self.done.set()
            return
        self._verifier.start()
        self._syncer.start()
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
            self._syncer.end(max(0.1, deadline - time.monotonic()))
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
            done += sum(self._waiting_done.values())
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
            return bool(self._waiting or self._opening) or any(part.copy.busy for part in self._open.values())

    def stuck(self) -> SelfBlocked | None:
        """The error, when it waits for itself; ask often, and not from its own threads."""
        at_work = self._verifier.at_work() if self._checksum else 0
        with self._change:
            busy = len(self._threads) - self._resting
            idle = not (busy or at_work or self.done.is_set())
            moved = self._pool.moves, len(self.results), idle
            if not self._standstill.look(moved, waits=idle or self._pool.waiting > 0):
                return None
            names = {part.copy: part.file.path for part in self._open.values()}
            text = f"{busy} connections fetch, {at_work} files are hashed, {len(self._waiting)} wait"
        return SelfBlocked(f"{text}; {self._pool.described(names)}")

    def _copies(self) -> list[tuple[Part, Copy]]:
        with self._change:
            return [(part, part.copy) for part in self._open.values()]

    def _fail(self, error: BaseException) -> None:
        failure = unexpected.while_fetching(error)
        with self._change:
            self.failure = self.failure or failure
            self._halt.set()
            self._change.notify_all()
        self.done.set()

    def _run(self, number: int) -> None:
        connection = Connection(self._shared)
        try:
            while (work := self._take(number)) is not None:
                connection.fetch(*work)
        except Interrupted:
            pass
        except BaseException as error:
            self._fail(error)

    def _take(self, number: int) -> tuple[Part, Chunk] | None:
        """The next range for this thread; None when there will be none."""
        while True:
            with self._change:
                if self._halt.is_set() or self.done.is_set():
                    return None
                if not self._shared.gate.admits(number):
                    self._rest()
                    continue
                found = self._handed()
                if found is not None:
                    if self._waiting and not _small(found[0].file):
                        self._change.notify()  # whoever slept while this one fetched small files
                    return found
                file = self._next() if len(self._open) + self._opening < MOST_OPEN else None
                if file is None:
                    self._rest()
                    continue
                self._opening += 1
            part = Part(file, self._staging, self._tuning.chunk_bytes, checksum=self._checksum)
            self._register(part)
            self._advance(part, part.copy)

    def _rest(self) -> None:
        """Wait for work, or for a second."""
        self._resting += 1
        self._change.wait(1.0)
        self._resting -= 1

    def _next(self) -> RemoteFile | None:
        """The next file to be opened; a small one only while another connection for these is of use."""
        if not self._waiting:
            return None
        file = self._waiting[0]
        if _small(file) and self._small_underway >= self._shared.crowd.needed:
            if not self._large:
                return None
            file = next(each for each in self._waiting if not _small(each))
            self._waiting.remove(file)
        else:
            self._waiting.popleft()
        self._small_underway += _small(file)
        self._large -= not _small(file)
        return file

    def _register(self, part: Part) -> None:
        """Move a file from those that wait to those that are open, at one instant for all figures."""
        file, there = part.file, part.copy.written.total
        with self._change:
            self._opening -= 1
            self._waiting_done.pop(part.key, None)
            self._waiting_sizes -= file.size or 0
            self._waiting_unknown -= file.size is None
            self._open[part.key] = part
            self._handing.append(part)
            if there or file.size is None or file.size > self._tuning.chunk_bytes:
                self._change.notify_all()

    def _handed(self) -> tuple[Part, Chunk] | None:
        for part in list(self._handing):
            chunk = part.next_chunk(0 if self._waiting else len(self._threads))
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
        if self._content_fits(part, copy):
            self._finish(part, copy, None, "size")

    def _content_fits(self, part: Part, copy: Copy) -> bool:
        """Whether a complete file can be what its name says; else it is fetched again, as a page may come
        from somebody in between. Raises Failure the second time, and for a pointer at once."""
        head = copy.head
        if head is None:
            with volume_errors.guarded("reading a staging file"):
                head = os.pread(copy.handle.descriptor, contents.HEAD, 0)
        found = contents.problem(part.file.path, copy.size or 0, head, copy.media_type)
        if found is None:
            return True
        part.restart(copy, found)
        if found.reason is Reason.NOT_FOUND:
            raise found
        self._pool.forget(copy)
        self._over_again(part)
        return False

    def _judge(self, part: Part, copy: Copy, digests: Digests) -> None:
        if not self._content_fits(part, copy):
            return
        wrong = digests.wrong()
        if wrong is None:
            self._found_right(part, copy, digests.sha256)
            self._finish(part, copy, digests.sha256, digests.verified_by())
            return
        failure = file_digest.damaged(part.file, wrong)
        if part.file.size == 0:
            raise failure  # there is nothing to fetch again
        _log.warning("%s of %r is wrong; it is fetched again", wrong, part.file.path)
        part.restart(copy, failure)
        self._pool.forget(copy)
        self._over_again(part)

    def _found_right(self, part: Part, copy: Copy, sha256: str) -> None:
        journal = self._staging.journal
        if copy.whole:
            size, validator = copy.size or 0, copy.validator
            journal.whole(part.key, generation=copy.generation, size=size, validator=validator, sha256=sha256)
        else:
            journal.verified(part.key, sha256)

    def _finish(self, part: Part, copy: Copy, sha256: str | None, verified_by: str) -> None:
        kind, _, value = (copy.validator or "").partition(":")
        fetched = Fetched(
            file=part.file,
            staged=part.staged.name(copy.generation),
            size=copy.size or 0,
            sha256=sha256,
            verified_by=verified_by,
            etag=value if kind == "etag" else None,
        )
        self._state.add_file()
        self._pool.forget(copy)
        self._syncer.finished(part, copy)
        with self._change:
            full = len(self._open) + self._opening >= MOST_OPEN
            self._open.pop(part.key)
            self._small_underway -= _small(part.file)
            self._finished_bytes += fetched.size
            self.results.append(fetched)
            if len(self.results) == self._count:
                self.done.set()
            if full or self.done.is_set():
                self._change.notify_all()

    def _over_again(self, part: Part) -> None:
        self._state.forfeit(self._staging.journal.forfeit(part.key))
        with self._change:
            if part not in self._handing:
                self._handing.append(part)
            self._change.notify_all()

    def _notify(self) -> None:
        with self._change:
            self._change.notify_all()


def _small(file: RemoteFile) -> bool:
    return file.size is not None and file.size <= WHOLE_BYTES
