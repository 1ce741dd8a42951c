"""A Kubernetes API on loopback with users, rights and ModelSyncs: as much of it as the web server asks for.

Tokens are users; a user may list and change ModelSyncs of some namespaces, or of all. Every request is kept,
with its token, so that a test can say who asked for what.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from modelsync.api import naming
from tests.web.fake_pods import Pods

Object = dict[str, Any]
ALL = "*"
ROOT = f"/apis/{naming.API_VERSION}"


def a_sync(namespace: str, name: str, phase: str = "Queued", **spec: Any) -> Object:
    """A ModelSync as the API server returns it."""
    return {
        "apiVersion": naming.API_VERSION,
        "kind": "ModelSync",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": f"uid-of-{namespace}-{name}",
            "generation": 1,
            "creationTimestamp": "2026-03-14T12:00:00Z",
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": {
            "source": {"huggingFace": {"repository": "org/model"}},
            "target": {"persistentVolumeClaim": {"claimName": "models"}},
            "queue": "default",
            **spec,
        },
        "status": {"phase": phase, "observedGeneration": 1},
    }


@dataclass
class FakeCluster:
    """The objects and the users; `app()` serves them."""

    users: dict[str, set[str]] = field(default_factory=dict)
    """Namespaces by token; ALL for all."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Token, method and path with query of every request."""
    syncs: dict[tuple[str, str], Object] = field(default_factory=dict)
    pods: Pods = field(default_factory=Pods)
    queues: list[Object] = field(default_factory=list)
    events: list[Object] = field(default_factory=list)
    """Kubernetes Events; who may list the ModelSyncs of a namespace reads its Events, too."""
    page: int = 500
    """The most objects of an answer, whatever limit is asked for."""
    away: bool = False
    on_watch: Callable[["FakeCluster"], None] | None = None
    """Called once, when the next watch of ModelSyncs is open."""
    _version: int = 100
    _watchers: set["asyncio.Queue[Object | None]"] = field(default_factory=set)
    _past: dict[tuple[str, str, str], Object] = field(default_factory=dict)

    def put(self, *syncs: Object) -> None:
        """Create or change ModelSyncs."""
        for sync in syncs:
            meta = sync["metadata"]
            key = meta["namespace"], meta["name"]
            self._version += 1
            kind = "MODIFIED" if key in self.syncs else "ADDED"
            stored = {**sync, "metadata": {**meta, "resourceVersion": str(self._version)}}
            self.syncs[key] = stored
            self._past[(*key, str(self._version))] = stored
            self._notify({"type": kind, "object": stored})

    def remove(self, namespace: str, name: str) -> None:
        """Delete a ModelSync."""
        self._notify({"type": "DELETED", "object": self.syncs.pop((namespace, name))})

    def forget(self) -> None:
        """Keep no earlier versions and no record of requests, for tests that go on for long."""
        self._past.clear()
        self.asked.clear()

    def end_watches(self) -> None:
        """End every watch, as an API server that restarts."""
        for watcher in self._watchers:
            watcher.put_nowait(None)

    def watches(self) -> int:
        """How many watches of ModelSyncs were opened."""
        return sum(
            path.startswith(ROOT) and "watch=true" in path and "modelsyncs" in path for *_, path in self.asked
        )

    def _notify(self, event: Object) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(event)

    def app(self) -> web.Application:
        """The API as an application."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append((token, request.method, request.path_qs))
        if self.away:
            return _status(503, "ServiceUnavailable", "away")
        if token not in self.users:
            return _status(401, "Unauthorized", "Unauthorized")
        if request.path.endswith("/selfsubjectreviews"):
            user = {"username": f"user-of-{token[:3]}"}
            return web.json_response({"status": {"userInfo": user}}, status=201)
        if request.path.startswith("/api/v1/namespaces/") and "/pods" in request.path:
            return await self.pods.answer(request, token, self.users[token])
        if request.path.startswith("/api/v1/namespaces/") and request.path.endswith("/events"):
            return self._events(request, self.users[token])
        if request.path == "/api/v1/namespaces" and ALL in self.users[token]:
            names = sorted({namespace for namespace, _ in self.syncs})
            return web.json_response({"items": [{"metadata": {"name": name}} for name in names]})
        parts = request.path.removeprefix(ROOT).strip("/").split("/")
        namespace = parts[1] if parts[0] == "namespaces" else None
        kind, *name = parts[2:] if namespace else parts
        rights = self.users[token]
        if not request.path.startswith(ROOT) or (ALL not in rights and namespace not in rights):
            return _status(403, "Forbidden", f"user-of-{token[:3]} cannot list {kind}")
        if kind == "syncqueues":
            if "watch" in request.query:
                return await self._watch(request, "no such namespace")
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": self.queues})
        return await self._syncs(request, namespace, name[0] if name else None)

    async def _syncs(
        self, request: web.Request, namespace: str | None, name: str | None
    ) -> web.StreamResponse:
        if name is None and request.method == "POST":
            body = await request.json()
            self.put(a_sync(str(namespace), body["metadata"]["name"], **body["spec"]))
            return web.json_response(self.syncs[str(namespace), body["metadata"]["name"]], status=201)
        if name is None and "watch" in request.query:
            return await self._watch(request, namespace)
        if name is None:
            return self._list(request, namespace)
        found = self.syncs.get((str(namespace), name))
        if found is None:
            return _status(404, "NotFound", f'modelsyncs "{name}" not found')
        if request.method == "GET":
            return web.json_response(found)
        body = json.loads(await request.text())
        wanted = body.get("preconditions") or body.get("metadata") or {}
        if wanted.get("resourceVersion") not in (None, found["metadata"]["resourceVersion"]):
            return _status(409, "Conflict", "the object has been modified")
        if request.method == "DELETE":
            self.remove(str(namespace), name)
            return web.json_response({})
        self.put(_merged(found, body))
        return web.json_response(self.syncs[str(namespace), name])

    def _list(self, request: web.Request, namespace: str | None) -> web.Response:
        selector = dict(part.split("=") for part in request.query.get("fieldSelector", "").split(",") if part)
        if request.query.get("resourceVersionMatch") == "Exact":
            past = self._past.get(
                (str(namespace), selector["metadata.name"], request.query["resourceVersion"])
            )
            return web.json_response({"metadata": {}, "items": [past] if past else []})
        items = [
            sync
            for (where, _), sync in sorted(self.syncs.items())
            if namespace in (None, where)
            and selector.get("status.phase", sync["status"]["phase"]) == sync["status"]["phase"]
        ]
        after = request.query.get("continue", "")
        most = min(self.page, int(request.query.get("limit", "500")))
        items = [sync for sync in items if _place(sync) > after]
        meta: Object = {"resourceVersion": str(self._version)}
        if most < len(items):
            meta |= {"continue": _place(items[most - 1]), "remainingItemCount": len(items) - most}
        return web.json_response({"metadata": meta, "items": items[:most]})

    def _events(self, request: web.Request, rights: set[str]) -> web.Response:
        namespace = request.path.split("/")[4]
        if not rights & {namespace, ALL}:
            return _status(403, "Forbidden", 'cannot list resource "events"')
        wanted = [part.partition("=") for part in request.query.get("fieldSelector", "").split(",") if part]
        items = [
            event
            for event in self.events
            if event["involvedObject"]["namespace"] == namespace
            and all(
                event["involvedObject"].get(name.removeprefix("involvedObject.")) == value
                for name, _, value in wanted
            )
        ]
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})

    async def _watch(self, request: web.Request, namespace: str | None) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        events: asyncio.Queue[Object | None] = asyncio.Queue()
        since = int(request.query["resourceVersion"])
        for sync in list(self.syncs.values()):
            if int(sync["metadata"]["resourceVersion"]) > since:
                events.put_nowait({"type": "ADDED", "object": sync})
        self._watchers.add(events)
        if self.on_watch is not None:
            act, self.on_watch = self.on_watch, None
            act(self)
        try:
            async with asyncio.timeout(float(request.query.get("timeoutSeconds", 3600))):
                while (event := await events.get()) is not None:
                    if namespace in (None, event["object"]["metadata"]["namespace"]):
                        await answer.write(json.dumps(event).encode() + b"\n")
        except TimeoutError:
            pass
        finally:
            self._watchers.discard(events)
        return answer


def _place(sync: Object) -> str:
    return f"{sync['metadata']['namespace']}/{sync['metadata']['name']}"


def _merged(old: Object, change: Object) -> Object:
    result = dict(old)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _merged(result[key], value)
        else:
            result[key] = value
    return result


def _status(code: int, reason: str, message: str) -> web.Response:
    return web.json_response(
        {"kind": "Status", "reason": reason, "message": message, "code": code}, status=code
    )


def strings(thing: Any) -> Iterator[str]:
    """All texts within JSON data."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield key
            yield from strings(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from strings(value)
    elif isinstance(thing, str):
        yield thing
