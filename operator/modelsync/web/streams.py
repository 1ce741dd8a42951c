"""Server-sent events: a snapshot, then differences, each with an id by which a client that lost its line goes
on.

    event: snapshot   {"time", "rows": {key: row}, "whole", "queues", "groups", "connection"}
    event: change     {"rows": {key: row}, "removed": [key], and those parts that are new}
    event: end        problem details: why the server ends the stream
    : alive           each 15 s

A snapshot or change of more than MOST_ROWS rows comes as several events; the rows of a snapshot that are
still to come follow as changes.

A client has no queue. It has a number, and gets what came after it at once; where the feed no longer knows
that number, it gets a snapshot. So a slow client costs what a quick one does.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from modelsync.web.config import Limits
from modelsync.web.feeds import Change, Feed
from modelsync.web.problems import Problem, ProblemReason
from modelsync.web.upstream import Caller, Object, Upstream

MOST_ROWS = 100
"""In one event: a browser reads 1,000 rows in ten tasks of some 3 ms and not in one of 30 ms, so it can draw
and answer its user in between."""
LINGER_SECONDS = 300.0
"""How long a feed lives on without clients: a page that is loaded again finds its chart."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MEDIA_TYPE = "text/event-stream"
RETRY_MILLISECONDS = 2000
_PIECE = 64 * 1024
"""Bytes that are given to a connection at once."""


@dataclass(slots=True, kw_only=True)
class _Shared:
    feed: Feed
    clients: int = 0
    ending: asyncio.TimerHandle | None = None


@dataclass(slots=True, kw_only=True)
class Feeds:
    """All feeds, by caller and namespaces."""

    upstream: Upstream
    operator_namespace: str
    limits: Limits
    now: Callable[[], datetime]
    linger: float = LINGER_SECONDS
    streams: int = 0
    _of_caller: dict[str, int] = field(default_factory=dict)
    _shared: dict[tuple[str, tuple[str | None, ...]], _Shared] = field(default_factory=dict)
    _stopping: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def using(self, caller: Caller, namespaces: tuple[str | None, ...]) -> AsyncIterator[Feed]:
        """The caller's feed, opened if it is not there; raises Problem where there are too many."""
        key = caller.key, namespaces
        shared = self._shared.get(key)
        if shared is not None and shared.feed.ended is not None:
            self._end(key, shared)
            shared = None
        if shared is None:
            shared = self._open(key, caller)
        shared.clients += 1
        if shared.ending is not None:
            shared.ending.cancel()
            shared.ending = None
        try:
            yield shared.feed
        finally:
            shared.clients -= 1
            if not shared.clients and self._shared.get(key) is shared:
                loop = asyncio.get_running_loop()
                shared.ending = loop.call_later(self.linger, self._end, key, shared)

    @asynccontextmanager
    async def stream(self, caller: Caller) -> AsyncIterator[None]:
        """Count a stream; raises Problem where there are too many."""
        own = self._of_caller.get(caller.key, 0)
        if self.streams >= self.limits.streams or own >= self.limits.streams_per_caller:
            raise Problem(429, ProblemReason.TOO_MANY_STREAMS, "close other pages", retry_after=10)
        self.streams += 1
        self._of_caller[caller.key] = own + 1
        try:
            yield
        finally:
            self.streams -= 1
            self._of_caller[caller.key] -= 1
            if not self._of_caller[caller.key]:
                del self._of_caller[caller.key]

    def count(self) -> int:
        """Feeds that are open."""
        return len(self._shared)

    async def close(self) -> None:
        """End all."""
        for key, shared in list(self._shared.items()):
            self._end(key, shared)
        await asyncio.gather(*self._stopping, return_exceptions=True)

    def _open(self, key: tuple[str, tuple[str | None, ...]], caller: Caller) -> _Shared:
        if len(self._shared) >= self.limits.feeds:
            idle = next((each for each, shared in self._shared.items() if not shared.clients), None)
            if idle is None:
                raise Problem(429, ProblemReason.TOO_MANY_STREAMS, "too many callers at once", retry_after=30)
            self._end(idle, self._shared[idle])
        feed = Feed(self.upstream, caller, key[1], self.operator_namespace, self.now)
        shared = self._shared[key] = _Shared(feed=feed)
        feed.start()
        return shared

    def _end(self, key: tuple[str, tuple[str | None, ...]], shared: _Shared) -> None:
        if shared.ending is not None:
            shared.ending.cancel()
        if self._shared.get(key) is shared:
            del self._shared[key]
        task = asyncio.get_running_loop().create_task(shared.feed.stop())
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)


