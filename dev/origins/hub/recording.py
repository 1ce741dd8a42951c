"""The middleware around every request: records it, lets a refusal answer first, turns errors into answers."""

import time
import uuid
from collections.abc import Awaitable, Callable

from aiohttp import web

from dev.origins.hub import cas
from dev.origins.hub.errors import HubError
from dev.origins.hub.faults import Refuse
from dev.origins.hub.requestlog import Entry
from dev.origins.hub.state import ENTRY, SERVER, STATE

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def recorded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record a request and answer it; the server's own `/-/` routes are neither recorded nor refused."""
    if request.path.startswith("/-/"):
        return await handler(request)
    state, entry = request.app[STATE], _entry(request)
    request[ENTRY] = entry
    state.log.add(entry)
    begun = time.monotonic()
    try:
        refusal = state.faults.refusal(entry.server, entry.file or entry.path)
        response = _refused(refusal) if refusal else await handler(request)
    except HubError as error:
        response = error.response()
    except web.HTTPException as error:
        entry.status = error.status
        raise
    finally:
        entry.seconds = time.monotonic() - begun
    entry.status = response.status
    return response


async def request_id(request: web.Request, response: web.StreamResponse) -> None:
    """Give every answer the id that the Hub's clients print with an error."""
    response.headers["X-Request-Id"] = f"Root=1-{uuid.uuid4()}"


def _entry(request: web.Request) -> Entry:
    return Entry(
        time=time.time(),
        server=_server(request),
        method=request.method,
        path=request.path,
        file=request.match_info.get("path"),
        range=request.headers.get("Range"),
        authorization="Authorization" in request.headers,
        user_agent=request.headers.get("User-Agent"),
    )


def _server(request: web.Request) -> str:
    """Which listener; where one port serves all, the paths of the CDN and of the CAS count as theirs."""
    if request.path.startswith(cas.PREFIXES):
        return "cas"
    return "cdn" if request.path.startswith("/repos/") else request.app[SERVER]


def _refused(refusal: Refuse) -> web.Response:
    headers = {"Retry-After": refusal.retry_after} if refusal.retry_after is not None else {}
    return web.Response(status=refusal.status, text="Refused by a fault.", headers=headers)
