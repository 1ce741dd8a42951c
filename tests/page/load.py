"""What a page with many rows costs the browser: `python -m tests.page.load --rows 1000 --seconds 60`.

Every row changes each second. The main thread's tasks are measured in CPU time, which another program on the
machine does not lengthen; the heap is read after a forced collection.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import CDPSession

from tests.page import rows
from tests.page.browsing import TOKEN, Visit, chromium, visiting
from tests.web.fake_cluster import ALL, FakeCluster, Object

_TASK = "ThreadControllerImpl::RunTask"
_STATES = ("Downloading", "Queued", "Failed", "Complete", "Paused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What was measured."""

    updates: int
    tasks_ms: tuple[float, ...]
    """CPU milliseconds of the main thread's tasks above 5 ms, the longest first."""
    heap: tuple[tuple[float, float], ...] = ()
    """Seconds and MB, after a collection each."""
    lines: int = 0
    """Rows of the table that are in the document."""
    first_paint_ms: float | None = None
    hot: tuple[str, ...] = field(default=())
    """Functions by CPU time of their own."""

    @property
    def slope(self) -> float:
        """MB per minute that the heap grows by: the line through all readings but the first."""
        points = self.heap[1:]
        if len(points) < 2:
            return 0.0
        fit = statistics.linear_regression([at for at, _ in points], [size for _, size in points])
        return fit.slope * 60


def a_crowd(count: int) -> list[Object]:
    """ModelSyncs in all states, half of them downloading."""
    made = []
    for number in range(count):
        state = _STATES[number % 10] if number % 10 < len(_STATES) else "Downloading"
        sync = rows.downloading(f"llama-3-{number}-instruct", number % 900)
        sync["status"]["phase"] = state
        sync["spec"]["group"] = f"group-{number % 7}"
        made.append(sync)
    return made


def change(cluster: FakeCluster, crowd: Sequence[Object], turn: int) -> None:
    """Give every row other figures."""
    for number, sync in enumerate(crowd):
        progress = {**sync["status"]["progress"], "bytesDone": (number + turn * 7) % 1000 * 1_000_000}
        spec = {**sync["spec"], "priority": turn % 50}
        cluster.put({**sync, "spec": spec, "status": {**sync["status"], "progress": progress}})
    cluster.forget()


async def measured(visit: Visit, crowd: Sequence[Object], seconds: float, *, profile: bool = False) -> Costs:
    """Change every row each second for so long, and measure."""
    page, cluster = visit.page, visit.cluster
    await page.locator("tbody .name").first.wait_for()
    session = await page.context.new_cdp_session(page)
    await page.evaluate(
        "window.updates = 0; new EventSource('api/v1/events').addEventListener('change', () => updates++)"
    )
    if profile:
        await session.send("Profiler.enable")
        await session.send("Profiler.setSamplingInterval", {"interval": 500})
        await session.send("Profiler.start")
    browser = page.context.browser
    assert browser is not None
    await browser.start_tracing(page=page, categories=["toplevel", "__metadata"])
    heap, begin = [], time.monotonic()
    for turn in itertools.count():
        now = time.monotonic() - begin
        if now >= seconds:
            break
        change(cluster, crowd, turn)
        if turn % 10 == 0:
            heap.append((now, await heap_of(session)))
        await asyncio.sleep(max(0.0, begin + now + 1 - time.monotonic()))
    trace = json.loads(await browser.stop_tracing())
    hot = _hot(await session.send("Profiler.stop")) if profile else ()
    paints = await page.evaluate("performance.getEntriesByType('paint').map((each) => each.startTime)")
    return Costs(
        updates=await page.evaluate("updates"),
        tasks_ms=_tasks(trace),
        heap=tuple(heap),
        lines=await page.locator("tbody tr").count(),
        first_paint_ms=min(paints, default=None),
        hot=hot,
    )


async def heap_of(session: CDPSession) -> float:
    """MB of the page's heap that something still needs."""
    await session.send("HeapProfiler.collectGarbage")
    found = await session.send("Runtime.getHeapUsage")
    return float(found["usedSize"]) / 1e6


def _tasks(trace: Any) -> tuple[float, ...]:
    """CPU time of the tasks of the thread that runs the page's scripts."""
    events = trace["traceEvents"]
    mains = {
        (each["pid"], each["tid"])
        for each in events
        if each.get("name") == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    found = [
        each.get("tdur", each.get("dur", 0)) / 1000
        for each in events
        if each.get("name") == _TASK and (each["pid"], each["tid"]) in mains
    ]
    return tuple(sorted((round(each, 1) for each in found if each > 5), reverse=True))


def _hot(answer: Any) -> tuple[str, ...]:
    profile = answer["profile"]
    own: dict[int, int] = {}
    for node, spent in zip(profile["samples"], profile["timeDeltas"], strict=True):
        own[node] = own.get(node, 0) + spent
    frames: dict[str, int] = {}
    for node in profile["nodes"]:
        frame = node["callFrame"]
        place = f"{frame['functionName'] or '-'} {frame['url'].rpartition('/')[2]}:{frame['lineNumber'] + 1}"
        frames[place] = frames.get(place, 0) + own.get(node["id"], 0)
    first = sorted(frames.items(), key=lambda each: -each[1])[:25]
    return tuple(f"{spent / 1000:8.0f} ms  {place}" for place, spent in first)


async def _main(count: int, seconds: float, profile: bool) -> None:
    cluster, crowd = FakeCluster(users={TOKEN: {ALL, "modelsync-system"}}), a_crowd(count)
    cluster.put(*crowd)
    async with chromium() as browser, visiting(cluster, browser=browser) as visit:
        await visit.log_in()
        costs = await measured(visit, crowd, seconds, profile=profile)
    print(f"{count} rows, {costs.updates} updates, {costs.lines} lines in the document")
    print(f"longest tasks, CPU ms: {costs.tasks_ms[:12]}")
    print(f"heap, MB: {[round(size, 2) for _, size in costs.heap]}, {costs.slope:+.3f} MB a minute")
    print(f"first paint: {costs.first_paint_ms} ms", *costs.hot, sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--profile", action="store_true", help="name the functions that cost most")
    arguments = parser.parse_args()
    asyncio.run(_main(arguments.rows, arguments.seconds, arguments.profile))
