"""A small API server for the mechanics: lists with pages, watches, merge patches, conflicts, and faults.

It knows no schema and no controllers; what it answers, and when it breaks, is the test's to say.
"""

import asyncio
import email.utils
import itertools
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from aiohttp import web

from modelsync.runtime.cluster.resources import EVENTS, JOBS, LEASES, PODS, QUEUES, SYNCS, Resource

T = TypeVar("T")
Object = dict[str, Any]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
_KNOWN = (SYNCS, QUEUES, JOBS, PODS, EVENTS, LEASES)
_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v[^/]+(?:/namespaces/(?P<ns>[^/]+))?/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>status|proxy))?(?P<rest>/.*)?$"
)


def status(code: int, reason: str, message: str = "said the fake", **headers: str) -> web.Response:
    """A `v1.Status` failure."""
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return web.json_response(body, status=code, headers=headers)


def fails(method: str, part: str, *answers: web.Response | Exception) -> Fault:
    """A fault that gives these answers, in turn, to requests of a method whose path contains a part."""
    left = list(answers)

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.method != method or part not in request.path or not left:
            return None
        answer = left.pop(0)
        if isinstance(answer, Exception):
            assert request.transport is not None
            request.transport.abort()
            raise answer
        # A response can be sent once; a test may give the same one many times.
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)

    return fault


def hangs(method: str, part: str, seconds: float, *, how_often: int = 1_000_000) -> Fault:
    """A fault that lets requests of a method whose path contains a part wait, then serves them."""
    left = [how_often]

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.method == method and part in request.path and left[0] > 0:
            left[0] -= 1
            await asyncio.sleep(seconds)
        return None

    return fault


