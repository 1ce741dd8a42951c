"""One connection: asks for a range, agrees with the answer on what it is, and writes it to its place.

A connection keeps its range until the last byte or a final failure, so no range is ever lost between threads.
Whatever passes (a cut, an expired URL, an origin that asks for patience) is dealt with here.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from urllib3.exceptions import HTTPError

from modelsync.api.reasons import Reason
from modelsync.api.wire import Tuning
from modelsync.worker import responses, transport
from modelsync.worker.failures import Failure, Interrupted
from modelsync.worker.limiter import Limiter
from modelsync.worker.model import Request, Source
from modelsync.worker.parts import Chunk, Copy, Part
from modelsync.worker.progress import State
from modelsync.worker.retry import Budget, Transient
from modelsync.worker.writing import BUFFER, Writer

_log = logging.getLogger(__name__)

READ = 1 << 18


class _Stale(Exception):
    """The part started over; this range is of no use any more."""


@dataclass(slots=True, kw_only=True)
class Shared:
    """What all connections of an engine work with."""

    source: Source
    network: transport.Transport
    tuning: Tuning
    state: State
    limiter: Limiter
    advance: Callable[[Part, Copy], None]
    """More of a copy is written."""
    over_again: Callable[[Part], None]
    """A part has ranges to hand out again."""
    changed: Callable[[], None]
    """A range may have become free to be fetched."""
    halt: threading.Event
    not_before: float = 0.0
    """Monotonic time before which the origin wants no request of anybody."""


class Connection:
    """A thread's connection and its buffer."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._buffer = memoryview(bytearray(min(BUFFER, shared.tuning.chunk_bytes)))

    def fetch(self, part: Part, chunk: Chunk) -> None:
        """Fetch one range to its end, whatever passes on the way; raises Failure or Interrupted."""
        budget = Budget(most=self._shared.tuning.max_retries)
        try:
            with contextlib.suppress(_Stale):
                while not chunk.finished:
                    self._attempt(part, chunk, budget)
        finally:
            try:
                part.sync(chunk.copy)
            finally:
                part.release(chunk)
                self._shared.changed()
        self._shared.advance(part, chunk.copy)

    def _attempt(self, part: Part, chunk: Chunk, budget: Budget) -> None:
        cached = part.target
        try:
            self._stream(part, chunk, budget, cached or self._shared.source.request(part.file))
        except responses.Renew as renew:
            if cached is None:
                raise renew.failure from renew
            part.target = None
        except responses.Changed as changed:
            _log.warning("%s It is fetched from its beginning.", changed)
            part.restart(chunk.copy, changed.failure)
            self._shared.over_again(part)
            raise _Stale from changed
        except Transient as trouble:
            if part.copy is not chunk.copy:
                raise _Stale from trouble
            self._wait(budget.spend(trouble), trouble)

    def _wait(self, seconds: float, trouble: Transient) -> None:
        _log.info("%s Trying again in %.1f s.", trouble, seconds)
        self._shared.state.add_retry(seconds if trouble.wait_seconds is not None else 0.0)
        if trouble.wait_seconds is not None:
            self._shared.not_before = max(self._shared.not_before, time.monotonic() + seconds)
        if self._shared.halt.wait(seconds):
            raise Interrupted

    def _stream(self, part: Part, chunk: Chunk, budget: Budget, request: Request) -> None:
        """Ask once and write what comes."""
        if self._shared.halt.wait(max(0.0, self._shared.not_before - time.monotonic())):
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
        answer = self._shared.network.get(request, _headers(asked))
        try:
            body = responses.read(answer.response.status, answer.response.headers, asked)
            part.target = answer.request
            self._place(part, chunk, body, whole=answer.response.status == 200)
            self._receive(part, chunk, budget, answer)
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
            self._shared.changed()
        elif copy.headed:
            text = f"The origin ignores the range asked for of {part.file.path}."
            raise Transient(Failure(Reason.ORIGIN_ERROR, text))
        elif chunk.position:
            part.rewind(copy, max(1, self._shared.tuning.max_retries))
            self._shared.over_again(part)
            raise _Stale
        if part.copy is copy and (whole or chunk.end is None):
            part.claim_rest(chunk)

    def _receive(self, part: Part, chunk: Chunk, budget: Budget, answer: transport.Answer) -> None:
        """Read the body into the file, in writes of up to the buffer's size."""
        writer = Writer(part, chunk, self._buffer, budget, self._shared.state)
        try:
            while chunk.end is None or writer.position < chunk.end:
                if self._shared.halt.is_set():
                    raise Interrupted
                if part.copy is not chunk.copy:
                    raise _Stale
                data = answer.response.read1(writer.room(self._shared.limiter.granule(READ)))
                if not data:
                    break
                writer.add(data)
                self._shared.limiter.take(len(data), self._shared.halt)
                if writer.flushed:
                    self._shared.advance(part, chunk.copy)
        finally:
            writer.flush()
        if chunk.end is None:
            part.sized(chunk)
        elif chunk.position < chunk.end:
            text = f"The connection ended before the end of {part.file.path}."
            raise Transient(Failure(Reason.NETWORK_ERROR, text))


def _headers(asked: responses.Asked) -> dict[str, str]:
    if not asked.ranged:
        return {}
    last = "" if asked.end is None else str(asked.end - 1)
    return {"Range": f"bytes={asked.start}-{last}", **responses.condition(asked.validator)}
