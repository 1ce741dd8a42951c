"""The server's own routes below `/-/`: read the log, set faults and the rate, move a branch, while it
runs.

There is no authentication: this is a server for tests, bound to addresses of the tests' own.
"""

import json
from typing import Any, cast

from dev.origins.faults.rules import parse
from dev.origins.hub.api import document
from dev.origins.hub.errors import HubError
from dev.origins.hub.repository import Kind
from dev.origins.hub.routing import Call, Route, route
from dev.origins.serving.log import Entry
from dev.origins.serving.messages import Answer, Role
from dev.origins.serving.pacing import parse_rate

PREFIX = "/-/"


def routes() -> list[Route]:
    """All routes of this module."""
    handlers = {
        ("GET", "log"): read_log,
        ("DELETE", "log"): clear_log,
        ("GET", "faults"): read_faults,
        ("POST", "faults"): add_faults,
        ("DELETE", "faults"): clear_faults,
        ("PUT", "rate"): set_rate,
        ("POST", "refs"): move_branch,
    }
    return [
        route(method, PREFIX + name, Role.INFORMATION, handler)
        for (method, name), handler in handlers.items()
    ]


def read_log(call: Call) -> Answer:
    """Answer all requests so far, of `?file=` alone if given."""
    entries = call.server.log.entries(path=call.request.query.get("file"))
    return document([_described(entry) for entry in entries])


def _described(entry: Entry) -> dict[str, Any]:
    """A request without its credentials: neither the token nor a signature in the query is shown."""
    return {
        "number": entry.number,
        "listener": entry.listener,
        "role": entry.role,
        "method": entry.request.method,
        "url": entry.request.path,
        "file": entry.path,
        "range": entry.request.headers.get("range"),
        "authorization": bool(entry.authorization),
        "status": entry.status,
        "sent": entry.sent,
        "seconds": entry.seconds,
        "faults": entry.faults,
    }


def clear_log(call: Call) -> Answer:
    """Forget all requests."""
    call.server.log.clear()
    return _done()


def read_faults(call: Call) -> Answer:
    """Answer the faults in force, as `add_faults` takes them."""
    return document([{"path": rule.path, "faults": [rule.text]} for rule in call.server.rules.in_force()])


def add_faults(call: Call) -> Answer:
    """Put faults in force: `{"path": "*.bin", "faults": ["cut=1000x3"]}`."""
    given = _document(call)
    try:
        path, faults = str(given.pop("path", "*")), given.pop("faults")
        if given or not isinstance(faults, list):
            raise ValueError('give "path" and a list "faults", such as ["cut=1000x3"]')
        call.server.rules.add(*(parse(str(text), path) for text in faults))
    except KeyError:
        raise _bad('faults: give a list such as ["cut=1000x3"]') from None
    except ValueError as error:
        raise _bad(str(error)) from None
    return _done()


def clear_faults(call: Call) -> Answer:
    """End all faults."""
    call.server.clear()
    return _done()


def set_rate(call: Call) -> Answer:
    """Set the rate of all file bytes: `{"rate": "3MB"}`, or null for as fast as it goes."""
    text = _document(call).get("rate")
    try:
        call.server.rate = None if text is None else parse_rate(str(text))
    except ValueError as error:
        raise _bad(str(error)) from None
    return _done()


def move_branch(call: Call) -> Answer:
    """Move a branch: `{"repository": "org/name", "branch": "main", "revision": "v1", "kind": "model"}`."""
    given = _document(call)
    try:
        kind = cast(Kind, given.get("kind", "model"))
        repository = call.state.repositories[kind, given["repository"]]
        repository.move(given.get("branch", "main"), given["revision"])
    except KeyError as error:
        raise _bad(f"unknown or missing: {error}") from None
    return _done()


def _document(call: Call) -> dict[str, Any]:
    try:
        given = json.loads(call.request.body)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise _bad("give a JSON object")
    return given


def _bad(message: str) -> HubError:
    return HubError(400, message)


def _done() -> Answer:
    return Answer(status=204)