class FakeApi:
    """Objects in memory, and what was asked."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self.listeners: list[Callable[[str, str, Object], None]] = []
        """Called with each event's kind, plural and object at once: a watch without a connection."""
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.version = 100
        self._uids = itertools.count(1)
        """Unlike versions, they never come again, also where a backup is restored."""
        self.asked: list[tuple[str, str]] = []
        self.lists: Counter[str] = Counter()
        """Lists that were begun, by plural."""
        self.bodies: list[tuple[str, str, Object]] = []
        self.faults: list[Fault] = []
        self.lose_answers_to: set[str] = set()
        """Methods whose requests are carried out and then not answered."""
        self.served: set[str] = {resource.plural for resource in _KNOWN}
        self.quiet = False
        """While true, watches receive nothing: what happens is missed."""
        self.texts: dict[str, str] = {}
        """JSON that stands in an object where it holds this name as a string: what no encoder would write."""
        self._watchers: list[tuple[str, str, int, asyncio.Queue[Object | None]]] = []
        self._events: list[tuple[int, str, str, Object]] = []
        """What happened, as (version, plural, namespace, event): a watch begins after its list."""
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["FakeApi"]:
        """Serve on loopback."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self.handle)
        app.on_response_prepare.append(self._date)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            self.break_watches()
            await runner.cleanup()

    def now(self) -> datetime:
        """The time by its clock."""
        return self._clock()

    async def _date(self, request: web.Request, answer: web.StreamResponse) -> None:
        answer.headers["Date"] = email.utils.format_datetime(self.now(), usegmt=True)

    def put(self, resource: Resource, raw: Object) -> Object:
        """Add or replace an object, as somebody else would."""
        meta = raw["metadata"]
        key = (resource.plural, meta.get("namespace", ""), meta["name"])
        kind = "MODIFIED" if key in self.objects else "ADDED"
        self.version += 1
        stored = copied(raw)
        stored["metadata"] |= {"resourceVersion": str(self.version)}
        stored["metadata"].setdefault("uid", f"uid-{next(self._uids)}")
        stored["metadata"].setdefault("creationTimestamp", self._clock().isoformat(timespec="seconds"))
        self.objects[key] = stored
        self._notify(kind, key, stored)
        return stored

    def remove(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete an object, as somebody else would."""
        key = (resource.plural, namespace, name)
        gone = self.objects.pop(key)
        self.version += 1
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._notify("DELETED", key, gone)

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """An object as it is stored."""
        return self.objects[resource.plural, namespace, name]

    def count(self, method: str, part: str = "") -> int:
        """How many requests of a method had this part in their path."""
        return sum(1 for verb, path in self.asked if verb == method and part in path)

    @property
    def watched(self) -> set[str]:
        """What is watched at present, by plural."""
        return {plural for plural, *_ in self._watchers}

    def break_watches(self, expired: bool = False) -> None:
        """End all watches; `expired` answers 410 first, so that they list again."""
        gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
        for *_, queue in self._watchers:
            if expired:
                queue.put_nowait(gone)
            queue.put_nowait(None)

    def backup(self) -> tuple[dict[tuple[str, str, str], Object], int]:
        """What etcd holds now."""
        return copied(self.objects), self.version

    def restore(self, backup: tuple[dict[tuple[str, str, str], Object], int]) -> None:
        """Go back to a backup as an etcd does: no watch is notified, and the API server starts again."""
        self.objects, self.version = copied(backup[0]), backup[1]
        self._events.clear()
        self.break_watches()

    def _notify(self, kind: str, key: tuple[str, str, str], raw: Object) -> None:
        if self.quiet:
            return
        sent = copied(raw)
        event = {"type": kind, "object": sent}
        for listener in self.listeners:
            listener(kind, key[0], sent)
        self._events.append((self.version, key[0], key[1], event))
        for plural, namespace, since, queue in self._watchers:
            if plural == key[0] and namespace in ("", key[1]) and self.version > since:
                queue.put_nowait(event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        self.asked.append((request.method, request.path))
        for fault in self.faults:
            answer = await fault(request)
            if answer is not None:
                return answer
        match = _PATH.match(request.path)
        if match is None or not match["plural"]:
            return self._discover(request.path)
        if match["plural"] not in self.served:
            return status(404, "NotFound")
        answer = await self._serve(request, match["plural"], match["ns"] or "", match["name"], match["sub"])
        if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
            answer.body = self._with_texts(answer.body)
        if request.method in self.lose_answers_to and answer.status < 300:
            assert request.transport is not None
            request.transport.abort()
        return answer

    def _with_texts(self, body: bytes) -> bytes:
        for name, text in self.texts.items():
            body = body.replace(json.dumps(name).encode(), text.encode())
        return body

    def _discover(self, path: str) -> web.Response:
        groups: dict[str, Any] = {}
        for resource in _KNOWN:
            if resource.plural in self.served:
                groups.setdefault(resource.group, []).append(resource)
        if path == "/api":
            return web.json_response({"versions": ["v1"]})
        if path == "/apis":
            listed = [
                {
                    "name": g,
                    "versions": [{"version": r[0].version}],
                    "preferredVersion": {"version": r[0].version},
                }
                for g, r in groups.items()
                if g
            ]
            return web.json_response({"groups": listed})
        group = path.split("/")[2] if path.startswith("/apis/") else ""
        entries = [_entry(r.plural, r.kind) for r in groups.get(group, [])]
        if not group:
            entries.append(_entry("namespaces", "Namespace"))
        if group == "modelsync.dev" and not entries:
            return status(404, "NotFound")
        return web.json_response({"resources": entries})

    async def _serve(
        self, request: web.Request, plural: str, namespace: str, name: str | None, sub: str | None
    ) -> web.StreamResponse:
        if request.method == "GET" and name is None:
            if request.query.get("watch") == "true":
                return await self._watch(request, plural, namespace)
            return self._list(request, plural, namespace)
        body = await request.json() if request.can_read_body else {}
        self.bodies.append((request.method, request.path, body))
        if request.method == "POST":
            return self._create(plural, namespace, body)
        key = (plural, namespace, name or "")
        known = self.objects.get(key)
        if known is None:
            return status(404, "NotFound")
        if request.method == "DELETE":
            return self._delete(key, known, body)
        if request.method in ("PUT", "PATCH"):
            return self._change(key, known, body, sub, replace=request.method == "PUT")
        return web.json_response(known)

    def _create(self, plural: str, namespace: str, body: Object) -> web.Response:
        if (plural, namespace, body["metadata"]["name"]) in self.objects:
            return status(409, "AlreadyExists")
        resource = next(r for r in _KNOWN if r.plural == plural)
        body["metadata"]["namespace"] = namespace
        return web.json_response(self.put(resource, body), status=201)

    def _delete(self, key: tuple[str, str, str], known: Object, body: Object) -> web.Response:
        if body.get("preconditions", {}).get("uid", known["metadata"]["uid"]) != known["metadata"]["uid"]:
            return status(409, "Conflict")
        self.remove(next(r for r in _KNOWN if r.plural == key[0]), key[1], key[2])
        return web.json_response({"kind": "Status", "status": "Success"})

    def _change(
        self, key: tuple[str, str, str], known: Object, body: Object, sub: str | None, *, replace: bool
    ) -> web.Response:
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != known["metadata"]["resourceVersion"]:
            return status(409, "Conflict")
        changed = body if replace else merged(known, {"status": body.get("status")} if sub else body)
        kept = (
            {"annotations": changed["metadata"]["annotations"]}
            if "annotations" in changed["metadata"]
            else {}
        )
        changed["metadata"] = {**known["metadata"], **kept}
        return web.json_response(self.put(next(r for r in _KNOWN if r.plural == key[0]), changed))

    def _list(self, request: web.Request, plural: str, namespace: str) -> web.Response:
        found = [
            raw for key, raw in sorted(self.objects.items()) if _matches(key, raw, plural, namespace, request)
        ]
        limit = int(request.query.get("limit", "0")) or len(found) + 1
        start = int(request.query.get("continue", "0") or 0)
        self.lists[plural] += not start
        meta = {"resourceVersion": str(self.version)}
        if start + limit < len(found):
            meta["continue"] = str(start + limit)
        return web.json_response({"metadata": meta, "items": found[start : start + limit]})

    async def _watch(self, request: web.Request, plural: str, namespace: str) -> web.StreamResponse:
        queue: asyncio.Queue[Object | None] = asyncio.Queue()
        since = int(request.query.get("resourceVersion") or self.version)
        watcher = (plural, namespace, since, queue)
        for version, kind, where, event in self._events:
            if version > since and kind == plural and namespace in ("", where):
                queue.put_nowait(event)
        self._watchers.append(watcher)
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        try:
            while (sent := await queue.get()) is not None:
                await answer.write(self._with_texts(json.dumps(sent).encode()) + b"\n")
        finally:
            self._watchers.remove(watcher)
        return answer


def copied(value: T) -> T:
    """A copy of JSON. `copy.deepcopy` takes four times as long, since it expects anything."""
    found: Any = value
    if isinstance(value, dict):
        found = {key: copied(below) for key, below in value.items()}
    elif isinstance(value, list):
        found = [copied(below) for below in value]
    return found  # type: ignore[no-any-return]


def merged(base: Any, patch: Any) -> Any:
    """JSON merge patch, RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _entry(plural: str, kind: str) -> Object:
    verbs = ["get", "list", "watch", "patch"]
    return {"name": plural, "singularName": kind.lower(), "kind": kind, "namespaced": True, "verbs": verbs}


def _matches(key: tuple[str, str, str], raw: Object, plural: str, ns: str, request: web.Request) -> bool:
    if key[0] != plural or (ns and key[1] != ns):
        return False
    wanted = re.search(r"involvedObject\.uid=([^,]+)", request.query.get("fieldSelector", ""))
    return wanted is None or raw.get("involvedObject", {}).get("uid") == wanted[1]
