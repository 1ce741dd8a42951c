"""Speeds of the past for the page's server: one path, read-only, on a port of its own.

    GET /history?span=1h&namespace=team-a&namespace=team-b[&queue=NAME | &sync=UID]

`namespace=*` is the whole cluster; none at all is refused, so that a forgotten one does not mean all. The
page's server proves itself by a token (`token_reviews`), and names the namespaces that its caller may list.
A replica that does not act has no record, and says so by a 503.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from modelsync.api import naming
from modelsync.reading.speed_record import Question
from modelsync.runtime.telemetry import bounded_listener
from modelsync.runtime.telemetry.speed_recorder import SpeedRecorder

BOUNDS = bounded_listener.Bounds(head_bytes=64 * 1024, rate=50.0, burst=100.0)
"""Room for 500 namespaces, and for the questions of one page's server: it asks each at most every 4 s."""
IsReader = Callable[[str], Awaitable[bool | None]]
"""Whether a token is the page's server's; None where that cannot be found out now."""
_ALL = "*"


class Handler:
    """Answers for a recorder."""

    def __init__(self, recorder: SpeedRecorder, is_reader: IsReader) -> None:
        self._recorder = recorder
        self._is_reader = is_reader

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """The answer to a request."""
        if request.path != naming.HISTORY_PATH:
            return web.Response(status=404)
        if request.method != "GET":
            return web.Response(status=405, headers={"Allow": "GET"})
        if self._recorder.record is None:
            return web.Response(status=503, text="this replica does not act; ask the others\n")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        is_reader = scheme == "Bearer" and await self._is_reader(token.strip())
        if is_reader is None:
            return web.Response(status=503, text="the token cannot be reviewed now\n")
        if not is_reader:
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        return self._answer(request)

    def _answer(self, request: web.BaseRequest) -> web.Response:
        record = self._recorder.record
        if record is None:  # lost while the token was reviewed
            return web.Response(status=503)
        try:
            series = record.answer(_question(request), self._recorder.now())
        except ValueError as error:
            return web.Response(status=400, text=f"{str(error)[:500]}\n")
        return web.json_response(text=series.dump_json(), headers={"Cache-Control": "no-store"})


def _question(request: web.BaseRequest) -> Question:
    """What a request asks; raises ValueError."""
    namespaces = request.query.getall("namespace", [])
    if not namespaces or (_ALL in namespaces and len(namespaces) > 1):
        raise ValueError(f"namespace: name one or several, or {_ALL} alone for all")
    return Question(
        span=request.query.get("span", "1h"),
        namespaces=None if namespaces == [_ALL] else tuple(namespaces),
        queue=request.query.get("queue"),
        sync=request.query.get("sync"),
    )
