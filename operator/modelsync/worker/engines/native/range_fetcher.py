"""One connection: asks for a range, agrees with the answer on what it is, and writes it to its place.

A connection keeps its range until the last byte or a final failure, so no range is ever lost between threads.
Whatever passes (a cut, an expired URL, an origin that asks for patience) is dealt with here.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.model import Request
from modelsync.worker.common.retry import Budget, Transient
from modelsync.worker.context import Context
from modelsync.worker.engines.native.block_writer import Writer
from modelsync.worker.engines.native.buffer_pool import Pool
from modelsync.worker.engines.native.durability import Syncer
from modelsync.worker.engines.native.file_ranges import Chunk, Copy
from modelsync.worker.engines.native.partial_file import Part
from modelsync.worker.engines.native.schedule import Schedule
from modelsync.worker.engines.native.slow_transfer import Pace, Trickle
from modelsync.worker.engines.native.small_file import Whole, memory
from modelsync.worker.engines.native.verdicts import Verdicts
from modelsync.worker.http import client, range_response, refusals
from modelsync.worker.http.body_reader import BodyReader
from modelsync.worker.http.http1 import Broken
from modelsync.worker.progress.waiting import Patience

_log = logging.getLogger(__name__)

READ = 1 << 20


class _Stale(Exception):
    """The part started over; this range is of no use any more."""


@dataclass(slots=True, kw_only=True, eq=False)
class Connection:
    """What one thread fetches ranges with; all connections of an engine share everything but the last two."""

    context: Context
    transport: client.Transport
    schedule: Schedule
    verdicts: Verdicts
    pool: Pool
    syncer: Syncer
    advance: Callable[[Part, Copy], None]
    """More of a copy is written."""
    halt: threading.Event
    patience: Patience
    _memory: memoryview = field(init=False, default_factory=memory)
    """For the bodies of small files."""
    _came: int = field(init=False, default=0)
    """Bytes that had come to all connections at the last refusal."""

    def fetch(self, part: Part, chunk: Chunk) -> None:
        """Fetch one range to its end, whatever passes on the way; raises Failure or Interrupted."""
        budget = Budget(most=self.context.request.tuning.max_retries)
        begun, worked = time.monotonic(), time.thread_time()
        try:
            with contextlib.suppress(_Stale):
                while not chunk.finished:
                    self._attempt(part, chunk, budget)
        finally:
            try:
                part.release(chunk)
            finally:
                if not chunk.copy.whole:
                    self.schedule.wake()
        self.advance(part, chunk.copy)
        if chunk.copy.whole:
            self.schedule.crowd.record(time.monotonic() - begun, time.thread_time() - worked)

    def _attempt(self, part: Part, chunk: Chunk, budget: Budget) -> None:
        cached, used, begun = part.target, budget.used, chunk.position
        try:
            self._stream(part, chunk, budget, cached or self.context.source.request(part.file))
        except range_response.Renew as renew:
            if cached is None and not renew.again:
                raise renew.failure from renew
            part.target = None
        except range_response.Changed as changed:
            _log.warning("%s It is fetched from its beginning.", changed)
            part.restart(chunk.copy, changed.failure)
            self.verdicts.start_over(part, chunk.copy)
            raise _Stale from changed
        except Transient as trouble:
            if part.copy is not chunk.copy:
                raise _Stale from trouble
            limited = trouble.failure.reason is Reason.RATE_LIMITED
            if limited or (trouble.refused and chunk.position == begun):
                self.schedule.gate.refused()
            if isinstance(trouble, Trickle):
                budget.used = used
            elif trouble.refused and self._others_get_on():
                budget.used = 0
            seconds = self.patience.spend(trouble, budget)
            self.context.state.add_retry()
            self.patience.pause(seconds)

    def _others_get_on(self) -> bool:
        """Whether bytes came since the last refusal: then the origin just wants fewer connections."""
        before, self._came = self._came, self.context.state.network_bytes
        return self._came > before

    def _stream(self, part: Part, chunk: Chunk, budget: Budget, request: Request) -> None:
        """Ask once and write what comes."""
        self.patience.keep()
        copy = chunk.copy
        ranged = chunk.position > 0 or (chunk.end is not None and chunk.end != copy.size)
        asked = range_response.Asked(
            path=part.file.path,
            start=chunk.position,
            end=chunk.end,
            ranged=ranged,
            size=copy.size,
            validator=copy.validator if part.strict else None,
        )
        answer = self.transport.get(request, _headers(asked))
        try:
            refusals.check(answer)
            body = range_response.read(answer.response.status, answer.response.headers, asked)
            if copy.size is None and not part.digested:
                range_response.check_end(answer.response.headers, asked)
            part.target = answer.request
            self._place(part, chunk, body, whole=answer.response.status == 200)
            self._receive(part, chunk, budget, answer)
        except Broken as error:
            raise client.trouble(error, request.url) from error
        finally:
            answer.response.close()

    def _place(self, part: Part, chunk: Chunk, body: range_response.Body, *, whole: bool) -> None:
        """Agree with the answer on what its body is."""
        copy = chunk.copy
        if part.copy is not copy:
            raise _Stale
        part.pin(chunk, body)
        if not whole:
            part.ranges_work(copy)
            self.schedule.wake()
        elif copy.serves_ranges:
            text = f"The origin ignores the range asked for of {part.file.path}."
            raise Transient(Failure(Reason.ORIGIN_ERROR, text))
        elif chunk.position:
            part.rewind(copy, max(1, self.context.request.tuning.max_retries))
            self.verdicts.start_over(part, copy)
            raise _Stale
        if part.copy is copy and (whole or chunk.end is None):
            part.claim_rest(chunk)

    def _writer(self, part: Part, chunk: Chunk, budget: Budget) -> Writer | Whole:
        if part.in_one_piece(chunk):
            return Whole(part, chunk, self._memory, budget, self.context.state)
        return Writer(part, chunk, self.pool, budget, self.context.state, self.halt)

    def _receive(self, part: Part, chunk: Chunk, budget: Budget, answer: client.Answer) -> None:
        """Read the body into the file, in writes of up to the buffer's size."""
        limiter, halt = self.context.limiter, self.halt
        writer = self._writer(part, chunk, budget)
        pace = Pace(part.file.path, self.context.request.tuning.timeout_seconds)
        body = BodyReader(answer.response)
        try:
            while chunk.end is None or writer.position < chunk.end:
                if self.halt.is_set():
                    raise Interrupted
                if part.copy is not chunk.copy:
                    raise _Stale
                asked = time.monotonic()
                count = body.read_into(writer.room(limiter.granule(READ)))
                if not count:
                    break
                waited = time.monotonic() - asked
                writer.add(count)
                pace.check(waited, count)
                limiter.take(count, halt)
                if writer.flushed:
                    self.syncer.wrote(writer.flushed)
                    self.advance(part, chunk.copy)
        finally:
            writer.close()
            self.advance(part, chunk.copy)
        if chunk.end is None:
            part.sized(chunk)
        elif chunk.position < chunk.end:
            text = f"The connection ended before the end of {part.file.path}."
            raise Transient(Failure(Reason.NETWORK_ERROR, text))


def _headers(asked: range_response.Asked) -> dict[str, str]:
    if not asked.ranged:
        return {}
    last = "" if asked.end is None else str(asked.end - 1)
    return {"Range": f"bytes={asked.start}-{last}", **range_response.condition(asked.validator)}
