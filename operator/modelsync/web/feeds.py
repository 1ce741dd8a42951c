"""What a caller sees, live: one list and watch for each set of rights, however many pages are open.

A feed is opened with a caller's own credential and shared by requests with the same one, and with no other.
Watches last two minutes at most: a token or a right that was taken away is gone from every page by then. The
clients of a feed hold no queue of their own: a feed keeps its latest changes once, and a client that is
further behind gets a snapshot.
"""

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from modelsync.reading import forecast, picture, rows, speed_record, values
from modelsync.reading.history import Keeper
from modelsync.web.problems import Problem, ProblemReason
from modelsync.web.upstream import Caller, Object, Upstream, queue_path, sync_path

_LOG = logging.getLogger(__name__)
WATCH_SECONDS = 110
PAGE = 500
_TICK = 1.0
_KEPT = 120
"""Changes that are kept: two minutes at the busiest."""
_LONGEST_PAUSE = 15.0
_REFUSED_PAUSE = 30.0
_AGES = frozenset({"ageSeconds", "waitSeconds", "oldestWaitSeconds", "figuresAgeSeconds", "durationSeconds"})
"""They follow from the times beside them, and would make a change of every row at each tick."""


class Link(StrEnum):
    """How the server stands to the API server."""

    CONNECTING = "connecting"
    LIVE = "live"
    AWAY = "away"
    """The API server does not answer; figures are old."""
    REFUSED = "refused"
    """The caller may not list."""


