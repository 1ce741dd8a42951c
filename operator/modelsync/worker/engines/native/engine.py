"""The engine: many connections fill the staging files of one listing, and a verifier follows them.

Each connection is a thread that takes a range, asks for it, and writes what comes to its place; blocking
calls in threads were the fastest of all engines measured, and the simplest. Memory is one buffer a thread.

Who does what: `schedule` says which range is next, a `Connection` (`range_fetcher`) fetches it into a block
of `buffer_pool`, `partial_file` writes it, `verifier` hashes it in the file's order, `verdicts` decides on
the complete file, `durability` syncs and records it.

Locks, outermost first: `Schedule.change`; a copy's `sync_lock`; `Part.lock`; the journal's. None of the outer
ones is taken while an inner one is held. Those of the pool, the verifier's queue, the state, a copy's
`write_lock` and `reserve_lock` are leaves: code that holds one takes no other of these.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Sequence

from modelsync.api.protocol import FileProgress
from modelsync.worker.common import unexpected
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.model import RemoteFile
from modelsync.worker.context import Context
from modelsync.worker.engines.native.buffer_pool import Pool
from modelsync.worker.engines.native.connection_limit import Gate
from modelsync.worker.engines.native.durability import Syncer
from modelsync.worker.engines.native.file_ranges import Chunk
from modelsync.worker.engines.native.partial_file import Part
from modelsync.worker.engines.native.range_fetcher import Connection
from modelsync.worker.engines.native.schedule import Schedule
from modelsync.worker.engines.native.verdicts import Verdicts
from modelsync.worker.engines.native.verifier import Verifier
from modelsync.worker.engines.self_blocking import SelfBlocked, Standstill
from modelsync.worker.http import client
from modelsync.worker.progress.waiting import Patience
from modelsync.worker.storage.staging import Staging

_log = logging.getLogger(__name__)


class NativeEngine:
    """Fetches and verifies files into a staging directory. One use: start, wait, end."""

    def __init__(
        self, context: Context, transport: client.Transport, staging: Staging, files: Sequence[RemoteFile]
    ) -> None:
        tuning, state = context.request.tuning, context.state
        self.failure: Failure | None = None
        self._staging, self._tuning, self._state = staging, tuning, state
        self._checksum = context.verifies_checksums
        self._standstill = Standstill()
        self._halt = threading.Event()
        self._pool = Pool(tuning.connections)
        self._schedule = Schedule(
            files,
            tuning=tuning,
            gate=Gate(tuning.connections),
            there=staging.journaled(files),
            halt=self._halt,
        )
        self.results, self.done = self._schedule.results, self._schedule.done
        self._syncer = Syncer(staging, self._schedule.copies, self._fail)
        verdicts = Verdicts(staging, state, self._schedule, self._pool, self._syncer.finished)
        self._verifier = Verifier(pool=self._pool, judge=verdicts.judge, failed=self._fail, state=state)
        self._advance = self._verifier.advance if self._checksum else verdicts.advance_by_size
        patience = Patience(self._halt, state.stages)
        self._connections = [
            Connection(
                context=context,
                transport=transport,
                schedule=self._schedule,
                verdicts=verdicts,
                pool=self._pool,
                syncer=self._syncer,
                advance=self._advance,
                halt=self._halt,
                patience=patience,
            )
            for _ in range(max(1, tuning.connections))
        ]
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"fetch-{number}", daemon=True)
            for number in range(len(self._connections))
        ]

    def start(self) -> None:
        """Start all threads."""
        self._state.watch(self.amounts, self.active)
        if not self._schedule.count:
            self.done.set()
            return
        self._verifier.start()
        self._syncer.start()
        for thread in self._threads:
            thread.start()

    def end(self, timeout: float = 2.0) -> None:
        """Stop all threads and record what is written; raises nothing."""
        self._halt.set()
        self._schedule.wake()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._schedule.count:
            with contextlib.suppress(RuntimeError):
                self._verifier.end(max(0.1, deadline - time.monotonic()))
            self._syncer.end(max(0.1, deadline - time.monotonic()))
        for part, copy in self._schedule.copies():
            with contextlib.suppress(Failure):
                part.sync(copy)
        with contextlib.suppress(OSError):
            self._staging.journal.sync()

    def amounts(self) -> tuple[int, int | None]:
        """Bytes that are there, and of all files; None while the size of one is unknown."""
        return self._schedule.amounts()

    def active(self) -> list[FileProgress]:
        """The files being fetched, the oldest first."""
        return self._schedule.active()

    def fetching(self) -> bool:
        """Whether bytes are still to come from the origin, rather than only to be hashed."""
        return self._schedule.fetching()

    def stuck(self) -> SelfBlocked | None:
        """The error, when it waits for itself; ask often, and not from its own threads."""
        at_work = self._verifier.at_work() if self._checksum else 0
        schedule = self._schedule
        with schedule.change:
            busy = len(self._threads) - schedule.resting
            idle = not (busy or at_work or self.done.is_set())
            moved = self._pool.moves, len(self.results), idle
            if not self._standstill.look(moved, waits=idle or self._pool.waiting > 0):
                return None
            names = {part.copy: part.file.path for part in schedule.open.values()}
            text = f"{busy} connections fetch, {at_work} files are hashed, {len(schedule.waiting)} wait"
        return SelfBlocked(f"{text}; {self._pool.described(names)}")

    def _fail(self, error: BaseException) -> None:
        failure = unexpected.while_fetching(error)
        with self._schedule.change:
            self.failure = self.failure or failure
            self._halt.set()
            self._schedule.change.notify_all()
        self.done.set()

    def _run(self, number: int) -> None:
        connection = self._connections[number]
        try:
            while (work := self._take(number)) is not None:
                connection.fetch(*work)
        except Interrupted:
            pass
        except BaseException as error:
            self._fail(error)

    def _take(self, number: int) -> tuple[Part, Chunk] | None:
        """The next range for this thread, opening files on the way; None when there will be none."""
        while isinstance(found := self._schedule.take(number), RemoteFile):
            part = Part(found, self._staging, self._tuning.chunk_bytes, checksum=self._checksum)
            self._schedule.register(part)
            self._advance(part, part.copy)
        return found
