"""A crowd of workers in virtual time: some answer in 20 ms, some late, and some never."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from modelsync.api import naming, protocol
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache
from modelsync.runtime.cluster.resources import JOBS, PODS, SYNCS
from modelsync.runtime.workers import progress_poller, worker_client
from tests.runtime import harness, worker_double

LATENCY, TIMEOUT = 0.02, 1.0
REPORT = worker_double.WorkerDouble().report


class Workers:
    """A channel to many, which knows how long a Pod or a whole namespace takes to answer."""

    def __init__(self, slow: Mapping[str, float]) -> None:
        self._slow = slow
        self.asked: dict[str, list[float]] = defaultdict(list)
        self.limited: dict[str, float] = {}
        self.at_once = 0
        self.most_at_once = 0

    async def progress(self, pod: snapshot.PodRecord) -> bytes:
        """The body of `GET /progress`; raises NoAnswer."""
        self.asked[pod.uid].append(asyncio.get_running_loop().time())
        await self._answer(pod)
        return json.dumps({**REPORT, "uid": pod.sync_uid}).encode()

    async def limit(self, pod: snapshot.PodRecord, request: protocol.LimitRequest) -> None:
        """`PUT /limit`; raises NoAnswer."""
        await self._answer(pod)
        self.limited.setdefault(pod.uid, asyncio.get_running_loop().time())

    async def close(self) -> None:
        """Nothing is open."""

    def hangs(self, pod: snapshot.PodRecord) -> bool:
        """Whether a Pod never answers in time."""
        return self._seconds(pod) >= TIMEOUT

    def _seconds(self, pod: snapshot.PodRecord) -> float:
        return self._slow.get(pod.uid, self._slow.get(pod.namespace, LATENCY))

    async def _answer(self, pod: snapshot.PodRecord) -> None:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await asyncio.sleep(min(self._seconds(pod), TIMEOUT))
        finally:
            self.at_once -= 1
        if self.hangs(pod):
            raise worker_client.NoAnswer("TimeoutError")


def world(counts: Mapping[str, int]) -> cache.Store:
    """A store with so many running workers by namespace; a Pod's uid is `NAMESPACE-NUMBER`."""
    known = cache.Store()
    for namespace, count in counts.items():
        for number in range(count):
            name = f"{namespace}-{number}"
            sync = harness.sync(name, attempts=1)
            job = harness.job(f"uid-{name}", name=naming.job_name(name, f"uid-{name}", 1))
            pod = harness.pod(f"uid-{name}", job_uid=job["metadata"]["uid"])
            pod["metadata"] |= {"uid": name, "name": name}
            for resource, raw in ((SYNCS, sync), (JOBS, job), (PODS, pod)):
                raw["metadata"]["namespace"] = namespace
                known.observe(resource, "ADDED", harness.versioned(raw, 1))
    return known


@asynccontextmanager
async def polled(known: cache.Store, workers: Workers) -> AsyncIterator[progress_poller.Poller]:
    """A poller that runs."""
    made = progress_poller.Poller(known, workers, may_act=lambda: True)
    running = asyncio.ensure_future(made.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