async def follow(
    feed: Feed, last_id: str | None, limits: Limits, now: Callable[[], datetime]
) -> AsyncIterator[bytes]:
    """The events for one client, from the id that it has seen on."""
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    while not await feed.settled(limits.heartbeat_seconds):
        yield b": alive\n\n"
    seen = _number(feed, last_id)
    while True:
        if feed.ended is not None:
            yield _event("end", feed.ended.details().dump(), None)
            return
        missing = None if seen is None else _since(feed, seen)
        if missing is None:
            if feed.picture is not None:
                seen = feed.number
                for piece in _pieces(_snapshot_event(feed, now())):
                    yield piece
        elif missing:
            seen = feed.number
            for piece in _pieces(_change_event(feed, missing)):
                yield piece
        if not await feed.moved_on(seen or 0, limits.heartbeat_seconds):
            yield b": alive\n\n"


def snapshot(feed: Feed, now: datetime) -> Object:
    """All that the feed knows."""
    return {"time": now.isoformat(), "rows": feed.rows, **feed.parts}


def merged(changes: Iterable[Change]) -> Object:
    """Several changes as one."""
    rows: dict[str, Object] = {}
    removed: set[str] = set()
    parts: dict[str, Any] = {}
    for change in changes:
        removed = (removed - change.rows.keys()) | change.removed
        rows = {key: row for key, row in rows.items() if key not in change.removed} | change.rows
        parts |= change.parts
    return {"rows": rows, "removed": sorted(removed), **parts}


def _snapshot_event(feed: Feed, now: datetime) -> bytes:
    """Made once for all clients that ask for it before the next change."""
    if feed.encoded_snapshot[0] != feed.number:
        name = f"{feed.epoch}-{feed.number}"
        feed.encoded_snapshot = feed.number, _events("snapshot", snapshot(feed, now), name)
    return feed.encoded_snapshot[1]


def _change_event(feed: Feed, missing: list[Change]) -> bytes:
    """Made once for all clients that are up to date, which most are."""
    first, last = missing[0].number, missing[-1].number
    if feed.encoded_change[0] != (first, last):
        name = f"{feed.epoch}-{last}"
        feed.encoded_change = (first, last), _events("change", merged(missing), name)
    return feed.encoded_change[1]


def _pieces(event: bytes) -> Iterator[bytes]:
    """An event in pieces: after each the server waits for the client, so it holds no copy for every one."""
    return (event[start : start + _PIECE] for start in range(0, len(event), _PIECE))


def _events(kind: str, data: Object, number: str) -> bytes:
    """Data as one event, and where it has many rows as further changes; only the last one carries the id, so
    a line that is lost between them goes on before them all."""
    rows = sorted(data["rows"].items(), key=lambda each: int(each[1].get("attention", 0)))
    parts = [dict(rows[at : at + MOST_ROWS]) for at in range(0, len(rows), MOST_ROWS)] or [{}]
    bodies = [{**data, "rows": parts[0]}, *({"rows": part, "removed": []} for part in parts[1:])]
    kinds = [kind, *("change" for _ in bodies[1:])]
    ids = [*(None for _ in bodies[1:]), number]
    return b"".join(map(_event, kinds, bodies, ids))


def _since(feed: Feed, seen: int) -> list[Change] | None:
    """What came after a number; None where that is not known any more."""
    if seen > feed.number or (feed.changes and seen < feed.changes[0].number - 1):
        return None
    return [change for change in feed.changes if change.number > seen]


def _number(feed: Feed, last_id: str | None) -> int | None:
    epoch, _, number = (last_id or "").partition("-")
    if epoch != feed.epoch or not number.isdecimal() or len(number) > 12:
        return None
    return int(number)


def _event(kind: str, data: Object, number: str | None) -> bytes:
    line = f"id: {number}\n" if number is not None else ""
    return f"{line}event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
