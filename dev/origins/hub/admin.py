"""The server's own routes below `/-/`: read the log, set faults and the rate, move a branch, while it
runs.

There is no authentication: this is a server for tests, bound to addresses of the tests' own.
"""

import dataclasses
import json
from typing import Any, cast

from aiohttp import web

from dev.origins.hub import faults
from dev.origins.hub.pacing import parse_rate
from dev.origins.hub.repository import Kind
from dev.origins.hub.state import STATE


def routes() -> list[web.RouteDef]:
    """All routes of this module."""
    return [
        web.get("/-/log", read_log),
        web.delete("/-/log", clear_log),
        web.get("/-/faults", read_faults),
        web.post("/-/faults", add_fault),
        web.delete("/-/faults", clear_faults),
        web.put("/-/rate", set_rate),
        web.post("/-/refs", move_branch),
    ]


async def read_log(request: web.Request) -> web.Response:
    """Answer all requests so far, of `?file=` alone if given."""
    entries = request.app[STATE].log.entries(file=request.query.get("file"))
    return web.json_response([dataclasses.asdict(entry) for entry in entries])


async def clear_log(request: web.Request) -> web.Response:
    """Forget all requests."""
    request.app[STATE].log.clear()
    return web.Response(status=204)


async def read_faults(request: web.Request) -> web.Response:
    """Answer the faults in force."""
    return web.json_response(request.app[STATE].faults.as_json())


async def add_fault(request: web.Request) -> web.Response:
    """Put a fault in force: `{"kind": "Cut", "path": "*.bin", "after": 1000, "times": 3}`."""
    try:
        fault = faults.from_json(await _document(request))
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    request.app[STATE].faults.add(fault)
    return web.Response(status=204)


async def clear_faults(request: web.Request) -> web.Response:
    """End all faults."""
    request.app[STATE].faults.clear()
    return web.Response(status=204)


async def set_rate(request: web.Request) -> web.Response:
    """Set the rate of all file bytes: `{"rate": "3MB"}`, or null for as fast as it goes."""
    text = (await _document(request)).get("rate")
    try:
        request.app[STATE].pacer.rate = None if text is None else parse_rate(str(text))
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    return web.Response(status=204)


async def move_branch(request: web.Request) -> web.Response:
    """Move a branch: `{"repository": "org/name", "branch": "main", "revision": "v1", "kind": "model"}`."""
    document = await _document(request)
    try:
        kind = cast(Kind, document.get("kind", "model"))
        repository = request.app[STATE].repositories[kind, document["repository"]]
        repository.move(document.get("branch", "main"), document["revision"])
    except KeyError as error:
        raise web.HTTPBadRequest(text=f"unknown or missing: {error}") from None
    return web.Response(status=204)


async def _document(request: web.Request) -> dict[str, Any]:
    try:
        document = json.loads(await request.text())
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise web.HTTPBadRequest(text="give a JSON object")
    return document
