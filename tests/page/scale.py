"""`python -m tests.page.scale`: what the page's server takes for many ModelSyncs and many open pages.

The server, a small Kubernetes API (tests.web.fake_cluster) and the clients have a process each. So memory and
CPU time are the server's alone, and times are those of a machine on which all three run.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from modelsync.cli import web_server
from modelsync.web import server
from modelsync.web.config import Limits, Mode, WebConfig
from tests.page import rows
from tests.web.fake_cluster import ALL, FakeCluster, a_sync

_AT_ONCE = 10
"""Pages that are opened at the same time, as after a restart of the server: browsers wait 2 s or more."""
_MOST = "user-of-most-pages"
_OTHERS = ("another-user-1", "another-user-2")
"""Users beside the one who has most of the pages open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured."""

    first_row_seconds: float
    """From connecting to the first event with rows, of a page that is opened alone."""
    all_rows_seconds: float
    """Until the last of all the pages has them, when ten at a time are opened."""
    cpu_opening_seconds: float
    """CPU time of the server until then."""
    cpu_share: float
    """CPU time of the server a second, while what runs changes every second."""
    peak_mib: float
    """Most resident memory of the server."""
    after_mib: float
    """Resident memory at the end."""
    lists: int
    """Requests for a page of a list, until all pages are open."""
    requests_per_minute: float
    """Requests to the API server while the pages stay open."""

    def lines(self) -> list[str]:
        """In words, a line each."""
        return [
            f"time to the first rows of a page: {self.first_row_seconds:.1f} s",
            f"time until all pages have them, opened {_AT_ONCE} at a time: {self.all_rows_seconds:.1f} s",
            f"CPU time of the server until then: {self.cpu_opening_seconds:.1f} s",
            f"CPU of the server while what runs changes each second: {self.cpu_share * 100:.0f} % of a core",
            f"memory of the server: {self.peak_mib:.0f} MiB at most, {self.after_mib:.0f} MiB at the end",
            f"requests for lists until all pages are open: {self.lists}",
            f"requests to the API server while they stay open: {self.requests_per_minute:.1f} a minute",
        ]


class Process:
    """The server's process, seen from outside."""

    def __init__(self, api_port: int) -> None:
        command = [sys.executable, "-m", "tests.page.scale", "--serve", str(api_port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self._folder = Path(f"/proc/{self._process.pid}")

    def cpu(self) -> float:
        """Seconds of CPU time so far."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, field: str) -> float:
        """A figure of /proc/PID/status, in MiB."""
        lines = (self._folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024

    def end(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()


def a_cluster(syncs: int, active: int) -> FakeCluster:
    """Many ModelSyncs, some of which run, and several users who may list them all."""
    cluster = FakeCluster(users={user: {ALL, "modelsync-system"} for user in (_MOST, *_OTHERS)})
    phases = ("Complete", "Queued", "Failed", "Paused")
    cluster.put(
        *(
            a_sync("a", f"idle-{number}", phases[number % 4], group=f"g{number % 50}")
            for number in range(syncs - active)
        )
    )
    _move(cluster, active, 0)
    return cluster


def _move(cluster: FakeCluster, active: int, step: int) -> None:
    cluster.put(*(rows.downloading(f"runs-{number}", step % 1000) for number in range(active)))


async def measured(syncs: int, active: int, clients: int, seconds: float) -> Figures:
    """Open one page, then all, and keep them open for a while in which what runs changes each second."""
    cluster = a_cluster(syncs, active)
    async with _api(cluster) as api_port, contextlib.AsyncExitStack() as stack:
        process = await asyncio.to_thread(Process, api_port)
        stack.callback(process.end)
        command = ("-m", "tests.page.scale", "--open", str(process.port), "--clients", str(clients))
        pages = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert pages.stdin is not None and pages.stdout is not None
        first, took = [float(await pages.stdout.readline()) for _ in range(2)]
        cpu, lists, begun = process.cpu(), len(cluster.asked), time.monotonic()
        for step in range(1, int(seconds) + 1):
            _move(cluster, active, step)
            await asyncio.sleep(max(0.0, begun + step - time.monotonic()))
        passed = time.monotonic() - begun
        figures = Figures(
            first_row_seconds=first,
            all_rows_seconds=took,
            cpu_opening_seconds=cpu,
            cpu_share=(process.cpu() - cpu) / passed,
            peak_mib=process.memory("VmHWM"),
            after_mib=process.memory("VmRSS"),
            lists=lists,
            requests_per_minute=(len(cluster.asked) - lists) * 60 / passed,
        )
        pages.stdin.close()
        await pages.wait()
    return figures


async def _pages(port: int, clients: int) -> None:
    """Open the pages, print how long one and all of them took, and read until stdin ends."""
    tokens = [*_OTHERS[:clients], *[_MOST] * clients][:clients]
    unlimited = aiohttp.ClientTimeout(total=None)
    async with (
        contextlib.AsyncExitStack() as stack,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=unlimited) as session,
    ):
        _, first = await _open(stack, session, port, _MOST, asyncio.Semaphore())
        print(first, flush=True)
        begun, turns = time.monotonic(), asyncio.Semaphore(_AT_ONCE)
        opened = await asyncio.gather(*(_open(stack, session, port, each, turns) for each in tokens))
        print(time.monotonic() - begun, flush=True)
        readers = [asyncio.create_task(_drain(answer)) for answer, _ in opened]
        await asyncio.to_thread(sys.stdin.read)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


@contextlib.asynccontextmanager
async def _api(cluster: FakeCluster) -> AsyncIterator[int]:
    runner = web.AppRunner(cluster.app(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        cluster.end_watches()
        await runner.cleanup()


async def _open(
    stack: contextlib.AsyncExitStack,
    session: aiohttp.ClientSession,
    port: int,
    token: str,
    turns: asyncio.Semaphore,
) -> tuple[aiohttp.ClientResponse, float]:
    """An open stream that has got its first event, and the seconds that this took."""
    headers = {"Authorization": f"Bearer {token}"}
    async with turns:
        begun = time.monotonic()
        while True:
            answer = await session.get(f"http://127.0.0.1:{port}/api/v1/events", headers=headers)
            if answer.status == 200:
                break
            assert answer.status == 503, await answer.text()
            answer.close()
            await asyncio.sleep(1)  # as the page does
        stack.callback(answer.close)
        await _until(answer, b"event: snapshot")
        return answer, time.monotonic() - begun


async def _until(answer: aiohttp.ClientResponse, mark: bytes) -> None:
    """Read up to the end of the event that begins with a mark; what comes is not kept."""
    seen, last = False, b""
    async for part in answer.content.iter_any():
        text = last + part
        seen = seen or mark in text
        if seen and text.endswith(b"\n\n"):
            return
        last = text[-len(mark) :]
    raise EOFError


async def _drain(answer: aiohttp.ClientResponse) -> None:
    async for _ in answer.content.iter_any():
        pass


def _serve(api_port: int) -> None:
    """The server, as `modelsync web` runs it but beside an API without TLS; prints its port."""
    listening = server.bound("127.0.0.1", 0)
    print(listening.getsockname()[1], flush=True)
    limits = replace(Limits(), requests_per_second=1_000.0)
    config = WebConfig(mode=Mode.CLUSTER, hosts=("127.0.0.1",), limits=limits)
    asyncio.run(web_server.run(config, f"http://127.0.0.1:{api_port}", None, listening, None))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.page.scale", description=__doc__)
    parser.add_argument("--syncs", type=int, default=5_000)
    parser.add_argument("--active", type=int, default=100, help="of them that download, each second further")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0, help="for which all pages stay open")
    parser.add_argument("--open", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve(options.serve)
        return
    if options.open:
        asyncio.run(_pages(options.open, options.clients))
        return
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # the API writes to watches that have just ended
    found: Any = asyncio.run(measured(options.syncs, options.active, options.clients, options.seconds))
    print(f"{options.syncs} ModelSyncs, {options.active} of them downloading")
    print(f"{options.clients + 1} pages of {len(_OTHERS) + 1} users")
    print("\n".join(found.lines()))


if __name__ == "__main__":
    main()
