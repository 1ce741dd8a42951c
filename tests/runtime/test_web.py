"""The operator's HTTP endpoints, and what a connection to them may take; floods are in tests/attacks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import NoReturn

import aiohttp
import prometheus_client as prometheus
import pytest

from modelsync.runtime.telemetry import bounded_listener, http_server
from tests.runtime import harness

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
Answers = Mapping[str, http_server.Answer]
OK = http_server.health(healthy=lambda: None, ready=lambda: None)


@contextlib.asynccontextmanager
async def serving(answers: Answers = OK, bounds: bounded_listener.Bounds | None = None) -> AsyncIterator[int]:
    server = http_server.Server(answers, port=0, bounds=bounds)
    try:
        yield await server.start()
    finally:
        await server.close()


class Caller:
    """One connection, from an address of loopback."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self, sent: bytes = GET) -> bytes:
        """The first line of what comes back until the other side ends; empty when it only ends."""
        if sent:
            self.writer.write(sent)
        try:
            return (await self.reader.read()).partition(b"\r\n")[0]
        except ConnectionResetError:
            return b""

    async def ends(self) -> bool:
        """Whether the other side ends without an answer."""
        return await self.answer(b"") == b""


@contextlib.asynccontextmanager
async def calling(port: int, source: str = "127.0.0.1", host: str = "127.0.0.1") -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection(host, port, local_addr=(source, 0))
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


@pytest.mark.parametrize(("wrong", "status"), [(None, 200), ("no heartbeat", 503)])
@harness.in_loop
async def test_the_kubelet_is_answered(wrong: str | None, status: int) -> None:
    answers = http_server.health(healthy=lambda: wrong, ready=lambda: wrong)
    async with (
        serving(answers) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        for path in ("/healthz", "/readyz"):
            async with session.get(path) as answer:
                assert (answer.status, (await answer.text()).strip()) == (status, wrong or "ok")
                assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/metrics", 404), ("GET", "/", 404), ("POST", "/healthz", 405), ("HEAD", "/healthz", 200)],
)
@harness.in_loop
async def test_each_port_serves_its_own_paths_only(method: str, path: str, status: int) -> None:
    async with (
        serving() as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        session.request(method, path) as answer,
    ):
        assert answer.status == status


@harness.in_loop
async def test_an_answer_that_cannot_be_made_is_a_500_and_the_next_is_made() -> None:
    def broken() -> NoReturn:
        raise RuntimeError("a bug")

    async with serving({**OK, "/broken": broken}) as port:
        async with calling(port) as caller:
            first = await caller.answer(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
            assert first.startswith(b"HTTP/1.1 500")
        async with calling(port) as caller:
            assert (await caller.answer()).startswith(b"HTTP/1.1 200")


class Counting(prometheus.CollectorRegistry):
    """Counts how often it is collected."""

    collections = 0

    def collect(self) -> Iterator[prometheus.Metric]:
        self.collections += 1
        return iter(())


@harness.in_loop
async def test_the_page_of_metrics_is_not_made_for_each_that_asks() -> None:
    registry = Counting()
    async with serving(http_server.metrics(registry)) as port:
        for _ in range(5):
            async with calling(port) as caller:
                head = await caller.answer(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200")
    assert registry.collections <= 2


@pytest.mark.parametrize(
    ("bounds", "sources", "loser"),
    [
        pytest.param(
            bounded_listener.Bounds(per_peer=2), ("127.0.0.1", "127.0.0.1", "127.0.0.1"), 0, id="one address"
        ),
        pytest.param(
            bounded_listener.Bounds(connections=3),
            ("127.0.0.1", "127.0.0.2", "127.0.0.2", "127.0.0.3"),
            1,
            id="the address that has the most",
        ),
    ],
)
@harness.in_loop
async def test_one_connection_too_many_takes_the_place_of_the_oldest_of_the_greediest(
    bounds: bounded_listener.Bounds, sources: tuple[str, ...], loser: int
) -> None:
    async with serving(bounds=bounds) as port, contextlib.AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(calling(port, source)) for source in sources]
        assert await callers[loser].ends()
        for number, caller in enumerate(callers):
            if number != loser:
                assert (await caller.answer()).startswith(b"HTTP/1.1 200")


@harness.in_loop
async def test_an_address_that_comes_too_fast_waits_and_others_do_not() -> None:
    async with serving(bounds=bounded_listener.Bounds(rate=0.001, burst=2)) as port:
        for wanted in (b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b""):
            async with calling(port) as caller:
                assert await caller.answer() == wanted
        async with calling(port, "127.0.0.2") as caller:
            assert await caller.answer() == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "sent", [b"", b"GET /healthz HTTP/1.1\r\n", GET[:-1]], ids=["nothing", "half a head", "all but a byte"]
)
@harness.in_loop
async def test_a_connection_ends_in_time_without_a_head(sent: bytes) -> None:
    async with serving(bounds=bounded_listener.Bounds(seconds=0.05)) as port, calling(port) as caller:
        assert await caller.answer(sent) == b""


@harness.in_loop
async def test_a_head_that_is_too_large_is_refused_before_it_ends() -> None:
    async with serving() as port, calling(port) as caller:
        answer = await caller.answer(b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 8192)
        assert answer == b"HTTP/1.1 431 Request Header Fields Too Large"


@pytest.mark.parametrize(
    "more",
    [GET, b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", b"\x00" * 100_000],
    ids=["the same", "another", "nonsense"],
)
@harness.in_loop
async def test_one_request_is_answered_and_what_follows_is_dropped(more: bytes) -> None:
    async with serving() as port, calling(port) as caller:
        caller.writer.write(GET + more)
        with contextlib.suppress(ConnectionResetError):
            assert (await caller.reader.read()).count(b"HTTP/1.1 ") == 1


@harness.in_loop
async def test_a_head_may_come_byte_by_byte_and_the_caller_may_end_its_side() -> None:
    async with serving() as port, calling(port) as caller:
        for byte in GET:
            caller.writer.write(bytes([byte]))
            await caller.writer.drain()
        caller.writer.write_eof()
        assert (await caller.answer(b"")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("host", "source"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1")])
@harness.in_loop
async def test_both_families_are_served(host: str, source: str) -> None:
    async with serving() as port, calling(port, source, host) as caller:
        assert (await caller.answer()).startswith(b"HTTP/1.1 200")
