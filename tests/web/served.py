"""The web server on a real socket beside a fake cluster, both in the test's own event loop."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from aiohttp import web

from modelsync.web import app, server
from modelsync.web.config import Limits, Mode, WebConfig
from modelsync.web.streams import Feeds
from modelsync.web.upstream import Upstream
from tests.web.fake_cluster import FakeCluster

WRITES = {"X-Requested-With": "modelsync"}
LIMITS = Limits(
    heartbeat_seconds=0.3, header_seconds=60, body_seconds=60, send_seconds=60, keep_alive_seconds=60
)
"""Client and server share one event loop and a machine that is busy: only a test that waits for a client to
be cut has a deadline that one could miss by chance."""


@dataclass
class Answer:
    """An answer that was read whole."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


@dataclass
class Served:
    """A running server, its cluster and a client."""

    cluster: FakeCluster
    port: int
    client: aiohttp.ClientSession
    config: WebConfig
    feeds: Feeds
    sent: list[str] = field(default_factory=list)

    async def ask(self, method: str, path: str, token: str | None = None, **more: Any) -> Answer:
        """One request; `token` as a bearer token."""
        headers = {**(WRITES if method not in ("GET", "HEAD") else {}), **more.pop("headers", {})}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        url = f"http://127.0.0.1:{self.port}{path}"
        headers = {name: value for name, value in headers.items() if value is not None}
        async with self.client.request(method, url, headers=headers, allow_redirects=False, **more) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    @contextlib.asynccontextmanager
    async def events(self, token: str, **headers: str) -> AsyncIterator["Events"]:
        """A stream of events."""
        url = f"http://127.0.0.1:{self.port}/api/v1/events"
        given = {"Authorization": f"Bearer {token}", **headers}
        async with self.client.get(url, headers=given) as answer:
            yield Events(answer)


@dataclass
class Events:
    """A stream of events, read event by event."""

    answer: aiohttp.ClientResponse
    last_id: str = ""

    async def next(self) -> tuple[str, Any]:
        """The next event: its kind and data; ("alive", None) for a heartbeat."""
        kind, data = "", None
        async with asyncio.timeout(10):
            while True:
                line = (await self.answer.content.readline()).decode().rstrip("\n")
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last_id = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    data = json.loads(value)
                elif line == ": alive":
                    return "alive", None
                elif not line and kind:
                    return kind, data
                elif not line and self.answer.content.at_eof():
                    raise EOFError

    async def until(self, kind: str) -> Any:
        """The data of the next event of a kind."""
        while True:
            found, data = await self.next()
            if found == kind:
                return data


@contextlib.asynccontextmanager
async def serving(cluster: FakeCluster, *, limits: Limits = LIMITS, **settings: Any) -> AsyncIterator[Served]:
    """Serve beside a fake cluster."""
    runner = web.AppRunner(cluster.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    own, seconds = settings.pop("own", None), settings.pop("upstream_seconds", 10.0)
    kept = settings.pop("operator_history", None)
    config = WebConfig(
        **{
            "mode": Mode.CLUSTER,
            "hosts": ("127.0.0.1", "web.example.org"),
            "operator_namespace": "modelsync-system",
            "namespaces": ("a", "b"),
            "limits": limits,
            **settings,
        }
    )
    upstream = Upstream(f"http://127.0.0.1:{port}", None, agent="test", timeout=seconds)
    listening, stop = server.bound("127.0.0.1", 0), asyncio.Event()
    application = app.application(config, upstream, own=own, operator_history=kept)
    feeds = application._inside.state.door.feeds  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve(application, listening, config.limits, stop))
    connector = aiohttp.TCPConnector(limit=0)
    try:
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:
            yield Served(cluster, listening.getsockname()[1], client, replace(config), feeds)
    finally:
        stop.set()
        await task
        listening.close()
        cluster.end_watches()
        await runner.cleanup()


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run an asynchronous test, for three minutes at most."""

    async def bounded() -> None:
        async with asyncio.timeout(180):
            await test

    asyncio.run(bounded())
