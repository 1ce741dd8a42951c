"""What was tried against the server; each test is a row of the table in docs/reference/rest-api.md."""

import asyncio
import contextlib
import json
import logging
import random
import socket
import string
from dataclasses import replace
from typing import Any

import pytest

from modelsync.web import app, guard
from modelsync.web.sessions import MOST_COOKIE, Seal, TooLong
from tests import counts
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


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8080",
        "",
        "web.example.org@evil",
        "[::1]x",
        "a:b:c",
    ],
)
def test_a_forged_host_reaches_nothing(host: str) -> None:
    async def test() -> None:
        cluster = a_cluster()
        async with served.serving(cluster) as web:
            for path in (ONE, "/", "/healthz"):
                assert (await web.ask("GET", path, "ann", headers={"Host": host})).status in (400, 421)
        assert cluster.asked == []

    served.run(test())


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "http://evil.example"}, id="a foreign origin"),
        pytest.param({"Origin": "null"}, id="an origin that is hidden"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="a browser's own word"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="another port of this host"),
        pytest.param({"X-Requested-With": None}, id="a plain form"),
        pytest.param({"X-Requested-With": "XMLHttpRequest"}, id="another library's header"),
    ],
)
def test_a_write_for_another_sites_page_is_refused(headers: dict[str, str]) -> None:
    async def test() -> None:
        cluster = a_cluster()
        async with served.serving(cluster) as web:
            for method, path in (("POST", f"{ONE}/cancel"), ("DELETE", ONE), ("POST", "/api/v1/session")):
                body = {"token": "ann"} if path.endswith("session") else None
                refused = await web.ask(method, path, "ann", headers=headers, json=body)
                assert (refused.status, refused.json["reason"]) == (403, "CrossSite"), path
        assert cluster.asked == []

    served.run(test())


def test_the_cookie_is_out_of_a_scripts_reach_and_holds_no_readable_token() -> None:
    async def test() -> None:
        async with served.serving(a_cluster()) as web:
            done = await web.ask("POST", "/api/v1/session", json={"token": CANARY})
            cookie = done.headers["Set-Cookie"]
            assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
            assert cookie.startswith("__Host-modelsync=") and CANARY not in cookie + done.text
            sent = {"Cookie": cookie.split(";")[0]}
            assert (await web.ask("GET", ONE, headers=sent)).status == 200
            changed = {"Cookie": sent["Cookie"][:-3] + "AAA"}
            assert (await web.ask("GET", ONE, headers=changed)).status == 401

    served.run(test())


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


def test_no_token_gets_into_a_log_or_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        cluster = a_cluster()
        async with served.serving(cluster, token_header="X-Forwarded-Access-Token") as web:
            answers = [
                await web.ask("GET", ONE, CANARY),
                await web.ask("GET", "/api/v1/namespaces/a/modelsyncs/none", CANARY),
                await web.ask("POST", "/api/v1/session", json={"token": CANARY}),
                await web.ask("POST", "/api/v1/session", json={"token": [CANARY]}),
                await web.ask("POST", "/api/v1/session", json={CANARY: CANARY + "x"}),
                await web.ask("POST", "/api/v1/session", data=f'{{"token": "{CANARY}', headers=JSON),
                await web.ask("GET", "/api/v1/session", headers={"X-Forwarded-Access-Token": CANARY}),
                await web.ask("GET", f"/login?token={CANARY}"),
                await web.ask("GET", f"/api/v1/modelsyncs?limit={CANARY}", CANARY),
            ]
            cluster.away = True
            answers.append(await web.ask("GET", ONE, CANARY))
        for answer in answers:
            shown = answer.text + str(answer.headers)
            assert CANARY not in shown, shown
        assert CANARY not in caplog.text

    caplog.set_level(logging.DEBUG, logger="modelsync")
    served.run(test())


def test_no_parameter_of_the_api_is_an_address() -> None:
    words = ("url", "uri", "host", "server", "endpoint", "callback", "proxy", "address", "target")
    found = []
    for path, methods in app.document()["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                found += [(method, path) for word in words if word in parameter["name"].lower()]
    assert found == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/..%2f..%2fapi/modelsyncs/x",
        "/api/v1/namespaces/a/modelsyncs/..%2f..%2f..%2fsecrets%2fs",
        "/api/v1/namespaces/a/modelsyncs/x%3fwatch=true",
        "/api/v1/namespaces/a/modelsyncs/x%23y",
        "/api/v1/namespaces/a/modelsyncs/%2e%2e",
        "/api/v1/namespaces/a/modelsyncs/x%00",
        "/api/v1/namespaces/a%0d%0aX:y/modelsyncs",
        "/api/v1/modelsyncs?namespace=..%2f..",
        "/api/v1/summary?namespace=a%2f..",
        "/api/v1/../../api/v1/secrets",
        "/..%2f..%2fapp.py",
        "/%2e%2e/app.py",
        "/....//app.py",
        "//etc/passwd",
        "/static/../../app.py",
    ],
)
def test_path_tricks_reach_nothing(path: str) -> None:
    async def test() -> None:
        cluster = a_cluster()
        async with served.serving(cluster) as web:
            reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
            writer.write(_request(path, "Connection: close"))
            answer = await reader.read()
            writer.close()
        assert int(answer.split()[1]) in (400, 403, 404, 405, 422), answer[:300]
        assert [asked for asked in cluster.asked if not asked[2].endswith("/modelsyncs?limit=1")] == []

    served.run(test())


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("Content-Length: 999999999", id="announced"),
        pytest.param("Content-Length: 99999999999999999999", id="a number without end"),
        pytest.param("Transfer-Encoding: chunked", id="in chunks"),
    ],
)
def test_a_huge_body_is_refused_before_it_is_read(head: str) -> None:
    async def test() -> None:
        async with served.serving(a_cluster(), limits=replace(served.LIMITS, body_bytes=10_000)) as web:
            reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
            lines = ["POST /api/v1/session HTTP/1.1", "Host: 127.0.0.1", "X-Requested-With: modelsync"]
            writer.write("\r\n".join([*lines, "Content-Type: application/json", head, "", ""]).encode())
            if "chunked" in head:
                writer.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
            assert (await reader.readline()).split()[1] in (b"413", b"400")
            writer.close()

    served.run(test())


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


@pytest.mark.slow
def test_idle_streams_hold_nobody_up() -> None:
    async def test() -> None:
        many = counts.chosen(short=200, full=1_000)
        limits = replace(served.LIMITS, streams=many, streams_per_caller=many, heartbeat_seconds=60.0)
        limits = replace(limits, requests_per_second=10_000.0)
        async with served.serving(a_cluster(), limits=limits) as web:
            idle = []
            for _ in range(many):
                reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
                writer.write(_request("/api/v1/events?namespace=a"))
                idle.append((reader, writer))
            for reader, _ in idle:
                await reader.readuntil(b"event: snapshot\n")
            refused = await web.ask("GET", "/api/v1/events?namespace=a", "ann")
            assert refused.json["reason"] == "TooManyStreams"
            started = asyncio.get_running_loop().time()
            assert (await web.ask("GET", ONE, "ann")).status == 200
            assert asyncio.get_running_loop().time() - started < 5
            assert web.cluster.watches() == 1
            for _, writer in idle:
                writer.close()

    served.run(test())


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
