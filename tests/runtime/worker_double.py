"""A server with a worker's face: `/progress` and `/limit` behind a key, and all the ways to misbehave."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from modelsync.api import naming


class WorkerDouble:
    """Answers what a test sets."""

    def __init__(self) -> None:
        self.report: dict[str, Any] = {
            "version": 1,
            "uid": "uid-llama",
            "attempt": 1,
            "stage": "Downloading",
            "progress": {"bytesTotal": 1000, "bytesDone": 10, "bytesNetwork": 10},
        }
        self.answer: web.Response | None = None
        self.body: bytes | None = None
        self.limits: list[Any] = []
        self.asked = 0
        self.elsewhere = 0
        self.port = 0

    @asynccontextmanager
    async def serving(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator["WorkerDouble"]:
        """Serve on a loopback address."""
        app = web.Application()
        app.router.add_get("/progress", self._progress)
        app.router.add_put("/limit", self._limit)
        app.router.add_get("/elsewhere", self._elsewhere)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _progress(self, request: web.Request) -> web.Response:
        self.asked += 1
        if request.headers.get(naming.KEY_HEADER) != "the-key":
            return web.Response(status=401)
        if self.answer is not None:
            return self.answer
        return web.Response(body=self.body if self.body is not None else json.dumps(self.report).encode())

    async def _limit(self, request: web.Request) -> web.Response:
        self.limits.append(await request.json())
        return web.Response(status=204)

    async def _elsewhere(self, request: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.json_response(self.report)
