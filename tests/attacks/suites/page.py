"""What other sites, clients without end, and texts of a ModelSync try through the page and its server."""

import asyncio
import contextlib
import io
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import replace
from typing import Any

from modelsync.web import app
from modelsync.web.config import Limits
from tests.attacks import hostile_sync
from tests.attacks.case import Attack, Ground, Outcome
from tests.attacks.hostile_sync import Hostile
from tests.page import browsing
from tests.web import served
from tests.web.fake_cluster import ALL, FakeCluster, a_sync

_CANARY = "canary-token-that-must-never-be-seen"
_ONE = "/api/v1/namespaces/a/modelsyncs/llama"
_JSON = {"Content-Type": "application/json"}

HOSTS = (
    "evil.example", "127.0.0.1.evil.example", "evil.example:8080", "", "web.example.org@evil", "[::1]x",
    "a:b:c",
    "127.0.0.1:80:80", "127.0.0.1 evil.example", "127.0.0.1,evil.example", "0.0.0.0", "web.example.org.",
    "http://127.0.0.1", "127.0.0.1/evil", "xn--web-example-org",
)  # fmt: skip
FOREIGN: dict[str, dict[str, str | None]] = {
    "a foreign origin": {"Origin": "http://evil.example"},
    "an origin that is hidden": {"Origin": "null"},
    "another port of this host": {"Origin": "http://127.0.0.1:1"},
    "a browser's own word": {"Sec-Fetch-Site": "cross-site"},
    "a browser's own word for another port": {"Sec-Fetch-Site": "same-site"},
    "a plain form": {"X-Requested-With": None, "Content-Type": "text/plain"},
    "a form of files": {"X-Requested-With": None, "Content-Type": "multipart/form-data; boundary=x"},
    "another library's header": {"X-Requested-With": "XMLHttpRequest"},
}
PATHS = (
    "/api/v1/namespaces/..%2f..%2fapi/modelsyncs/x",
    "/api/v1/namespaces/a/modelsyncs/..%2f..%2f..%2fsecrets%2fs",
    "/api/v1/namespaces/a/modelsyncs/x%3fwatch=true", "/api/v1/namespaces/a/modelsyncs/x%23y",
    "/api/v1/namespaces/a/modelsyncs/%2e%2e", "/api/v1/namespaces/a/modelsyncs/x%00",
    "/api/v1/namespaces/a%0d%0aX:y/modelsyncs", "/api/v1/modelsyncs?namespace=..%2f..",
    "/api/v1/summary?namespace=a%2f..", "/api/v1/../../api/v1/secrets", "/..%2f..%2fapp.py", "/%2e%2e/app.py",
    "/....//app.py", "//etc/passwd", "/static/../../app.py", "/api/v1/namespaces/a/modelsyncs/llama%2fstatus",
    "/api/v1/namespaces/a/modelsyncs/llama/../../../../secrets", "/api/v1/namespaces/a;b/modelsyncs/llama",
    "/api/v1/namespaces/a/modelsyncs/%252e%252e", "/api/v1/namespaces/%ff/modelsyncs/llama",
    "http://evil.example/api/v1/secrets", "/js/..%5c..%5capp.py",
)  # fmt: skip
BODIES = {
    "announced": "Content-Length: 999999999",
    "a number without end": "Content-Length: 99999999999999999999",
    "a negative number": "Content-Length: -1",
    "in chunks": "Transfer-Encoding: chunked",
}
_ADDRESSES = (
    "url",
    "uri",
    "host",
    "server",
    "endpoint",
    "callback",
    "proxy",
    "address",
    "target",
    "redirect",
)


def _cluster() -> FakeCluster:
    cluster = FakeCluster(users={"ann": {"a"}, _CANARY: {ALL}})
    cluster.put(a_sync("a", "llama", "Downloading"))
    return cluster


def _run(test: Coroutine[Any, Any, list[Outcome]]) -> list[Outcome]:
    async def bounded() -> list[Outcome]:
        async with asyncio.timeout(300):
            return await test

    return asyncio.run(bounded())


def _refused(status: int, *wanted: int) -> str:
    return "" if status in wanted else f"the answer is {status}"


def forged_host(full: bool) -> Iterator[Outcome]:
    """A Host that is none of the server's names (DNS rebinding)."""

    async def test() -> list[Outcome]:
        cluster, found = _cluster(), []
        async with served.serving(cluster) as web:
            for host in HOSTS if full else HOSTS[:7]:
                for path in (_ONE, "/", "/healthz"):
                    status = (await web.ask("GET", path, "ann", headers={"Host": host})).status
                    found.append((f"{host!r} {path}", _refused(status, 400, 421)))
        return [*found, ("the cluster", "it was asked" if cluster.asked else "")]

    yield from _run(test())


def another_site(full: bool) -> Iterator[Outcome]:
    """A write that another site's page makes a browser send."""

    async def test() -> list[Outcome]:
        cluster, found = _cluster(), []
        async with served.serving(cluster) as web:
            for name, headers in FOREIGN.items():
                for method, path in (
                    ("POST", f"{_ONE}/cancel"),
                    ("DELETE", _ONE),
                    ("POST", "/api/v1/session"),
                ):
                    body = '{"token": "ann"}' if path.endswith("session") else None
                    answer = await web.ask(method, path, "ann", headers={**_JSON, **headers}, data=body)
                    found.append((f"{name}: {method} {path}", _refused(answer.status, 403, 422)))
        return [*found, ("the cluster", "it was asked" if cluster.asked else "")]

    yield from _run(test())


def stolen_cookie(full: bool) -> Iterator[Outcome]:
    """The session's cookie: read by a script, changed, cut, or taken to another server."""

    async def test() -> list[Outcome]:
        found = []
        async with served.serving(_cluster()) as web, served.serving(_cluster()) as other:
            done = await web.ask("POST", "/api/v1/session", json={"token": _CANARY})
            cookie = done.headers["Set-Cookie"]
            missing = {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} - set(cookie.split("; "))
            found.append(("its attributes", f"without {sorted(missing)}" if missing else ""))
            found.append(("its text", "it holds the token" if _CANARY in cookie + done.text else ""))
            sent = cookie.split(";")[0]
            assert (await web.ask("GET", _ONE, headers={"Cookie": sent})).status == 200
            forged = {
                "changed": sent[:-3] + "AAA",
                "cut": sent[:-9],
                "longer": sent + "AAAA",
                "empty": "__Host-modelsync=",
            }
            for name, text in forged.items():
                answer = await web.ask("GET", _ONE, headers={"Cookie": text})
                found.append((name, _refused(answer.status, 401)))
            answer = await other.ask("GET", _ONE, headers={"Cookie": sent})
            found.append(("at another server", _refused(answer.status, 401)))
        return found

    yield from _run(test())


def leaked_token(full: bool) -> Iterator[Outcome]:
    """A token in a log, a header or an answer, wherever it was sent to."""

    async def test() -> list[Outcome]:
        cluster, found = _cluster(), []
        log = io.StringIO()
        handler = logging.StreamHandler(log)
        loggers = [logging.getLogger(name) for name in ("modelsync", "uvicorn", "uvicorn.error", "aiohttp")]
        levels = [each.level for each in loggers]
        for each in loggers:
            each.addHandler(handler)
            each.setLevel(logging.DEBUG)
        try:
            async with served.serving(cluster, token_header="X-Forwarded-Access-Token") as web:
                for away in (False, True):
                    cluster.away = away
                    async for name, answer in _with_canary(web):
                        shown = _CANARY in answer.text + str(answer.headers)
                        where = f"{name}{', the cluster is away' if away else ''}"
                        found.append((where, "the answer holds it" if shown else ""))
        finally:
            for each, level in zip(loggers, levels, strict=True):
                each.removeHandler(handler)
                each.setLevel(level)
        return [*found, ("the log", "it holds it" if _CANARY in log.getvalue() else "")]

    yield from _run(test())


async def _with_canary(web: served.Served) -> AsyncIterator[tuple[str, served.Answer]]:
    session = "/api/v1/session"
    yield "one", await web.ask("GET", _ONE, _CANARY)
    yield "one that is not there", await web.ask("GET", "/api/v1/namespaces/a/modelsyncs/none", _CANARY)
    yield "a login", await web.ask("POST", session, json={"token": _CANARY})
    yield "a login with a list", await web.ask("POST", session, json={"token": [_CANARY]})
    yield "as a field's name", await web.ask("POST", session, json={_CANARY: _CANARY + "x"})
    yield "in half a body", await web.ask("POST", session, data=f'{{"token": "{_CANARY}', headers=_JSON)
    yield "forwarded", await web.ask("GET", session, headers={"X-Forwarded-Access-Token": _CANARY})
    yield "in the address", await web.ask("GET", f"/login?token={_CANARY}")
    yield "as a parameter", await web.ask("GET", f"/api/v1/modelsyncs?limit={_CANARY}", _CANARY)
    yield "in a path", await web.ask("GET", f"/api/v1/{_CANARY}", _CANARY)


def address_parameters(full: bool) -> Iterator[Outcome]:
    """A parameter by which the server could be made to ask another server (SSRF)."""
    for path, methods in app.document()["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                name = parameter["name"]
                problem = "it is an address" if any(word in name.lower() for word in _ADDRESSES) else ""
                yield f"{method} {path} {name}", problem


def path_tricks(full: bool) -> Iterator[Outcome]:
    """Paths that lead out of the API, out of the page's files, or to another object of the cluster."""

    async def test() -> list[Outcome]:
        cluster, found = _cluster(), []
        async with served.serving(cluster) as web:
            for path in PATHS:
                cluster.asked.clear()
                answer = await _raw(web, _head("GET", path, "Connection: close"))
                problem = _refused(int(answer.split()[1]), 400, 403, 404, 405, 422)
                asked = [each for each in cluster.asked if not each[2].endswith("/modelsyncs?limit=1")]
                found.append((path, problem or (f"the cluster was asked {asked}" if asked else "")))
        return found

    yield from _run(test())


def huge_bodies(full: bool) -> Iterator[Outcome]:
    """A body without end, however its length is announced."""

    async def test() -> list[Outcome]:
        found = []
        limits = replace(served.LIMITS, body_bytes=10_000)
        async with served.serving(_cluster(), limits=limits) as web:
            for name, header in BODIES.items():
                head = _head("POST", "/api/v1/session", "X-Requested-With: modelsync", header)
                sent = head + (b"4000\r\n" + b"x" * 0x4000 + b"\r\n" if "chunked" in header else b"")
                answer = await _raw(web, sent, whole=False)
                found.append((name, _refused(int(answer.split()[1]), 400, 413)))
        return found

    yield from _run(test())


def _head(method: str, path: str, *headers: str) -> bytes:
    """A request as it stands on the wire; no client corrects its path."""
    lines = (f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Authorization: Bearer ann", *headers)
    return "\r\n".join([*lines, "", ""]).encode()


async def _raw(web: served.Served, sent: bytes, *, whole: bool = True) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    try:
        writer.write(sent)
        return await reader.read() if whole else await reader.readline()
    finally:
        writer.close()


def idle_streams(full: bool) -> Iterator[Outcome]:
    """Streams that do nothing, as many as the server takes, and one more."""
    many = 1_000 if full else 60

    async def test() -> list[Outcome]:
        limits = replace(Limits(), streams=many, streams_per_caller=many, requests_per_second=10_000.0)
        async with served.serving(_cluster(), limits=limits) as web, contextlib.AsyncExitStack() as stack:
            readers = []
            for _ in range(many):
                reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
                stack.callback(writer.close)
                writer.write(_head("GET", "/api/v1/events?namespace=a"))
                readers.append(reader)
            for reader in readers:
                await reader.readuntil(b"event: snapshot\n")
            one_more = await web.ask("GET", "/api/v1/events?namespace=a", "ann")
            other = await web.ask("GET", _ONE, "ann")
            watches = web.cluster.watches()
        return [
            *[(f"stream {number}", "") for number in range(many)],
            ("one more", _refused(one_more.status, 429)),
            ("another request meanwhile", _refused(other.status, 200)),
            ("watches at the API server", "" if watches == 1 else f"there are {watches}"),
        ]

    yield from _run(test())


def hostile_texts(full: bool) -> Iterator[Outcome]:
    """A script in every string of a ModelSync, of its Events and of its worker's log, on the page in a real
    Chromium."""

    async def test() -> list[Outcome]:
        found, strange = [], 0
        syncs = hostile_sync.every()
        async with browsing.visiting(_hostile_cluster(syncs)) as visit:
            await visit.page.evaluate("window.hits = []; window.hit = (number) => hits.push(number)")
            await visit.log_in()
            for each in syncs:
                await _open_details(visit, each)
                strange += await visit.page.locator("[data-hostile], img:not([src='icon.svg'])").count()
            hits = set(await visit.page.evaluate("hits"))
        for each in syncs:
            for number, place in each.places.items():
                found.append((f"{each.name}: {place}", "its script ran" if number in hits else ""))
        return [*found, ("elements of the page", f"{strange} are of a ModelSync's making" if strange else "")]

    yield from _run(test())


def _hostile_cluster(syncs: list[Hostile]) -> FakeCluster:
    cluster = FakeCluster(users={browsing.TOKEN: {ALL, "modelsync-system"}})
    cluster.put(*(each.sync for each in syncs))
    cluster.pods.readers = {browsing.TOKEN}
    for each in syncs:
        cluster.events.extend(each.events)
        uid = each.sync["metadata"]["uid"]
        cluster.pods.put(name=f"{each.name}-1-x", sync=each.name, sync_uid=uid, log=each.log.encode())
    return cluster


async def _open_details(visit: browsing.Visit, hostile: Hostile) -> None:
    """All that the page shows of one, with its Events and its log."""
    details = await visit.details(hostile.name)
    await details.get_by_role("heading", name="Conditions").wait_for()
    events = details.locator("section").filter(has=visit.page.get_by_role("heading", name="Events"))
    await events.get_by_role("listitem").nth(len(hostile.events) - 1).wait_for()
    await details.get_by_role("button", name="Show the last lines").click()
    log = details.get_by_role("region", name="Last lines of the log")
    await log.filter(has_text=hostile.log.splitlines()[-1]).wait_for()


def _attack(name: str, run: Any, **more: Any) -> Attack:
    return Attack(topic="page", name=name, how=Ground.LOOPBACK, run=run, **more)


ATTACKS = (
    _attack("a forged Host", forged_host),
    _attack("a write for another site's page", another_site),
    _attack("the session's cookie read, changed, or taken elsewhere", stolen_cookie),
    _attack("a token in a log or an answer", leaked_token),
    _attack("a parameter that is an address", address_parameters),
    _attack("path tricks", path_tricks),
    _attack("huge bodies", huge_bodies),
    _attack("a thousand idle streams", idle_streams),
    _attack(
        "a script in every string of a ModelSync, its Events and its log, in a real Chromium", hostile_texts
    ),
)
