"""An event loop whose time is virtual: it jumps to the next timer as soon as nothing else is left to do.

So ten minutes of backoff take no time, and what a test measures in seconds is what the code waits for, not
how fast the machine is. There are no sockets in such a loop, because what a kernel does takes real time:
`connect` gives a client that hands its requests to a fake server directly.
"""

import asyncio
import functools
import json
import selectors
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec

from aiohttp import web

from modelsync.runtime.cluster import api_client
from tests.runtime import harness

P = ParamSpec("P")
Object = dict[str, Any]
EPOCH = datetime(2026, 3, 14, 12, 0, 0, tzinfo=UTC)


class _Selector(selectors.DefaultSelector):
    """Waits for no timer: it moves the time instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return super().select(1.0)  # a thread's answer, if anything
        self.now += max(timeout, 1e-6)
        return ready


class Loop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual.now


def monotonic() -> float:
    """Virtual seconds, for code that takes a monotonic clock."""
    return asyncio.get_running_loop().time()


def now() -> datetime:
    """The virtual time of day."""
    return EPOCH + timedelta(seconds=monotonic())


def in_virtual_time(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run a coroutine test in a virtual loop, bounded to a virtual day."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(86_400):
                await test(*args, **kwargs)

        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(bounded())

    return run


@dataclass
class Transport:
    """What a handler may do to a connection."""

    aborted: bool = False

    def abort(self) -> None:
        """No answer."""
        self.aborted = True


@dataclass
class Request:
    """What the fake server's handlers use of a request."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Object | None
    transport: Transport = field(default_factory=Transport)

    @property
    def can_read_body(self) -> bool:
        """Whether there is one."""
        return self.body is not None

    async def json(self) -> Object:
        """The body, a copy as after a journey."""
        copy: Object = json.loads(json.dumps(self.body))
        return copy


class Direct(api_client.Kube):
    """The client, with its requests handed to a handler: only connections, DNS and TLS are left out."""

    handle: Callable[[Any], Awaitable[web.StreamResponse]]

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Object | None,
        headers: dict[str, str],
        timeout: float | None,
        into: Callable[[bytes], None] | None,
    ) -> tuple[int, bytes, str | None]:
        asked = {key: value for key, value in (query or {}).items() if value}
        request = Request(method, path, asked, body)
        async with asyncio.timeout(timeout or self._timeout):
            answer = await self.handle(request)
        if request.transport.aborted:
            raise ConnectionResetError("no answer")
        assert isinstance(answer, web.Response) and isinstance(answer.body, bytes)
        if into is not None and answer.status == 200:
            into(answer.body)
        return answer.status, answer.body, answer.headers.get("Retry-After")


def connect(handle: Callable[[Any], Awaitable[web.StreamResponse]], *, timeout: float = 10.0) -> Direct:
    """A client of a fake server's handler."""
    client = Direct(harness.access("http://fake"), timeout=timeout)
    client.handle = handle
    return client
