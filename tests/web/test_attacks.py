"""What the server does with clients it must not trust; those of the table: tests/attacks/suites/page.py."""

import asyncio
import contextlib
import json
import random
import socket
import string
from dataclasses import replace
from typing import Any

import pytest

from modelsync.web import guard
from modelsync.web.sessions import MOST_COOKIE, Seal, TooLong
from tests.runtime import harness
from tests.web import served
from tests.web.fake_cluster import ALL, FakeCluster, a_sync

CANARY = "canary-token-that-must-never-be-seen"
ONE = "/api/v1/namespaces/a/modelsyncs/llama"
JSON = {"Content-Type": "application/json"}


def a_cluster() -> FakeCluster:
    cluster = FakeCluster(users={"ann": {"a"}, CANARY: {ALL}})
    cluster.put(a_sync("a", "llama", "Downloading"))
    return cluster


def _request(path: str, *headers: str) -> bytes:
    """A GET as it stands on the wire; no client corrects its path."""
    lines = (f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Authorization: Bearer ann", *headers)
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_session_ends() -> None:
    now = [1000.0]
    seal = Seal(seconds=60, clock=lambda: now[0])
    sealed = seal.close("token")
    assert seal.open(sealed) == "token" and Seal(seconds=60, clock=lambda: now[0]).open(sealed) is None
    now[0] += 60
    assert seal.open(sealed) is None
    assert seal.open("A" * (MOST_COOKIE + 1)) is None and seal.open("") is None and seal.open("ü") is None
    with pytest.raises(TooLong):
        seal.close("".join(random.Random(1).choices(string.ascii_letters, k=6_000)))


@pytest.mark.parametrize("depth", [500, 60_000])
def test_json_that_is_nested_without_end_is_a_wrong_request(depth: int) -> None:
    async def test() -> None:
        async with served.serving(a_cluster()) as web:
            text = '{"metadata": {"name": "x"}, "spec": ' + '{"a":' * depth + "1" + "}" * depth + "}"
            refused = await web.ask("POST", "/api/v1/namespaces/a/modelsyncs", "ann", data=text, headers=JSON)
            assert refused.status in (201, 413, 422)
            assert (await web.ask("GET", ONE, "ann")).status == 200

    served.run(test())


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", id="half of the headers"),
        pytest.param(
            b"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Requested-With: modelsync\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
            id="half of a body",
        ),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /h", id="a half second one"),
    ],
)
def test_a_client_that_sends_slowly_is_cut(start: bytes) -> None:
    async def test() -> None:
        limits = replace(served.LIMITS, header_seconds=0.5, body_seconds=0.5, keep_alive_seconds=1)
        async with served.serving(a_cluster(), limits=limits) as web:
            reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
            writer.write(start)
            async with asyncio.timeout(30):
                with_answer = await _rest(reader)
            assert b"200 OK" not in with_answer.partition(b"ok\n")[2]
            writer.close()

    served.run(test())


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """All until the server closes; with keep-alive that is the deadline of the next headers."""
    found = b""
    try:
        while part := await reader.read(65536):
            found += part
            if b"408" in found or b"422" in found:
                break
    except ConnectionResetError:
        pass
    return found


def test_a_client_that_takes_nothing_is_cut_and_holds_nobody_up() -> None:
    async def test() -> None:
        cluster = a_cluster()
        cluster.put(*(a_sync("a", f"m{number}", "Failed", group="g" * 60) for number in range(3000)))
        limits = replace(served.LIMITS, send_seconds=0.5)
        loop = asyncio.get_running_loop()
        async with served.serving(cluster, limits=limits) as web, asyncio.timeout(120):
            with socket.socket() as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.setblocking(False)
                await loop.sock_connect(slow, ("127.0.0.1", web.port))
                await loop.sock_sendall(slow, _request("/api/v1/events?namespace=a"))
                await harness.eventually(lambda: web.feeds.streams == 1)
                assert (await web.ask("GET", ONE, "ann")).status == 200
                await harness.eventually(lambda: web.feeds.streams == 0)
                assert await _left(slow) < 3_000_000

    served.run(test())


async def _left(sock: socket.socket) -> int:
    """The bytes that the kernel held for a client that was cut."""
    size = 0
    with contextlib.suppress(ConnectionResetError):
        while part := await asyncio.get_running_loop().sock_recv(sock, 1 << 20):
            size += len(part)
    return size


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'\u202e\x1b[31m"


def test_text_of_a_modelsync_is_never_a_page() -> None:
    async def test() -> None:
        cluster = FakeCluster(users={"ann": {"a"}})
        sync: dict[str, Any] = a_sync("a", "llama", "Failed", queue=HOSTILE, group=HOSTILE)
        sync["status"] |= {"display": {"source": HOSTILE, "target": HOSTILE, "stage": HOSTILE}}
        sync["metadata"] |= {"annotations": {"x": HOSTILE}, "labels": {"x": HOSTILE}}
        cluster.put(sync)
        async with served.serving(cluster) as web:
            for path in (ONE, f"{ONE}/row", "/api/v1/picture?namespace=a", "/api/v1/queues?namespace=a"):
                answer = await web.ask("GET", path, "ann")
                assert answer.headers["Content-Type"].startswith("application/json")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert json.loads(answer.text)
            broken = await web.ask("GET", "/api/v1/%3Cscript%3Ealert(1)%3C/script%3E", "ann")
            assert "<script>" not in broken.text

    served.run(test())


def test_every_answer_has_the_headers_that_a_browser_obeys() -> None:
    async def test() -> None:
        async with served.serving(a_cluster()) as web:
            for path in (ONE, "/", "/nothing", "/api/v1/openapi.json", "/healthz", "/login"):
                answer = await web.ask("GET", path, "ann")
                for name, value in guard.HEADERS.items():
                    assert answer.headers[name] == value, path
                assert "Server" not in answer.headers
        assert "unsafe" not in guard.CONTENT_POLICY and "http" not in guard.CONTENT_POLICY

    served.run(test())
