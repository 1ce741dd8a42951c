"""Pods and their logs on the fake cluster: as the API server serves them, and as it never should."""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from modelsync.api import naming


@dataclass(kw_only=True)
class Pod:
    """A worker of a ModelSync."""

    namespace: str = "a"
    name: str
    sync: str
    """Name of its ModelSync."""
    sync_uid: str = ""
    """Uid of its ModelSync; when empty, as `fake_cluster.a_sync` makes it."""
    created: str = "2026-03-14T12:00:00Z"
    log: bytes | None = b""
    """None while its container has not started."""
    flood: Iterable[bytes] | None = None
    """What is sent in place of a log, whatever bounds were asked for; after its end nothing, and no end."""
    sent: int = 0
    """Bytes of the flood that went out."""

    @property
    def described(self) -> dict[str, Any]:
        """As the API server returns it."""
        labels = {naming.UID_LABEL: self.sync_uid or f"uid-of-{self.namespace}-{self.sync}"}
        meta = {"namespace": self.namespace, "name": self.name, "labels": labels}
        return {"metadata": {**meta, "creationTimestamp": self.created}}


@dataclass
class Pods:
    """The Pods, and who may read them."""

    readers: set[str] = field(default_factory=set)
    """Tokens of those who may list Pods and read logs, in the namespaces of their ModelSyncs."""
    there: list[Pod] = field(default_factory=list)

    def put(self, **fields: Any) -> Pod:
        """One more Pod."""
        made = Pod(**fields)
        self.there.append(made)
        return made

    async def answer(self, request: web.Request, token: str, rights: set[str]) -> web.StreamResponse:
        """A list of Pods, or the log of one."""
        _, _, _, _, namespace, _, *rest = request.path.split("/")
        if token not in self.readers or not rights & {namespace, "*"}:
            return refused(403, "Forbidden", 'cannot list resource "pods"')
        pods = [pod for pod in self.there if pod.namespace == namespace]
        if not rest:
            label, _, value = request.query.get("labelSelector", "").partition("=")
            found = [pod.described for pod in pods]
            items = [each for each in found if each["metadata"]["labels"].get(label) == value]
            return web.json_response({"items": items})
        pod = next((each for each in pods if each.name == rest[0]), None)
        if pod is None:
            return refused(404, "NotFound", f'pods "{rest[0]}" not found')
        if pod.flood is not None:
            return await _flood(pod, request)
        if pod.log is None:
            return refused(400, "BadRequest", f'container "worker" in pod "{pod.name}" is waiting to start')
        tail = b"".join(pod.log.splitlines(keepends=True)[-int(request.query["tailLines"]) :])
        return web.Response(body=tail[: int(request.query["limitBytes"])], content_type="text/plain")


def refused(code: int, reason: str, message: str) -> web.Response:
    """A `v1.Status`."""
    body = {"kind": "Status", "reason": reason, "message": message, "code": code}
    return web.json_response(body, status=code)


async def _flood(pod: Pod, request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError):  # the reader had enough
        for part in pod.flood or ():
            await answer.write(part)
            pod.sent += len(part)
    await asyncio.Event().wait()
    return answer