@dataclass(slots=True, kw_only=True)
class Scope:
    """One list and watch: of a namespace's ModelSyncs or all, or of the SyncQueues."""

    namespace: str | None
    queues: bool = False
    link: Link = Link.CONNECTING
    since: datetime | None = None
    detail: str = ""
    found: dict[tuple[str, str], Object] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """URL path of the collection."""
        return queue_path(self.namespace) if self.queues else sync_path(self.namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What differs from the number before."""

    number: int
    rows: dict[str, Object]
    removed: frozenset[str]
    parts: dict[str, Any]
    """Those of `whole`, `queues`, `groups` and `connection` that are new."""


class Feed:
    """Everything that one caller may see of some namespaces."""

    def __init__(
        self,
        upstream: Upstream,
        caller: Caller,
        namespaces: tuple[str | None, ...],
        operator_namespace: str,
        now: Callable[[], datetime],
    ) -> None:
        self._upstream = upstream
        self._caller = caller
        self.now = now
        self.scopes = [Scope(namespace=each) for each in namespaces]
        self.queues = Scope(namespace=operator_namespace, queues=True)
        self.record = speed_record.SpeedRecord(now(), Keeper.WEB_SERVER)
        self.epoch = secrets.token_hex(4)
        self.number = 0
        self.changes: deque[Change] = deque(maxlen=_KEPT)
        self.rows: dict[str, Object] = {}
        self.parts: dict[str, Any] = {}
        self.picture: values.Picture | None = None
        self.ended: Problem | None = None
        self._was_settled = False
        self.published = asyncio.Condition()
        self.encoded_snapshot: tuple[int, bytes] = (-1, b"")
        self.encoded_change: tuple[tuple[int, int], bytes] = ((-1, -1), b"")
        self._read: dict[str, values.Row] = {}
        self._published: dict[str, values.Row] = {}
        self._dirty: set[tuple[str, str]] = set()
        self._changed = asyncio.Event()
        self._memory = forecast.Forecasts()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to list and watch."""
        follow = [self._follow(scope) for scope in (*self.scopes, self.queues)]
        self._tasks = [asyncio.create_task(each) for each in (*follow, self._publish())]

    async def stop(self) -> None:
        """End all watches."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ready(self, seconds: float = 15.0) -> values.Picture:
        """The picture, once every list has been read or refused; raises Problem."""
        await self.settled(seconds)
        if self.ended is not None:
            raise self.ended
        if all(scope.link is Link.REFUSED for scope in self.scopes):
            raise Problem(403, ProblemReason.ACCESS_DENIED, self.scopes[0].detail)
        if self.picture is None or not any(scope.link is Link.LIVE for scope in self.scopes):
            detail = self.scopes[0].detail or "the API server did not return the lists in time"
            raise Problem(503, ProblemReason.API_SERVER_UNAVAILABLE, detail, retry_after=5)
        return self.picture

    async def settled(self, seconds: float) -> bool:
        """Wait until every list has been read or refused; False where that was not in time."""
        try:
            async with asyncio.timeout(seconds), self.published:
                await self.published.wait_for(lambda: self.ended is not None or self._is_settled())
        except TimeoutError:
            return False
        return True

    async def moved_on(self, number: int, seconds: float) -> bool:
        """Wait until there is more than the change of this number; False where nothing came in time."""
        try:
            async with asyncio.timeout(seconds), self.published:
                await self.published.wait_for(lambda: self.ended is not None or self.number != number)
        except TimeoutError:
            return False
        return True

    def _is_settled(self) -> bool:
        scopes = (*self.scopes, self.queues)
        return self._was_settled and all(scope.link is not Link.CONNECTING for scope in scopes)

    async def _follow(self, scope: Scope) -> None:
        pause = 1.0
        while True:
            try:
                version = await self._list(scope)
                pause = 1.0
                while version:
                    version = await self._watch(scope, version)
            except Problem as problem:
                if problem.status == 401:
                    await self._end(problem)
                    return
                refused = problem.status in (403, 404)
                self._mark(scope, Link.REFUSED if refused else Link.AWAY, problem.detail)
                if refused:
                    self._replace(scope, {})
                pause = _REFUSED_PAUSE if refused else min(pause * 2, _LONGEST_PAUSE)
            except Exception:
                _LOG.exception("following %s failed", scope.path)
                pause = _LONGEST_PAUSE
            await asyncio.sleep(pause)

    async def _list(self, scope: Scope) -> str:
        found: dict[tuple[str, str], Object] = {}
        query = {"limit": str(PAGE)}
        while True:
            page = await self._upstream.get(self._caller, scope.path, query)
            found |= {_key(each): _trimmed(each) for each in _objects(page)}
            meta = page.get("metadata") or {}
            if not meta.get("continue"):
                break
            query["continue"] = str(meta["continue"])
        self._replace(scope, found)
        self._mark(scope, Link.LIVE, "")
        return str(meta.get("resourceVersion") or "")

    async def _watch(self, scope: Scope, version: str) -> str:
        """Follow one watch; returns where the next goes on, or "" where the list must be read again."""
        events = self._upstream.watch(self._caller, scope.path, version, seconds=WATCH_SECONDS)
        async with contextlib.aclosing(events) as each:  # type: ignore[type-var]
            async for kind, thing in each:
                if kind == "ERROR":
                    return ""
                version = str((thing.get("metadata") or {}).get("resourceVersion") or version)
                if kind == "DELETED":
                    scope.found.pop(_key(thing), None)
                elif kind in ("ADDED", "MODIFIED"):
                    scope.found[_key(thing)] = _trimmed(thing)
                if kind != "BOOKMARK":
                    self._touch(scope, {_key(thing)})
        return version

    def _replace(self, scope: Scope, found: dict[tuple[str, str], Object]) -> None:
        before, scope.found = scope.found, found
        self._touch(scope, set(before) | set(found))

    def _touch(self, scope: Scope, keys: set[tuple[str, str]]) -> None:
        if not scope.queues:
            self._dirty |= keys
        self._changed.set()

    def _mark(self, scope: Scope, link: Link, detail: str) -> None:
        if scope.link is not link or scope.detail != detail:
            scope.link, scope.detail, scope.since = link, detail, self.now()
        self._changed.set()

    async def _end(self, problem: Problem) -> None:
        self.ended = problem
        async with self.published:
            self.published.notify_all()

    async def _publish(self) -> None:
        while True:
            try:
                await self._tick()
            except Exception:
                _LOG.exception("a picture could not be made")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK if self._runs() else None):
                    await self._changed.wait()
            # At most once a second, whatever changes; sooner until all lists have been read.
            await asyncio.sleep(_TICK if self._is_settled() else _TICK / 20)

    def _runs(self) -> bool:
        return any(row.badge.active for row in self._read.values())

    async def _tick(self) -> None:
        """Read what changed and what runs, and publish the difference."""
        self._changed.clear()
        settled = all(scope.link is not Link.CONNECTING for scope in (*self.scopes, self.queues))
        now, dirty = self.now(), self._dirty
        self._dirty = set()
        objects = {key: thing for scope in self.scopes for key, thing in scope.found.items()}
        for key in dirty:
            if key not in objects:
                self._read.pop("/".join(key), None)
        running = {tuple(name.split("/", 1)) for name, row in self._read.items() if row.badge.active}
        for namespace, name in (dirty | running) & objects.keys():
            self._read[f"{namespace}/{name}"] = rows.read(objects[namespace, name], now, self._memory)
        found = picture.of_rows(self._read.values(), self.queues.found.values(), now, self._memory)
        self.picture = found
        if self.record.is_due(now):
            self.record.sample(now, [_flow(row) for row in found.rows])
        change = self._difference(found)
        self._was_settled = self._was_settled or settled
        async with self.published:
            if change is not None:
                self.changes.append(change)
            self.published.notify_all()

    def _difference(self, found: values.Picture) -> Change | None:
        new_rows = {f"{row.namespace}/{row.name}": row for row in found.rows}
        changed = {}
        for key, row in new_rows.items():
            if row is self._published.get(key):
                continue  # not read since: most rows of thousands, at every tick
            dumped = without_ages(row.dump())
            if self.rows.get(key) != dumped:
                changed[key] = dumped
        self._published = new_rows
        removed = frozenset(self.rows.keys() - new_rows.keys())
        parts: dict[str, Any] = {
            "whole": found.whole.dump(),
            "queues": [without_ages(each.dump()) for each in found.queues],
            "groups": [group_without_rows(each) for each in found.groups],
            "connection": self.connection(),
        }
        new_parts = {name: part for name, part in parts.items() if self.parts.get(name) != part}
        if not changed and not removed and not new_parts:
            return None
        for key in removed:
            del self.rows[key]
        self.rows |= changed
        self.parts = parts
        self.number += 1
        return Change(number=self.number, rows=changed, removed=removed, parts=new_parts)

    def connection(self) -> Object:
        """How the server stands to the API server, in words for the page."""
        links = [scope.link for scope in self.scopes]
        order = (Link.AWAY, Link.CONNECTING, Link.LIVE, Link.REFUSED)
        state = next(link for link in order if link in links)
        since = [scope.since for scope in self.scopes if scope.link is state and scope.since is not None]
        shown: Object = {
            "state": state,
            "namespaces": [scope.namespace for scope in self.scopes if scope.namespace],
            "refused": [
                {"namespace": scope.namespace or "", "detail": scope.detail}
                for scope in self.scopes
                if scope.link is Link.REFUSED
            ],
            "queuesSeen": self.queues.link is Link.LIVE,
        }
        return shown | ({"since": max(since).isoformat()} if since else {})


def without_ages(dumped: Object) -> Object:
    """A dumped value without what follows from its times; also within its parts."""
    return {
        key: without_ages(value) if isinstance(value, dict) else value
        for key, value in dumped.items()
        if key not in _AGES
    }


def group_without_rows(group: values.Group) -> Object:
    """A group for a stream: whose rows it has follows from the rows."""
    dumped = group.dump()
    dumped.pop("rows")
    return dumped


def _flow(row: values.Row) -> speed_record.Flow:
    return speed_record.Flow(
        namespace=row.namespace,
        uid=row.uid or row.name,
        queue=row.queue,
        bytes_per_second=None if row.speed is None else row.speed.bytes_per_second,
        sent_per_second=None if row.network is None else row.network.up.bytes_per_second,
    )


def _key(thing: Object) -> tuple[str, str]:
    meta = thing.get("metadata") or {}
    return str(meta.get("namespace") or ""), str(meta.get("name") or "")


def _trimmed(thing: Object) -> Object:
    meta = {key: value for key, value in (thing.get("metadata") or {}).items() if key != "managedFields"}
    return {**thing, "metadata": meta}


def _objects(page: Object) -> list[Object]:
    items = page.get("items")
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []
