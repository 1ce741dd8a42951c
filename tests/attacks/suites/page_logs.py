"""What a worker's log tries through the page's server: a process of a user wrote it."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator

from modelsync.web.routes import logs
from tests.attacks.case import Attack, Ground, Outcome
from tests.runtime.hostile import TEXTS
from tests.web import served
from tests.web.fake_cluster import FakeCluster, a_sync
from tests.web.fake_pods import Pod

_LOGS = "/api/v1/namespaces/a/modelsyncs/llama/logs"
_MEGABYTE = b"x" * 1_000_000
_FLOODS: dict[str, Callable[[], Iterable[bytes]]] = {
    "100 MB in one line": lambda: itertools.repeat(_MEGABYTE, 100),
    "100 MB of empty lines": lambda: itertools.repeat(b"\n" * 1_000_000, 100),
    "one that never ends": lambda: itertools.repeat(_MEGABYTE),
}


def _answer(lines: int, **pod: object) -> tuple[served.Answer, Pod]:
    """What a caller gets of a log."""
    cluster = FakeCluster(users={"ann": {"a"}})
    cluster.put(a_sync("a", "llama", "Downloading"))
    cluster.pods.readers = {"ann"}
    worker = cluster.pods.put(name="llama-1-x", sync="llama", **pod)

    async def ask() -> served.Answer:
        async with asyncio.timeout(300), served.serving(cluster) as web:
            return await web.ask("GET", f"{_LOGS}?lines={lines}", "ann")

    return asyncio.run(ask()), worker


def hostile_log(full: bool) -> Iterator[Outcome]:
    """Texts that move a cursor or hide something, and logs without an end."""
    names = list(TEXTS)
    written = b"\n".join(TEXTS[name].encode("utf-8", "surrogatepass") for name in names)
    found, _ = _answer(logs.MOST_LINES, log=written + b"\n\xff\xfe<script>alert(1)</script>\n")
    shown = found.json["lines"]
    yield "all texts", "" if len(shown) > len(names) else f"only {len(shown)} lines are shown"
    for line in shown:
        yield f"the line {line[:20]!a}", "" if line.isprintable() and len(line) <= 4096 else "shown as it is"
    for name, flood in _FLOODS.items() if full else list(_FLOODS.items())[-1:]:
        for lines in (1, 100, logs.MOST_LINES) if full else (100,):
            found, worker = _answer(lines, flood=flood())
            small = found.status == 200 and len(found.text) <= 6 * logs.MOST_BYTES
            yield f"{name}, {lines} lines", "" if small else f"{found.status}, {len(found.text)} bytes"
            taken = worker.sent < 60_000_000
            yield f"{name}, {lines} lines, what was read", "" if taken else f"{worker.sent} bytes"


ATTACKS = (Attack(topic="page", name="a log of any text and length", how=Ground.LOOPBACK, run=hostile_log),)
