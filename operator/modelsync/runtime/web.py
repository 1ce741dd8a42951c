"""The operator's own HTTP endpoints: /healthz, /readyz and /metrics.

Health is the engine's heartbeat (a deadlocked loop is restarted), readiness that the store is complete; a
standby is ready when it could take over. Nothing here tells about any ModelSync but its metrics.
"""

from collections.abc import Awaitable, Callable

import prometheus_client as prometheus
from aiohttp import web

Check = Callable[[], str | None]
"""Tells what is wrong, or None."""


class Server:
    """Serves the endpoints until it is closed."""

    def __init__(
        self, registry: prometheus.CollectorRegistry, *, health: Check, readiness: Check, port: int, host: str
    ) -> None:
        self._registry = registry
        self._port = port
        self._host = host
        app = web.Application()
        app.router.add_get("/healthz", _answer(health))
        app.router.add_get("/readyz", _answer(readiness))
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)

    async def start(self) -> int:
        """Begin to serve; returns the port."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host or None, self._port)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """End serving."""
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        body = prometheus.generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": prometheus.CONTENT_TYPE_LATEST})


def _answer(check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(request: web.Request) -> web.StreamResponse:
        wrong = check()
        return web.Response(text=f"{wrong or 'ok'}\n", status=503 if wrong else 200)

    return handler
