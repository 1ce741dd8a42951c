"""The operator's own HTTP endpoints: /healthz and /readyz on one port, /metrics on another; `history_server`
has a third.

Health is the engine's heartbeat (a deadlocked loop is restarted), readiness that the store is complete; a
standby is ready when it could take over. Nothing here is about any one ModelSync but its metrics.

Two ports, because the kubelet alone has to reach the first, and because one who floods the second must not
make its probes fail. The page of metrics is made at most once in a second, and so seldom that it takes a
tenth of the time at most: with 5,000 active ModelSyncs it takes about half a second, in which nothing else
runs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import prometheus_client as prometheus
from aiohttp import web

from modelsync.runtime.telemetry import bounded_listener

Check = Callable[[], str | None]
"""Returns what is wrong, or None."""
Answer = Callable[[], web.Response]
Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]
_log = logging.getLogger(__name__)
_SHORTEST_AGE = 1.0
_SHARE = 10
"""The page lives so many times as long as it took to make."""


class Server:
    """Serves some paths, or what a handler makes of requests, on a port until it is closed."""

    def __init__(
        self,
        answers: Mapping[str, Answer] | Handler,
        *,
        port: int,
        host: str = "",
        bounds: bounded_listener.Bounds | None = None,
    ) -> None:
        self._port, self._host = port, host
        self._bounds = bounds or bounded_listener.Bounds()
        self._listener: bounded_listener.Listener | None = None
        self._handler = answers if callable(answers) else _by_path(answers)
        # aiohttp logs a traceback for each odd request, and anybody can send one.
        silent = logging.Logger("requests", logging.CRITICAL)
        most = self._bounds.head_bytes
        self._http = web.Server(
            self._answer, access_log=None, logger=silent, max_line_size=most, max_field_size=most
        )

    async def start(self) -> int:
        """Begin to serve; returns the port."""
        self._listener = bounded_listener.Listener(
            self._http, host=self._host, port=self._port, bounds=self._bounds
        )
        return self._listener.port

    async def close(self) -> None:
        """End serving."""
        if self._listener is not None:
            self._listener.close()
        await self._http.shutdown(1.0)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            response = await self._handler(request)
        except Exception:
            _log.exception("%s cannot be answered", request.path)
            response = web.Response(status=500)
        response.force_close()
        return response


def _by_path(answers: Mapping[str, Answer]) -> Handler:
    async def handler(request: web.BaseRequest) -> web.Response:
        answer = answers.get(request.path)
        if answer is None:
            return web.Response(status=404)
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        return answer()

    return handler


def health(*, healthy: Check, ready: Check) -> dict[str, Answer]:
    """The kubelet's endpoints."""
    return {"/healthz": _check(healthy), "/readyz": _check(ready)}


def metrics(registry: prometheus.CollectorRegistry) -> dict[str, Answer]:
    """Prometheus' endpoint."""
    return {"/metrics": _Page(registry)}


class _Page:
    """The registry as text, made again when it is old enough."""

    def __init__(self, registry: prometheus.CollectorRegistry) -> None:
        self._registry = registry
        self._text = b""
        self._good_until = float("-inf")

    def __call__(self) -> web.Response:
        now = asyncio.get_running_loop().time
        began = now()
        if began >= self._good_until:
            self._text = prometheus.generate_latest(self._registry)
            self._good_until = now() + max(_SHORTEST_AGE, _SHARE * (now() - began))
        return web.Response(body=self._text, headers={"Content-Type": prometheus.CONTENT_TYPE_LATEST})


def _check(check: Check) -> Answer:
    def answer() -> web.Response:
        wrong = check()
        return web.Response(text=f"{wrong or 'ok'}\n", status=503 if wrong else 200)

    return answer
