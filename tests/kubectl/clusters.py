"""A fake cluster beside the test, for programs and code that block: its loop runs in a thread of its own."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from tests.web.fake_cluster import ALL, FakeCluster

TOKEN = "token-of-a-user"


@dataclass
class Served:
    """A fake cluster that listens, and the kubeconfig that names it."""

    cluster: FakeCluster
    kubeconfig: str
    loop: asyncio.AbstractEventLoop

    def call(self, act: Callable[[FakeCluster], None]) -> None:
        """Change the cluster, in its own thread."""
        done = threading.Event()

        def run() -> None:
            act(self.cluster)
            done.set()

        self.loop.call_soon_threadsafe(run)
        assert done.wait(30)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A cluster in which one user has all rights; its namespace is `team`."""
    cluster, loop = FakeCluster(users={TOKEN: {ALL}}), asyncio.new_event_loop()
    runner = web.AppRunner(cluster.app())

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return int(runner.addresses[0][1])

    port = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Served(cluster, _kubeconfig(folder / "kubeconfig", port), loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(runner.cleanup())
        loop.close()


def _kubeconfig(path: Path, port: int) -> str:
    document = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one", "namespace": "team"}}],
        "clusters": [{"name": "one", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "one", "user": {"token": TOKEN}}],
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)
