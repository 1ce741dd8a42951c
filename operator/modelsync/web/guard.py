"""What every request meets before the API: Host, origin, size and time of the body; and what every answer
gets.

A plain ASGI layer around the whole application, so that no route can be added without it.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from modelsync.web.config import Limits
from modelsync.web.problems import Problem, ProblemReason

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUEST_HEADER = "X-Requested-With"
REQUEST_VALUE = "modelsync"
"""A form of another site cannot set a header, and a script of another site may not."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'; require-trusted-types-for 'script';"
    " trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""On every answer. A frame of the same origin is allowed, since the compact page is made for one."""


class Gone(Exception):
    """The client left in the middle of its request."""


def host_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a Host header is one of ours: `name:port` exactly, or `name` with any port."""
    host = host.strip().lower()
    if host in allowed:
        return True
    name = _name_of(host)
    return name is not None and name in allowed


def _name_of(host: str) -> str | None:
    name, _, port = host.rpartition(":")
    if host.endswith("]") or not name:
        name, port = host, "0"
    if not port.isdecimal():
        return None
    if name.startswith("["):
        try:
            ipaddress.IPv6Address(name.strip("[]"))
        except ValueError:
            return None
    return name


def is_cross_site(headers: dict[str, str]) -> bool:
    """Whether a browser sent this for another site's page."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc.lower() != headers.get("host", "").strip().lower()


class Guard:
    """The layer around the application."""

    def __init__(self, inside: Application, *, hosts: tuple[str, ...], limits: Limits) -> None:
        self._inside = inside
        self._hosts = tuple(host.lower() for host in hosts)
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._inside(scope, receive, send)
            return
        if scope["type"] != "http":
            raise Gone(f"no {scope['type']} here")
        answer = _Answer(send)
        try:
            self._check(scope)
            await self._inside(scope, await _read(receive, self._limits), answer)
        except Problem as problem:
            if answer.has_begun:
                raise
            response = problem.response()
            response.headers["Connection"] = "close"  # the rest of the body is not waited for
            await response(scope, receive, answer)

    def _check(self, scope: Scope) -> None:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        headers = dict(pairs)
        hosts = [value for name, value in pairs if name == "host"]
        if len(hosts) != 1 or not host_allowed(hosts[0], self._hosts):
            raise Problem(
                421,
                ProblemReason.HOST_FORBIDDEN,
                "the Host of the request is none of this server's names; open it by the address that it"
                " printed, or add the name to --allowed-host (web.hosts of the chart)",
            )
        if is_cross_site(headers) and scope["path"].startswith("/api/"):
            raise Problem(
                403,
                ProblemReason.CROSS_SITE,
                "a page of another site sent this request; use the page of this server",
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 12 or int(length) > self._limits.body_bytes:
            raise too_large(self._limits)


def too_large(limits: Limits) -> Problem:
    """The problem of a body above the bound."""
    return Problem(
        413, ProblemReason.BODY_TOO_LARGE, f"a body has at most {limits.body_bytes // 1024} KiB; send less"
    )


async def _read(receive: Receive, limits: Limits) -> Receive:
    """Read the whole body, bounded in size and in time; returns what gives it again. Raises Problem."""
    parts: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(limits.body_seconds):
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise Gone("the client left")
                parts.append(message.get("body", b""))
                size, more = size + len(parts[-1]), message.get("more_body", False)
                if size > limits.body_bytes:
                    raise too_large(limits)
    except TimeoutError:
        raise Problem(408, ProblemReason.REQUEST_TIMEOUT, "send the body faster") from None
    waiting = [b"".join(parts)]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again


class _Answer:
    """The answer, with headers for the browser."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            ours = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*message.get("headers", []), *ours]
        await self._send(message)
