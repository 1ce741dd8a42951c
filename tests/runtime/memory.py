"""How much memory the operator takes to hold many ModelSyncs, whatever is in them.

    python -m tests.runtime.memory 5000 "500 files"

serves so many ModelSyncs of a kind from a process of its own, watches and lists them as the operator does,
plans once, and prints the process's memory: before, at its peak, and afterwards. The kinds are the largest
specs that the schema accepts (`tests.api.specs.extremes`), and objects as big as etcd takes them.
"""

import asyncio
import gc
import json
import multiprocessing
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web

from modelsync.core import planner
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache, relist, watches
from modelsync.runtime.cluster.resources import SYNCS
from tests.api.specs import extremes
from tests.runtime import fake_api, harness

_NUMBER = "NUMBER"
_MANAGED: harness.Object = {"fieldsV1": {f"f:{'a' * 9}{n}": {} for n in range(50_000)}}
HOSTILE: dict[str, Callable[[harness.Object], object]] = {
    "annotations of 250 KiB": lambda raw: raw["metadata"].update(
        annotations={"example.org/a": "x" * 250_000}
    ),
    "managedFields of a megabyte": lambda raw: raw["metadata"].update(managedFields=[_MANAGED]),
    "180,000 small objects in the spec": lambda raw: raw["spec"].update(x=[{"": 0}] * 180_000),
}
KINDS = (*extremes.LARGEST, *HOSTILE)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Memory of a process in MiB."""

    before: float
    peak: float
    after: float
    object_bytes: int
    """Length of one object's text."""


def text_of(kind: str) -> str:
    """The text of an object, with a word in the place of its number."""
    raw = harness.versioned(harness.sync(_NUMBER), 1)
    raw["spec"]["suspend"] = True
    if kind in extremes.LARGEST:
        raw["spec"] = {**extremes.LARGEST[kind], "suspend": True}
    else:
        HOSTILE[kind](raw)
    return json.dumps(raw, separators=(",", ":"), ensure_ascii=False)


def measure(count: int, kind: str) -> Measured:
    """Hold so many objects of a kind, in a process of its own."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    operator = multiprocessing.get_context("spawn").Process(target=_measured, args=(there, count, kind))
    operator.start()
    url, stop = _served(count, kind)
    here.send(url)
    try:
        found: Measured = here.recv()
    finally:
        operator.join(10)
        operator.kill()
        stop()
    return found


def _served(count: int, kind: str) -> tuple[str, Callable[[], None]]:
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, count, kind))
    server.start()
    return here.recv(), server.kill


def _serve(pipe: Connection, count: int, kind: str) -> None:
    text = text_of(kind)

    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith(f"/{SYNCS.plural}"):
            return await nothing.handle(request)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if request.query.get("watch"):
            await asyncio.Event().wait()
        start = int(request.query.get("continue") or 0)
        end = min(count, start + int(request.query.get("limit") or count))
        await response.write(b'{"kind":"ModelSyncList","items":[')
        for number in range(start, end):
            comma = "," if number + 1 < end else ""
            await response.write((text.replace(_NUMBER, f"s{number:05}") + comma).encode())
        following = str(end) if end < count else ""
        meta = json.dumps({"resourceVersion": "9", "continue": following})
        await response.write(f'],"metadata":{meta}}}'.encode())
        return response

    nothing = fake_api.FakeApi()

    async def serve() -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send("http://{}:{}".format(*runner.addresses[0][:2]))
        await asyncio.Event().wait()

    asyncio.run(serve())


def _measured(pipe: Connection, count: int, kind: str) -> None:
    pipe.send(asyncio.run(_hold(pipe.recv(), count, kind)))


async def _hold(url: str, count: int, kind: str) -> Measured:
    known, client = cache.Store(), harness.connect(url, timeout=60)
    gc.collect()
    before = _status("VmRSS")
    seen: set[str] = set()

    def feed(resource: Any, event: str | None, raw: harness.Object) -> None:
        seen.add(raw["metadata"]["uid"])
        known.observe(resource, event, raw)

    watch = asyncio.create_task(watches.Watch(client, feed, [SYNCS], []).run())
    lists = relist.Resync(client, known, namespaces=[], operator_namespace="ops")
    while len(seen) < count:  # the watch's own list
        await asyncio.sleep(0.05)
    for _ in range(2):
        await lists.once()
    assert len(known.syncs) == count
    planner.plan(known.snapshot(datetime.now(UTC), snapshot.Settings()))
    gc.collect()
    found = Measured(
        before=before, peak=_status("VmHWM"), after=_status("VmRSS"), object_bytes=len(text_of(kind).encode())
    )
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    await client.close()
    return found


def _status(name: str) -> float:
    with open("/proc/self/status", encoding="ascii") as lines:
        line = next(line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    for chosen in sys.argv[2:] or KINDS:
        got = measure(int(sys.argv[1]), chosen)
        print(
            f"{sys.argv[1]} of {got.object_bytes} bytes, {chosen}: {got.before:.0f} MiB before,"
            f" {got.peak:.0f} at the peak, {got.after:.0f} afterwards"
        )
