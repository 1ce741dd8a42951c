"""A crowd of workers in virtual time: each is asked within twice its interval; limits wait for no poll."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from modelsync.api import naming, wire
from modelsync.core import actions, snapshot
from modelsync.runtime import channels, poller, store
from modelsync.runtime.resources import JOBS, PODS, SYNCS
from tests.runtime import harness, virtual, worker_double

LATENCY, TIMEOUT = 0.02, 1.0
REPORT = worker_double.WorkerDouble().report


class Workers:
    """A channel to many: they answer in 20 ms, and some never do."""

    def __init__(self, hanging: set[str]) -> None:
        self._hanging = hanging
        self.asked: dict[str, list[float]] = defaultdict(list)
        self.limited: dict[str, float] = {}
        self.at_once = 0
        self.most_at_once = 0

    async def progress(self, pod: snapshot.PodRecord) -> bytes:
        """The body of `GET /progress`; raises Unanswered."""
        self.asked[pod.uid].append(asyncio.get_running_loop().time())
        await self._answer(pod)
        return json.dumps({**REPORT, "uid": pod.sync_uid}).encode()

    async def limit(self, pod: snapshot.PodRecord, request: wire.LimitRequest) -> None:
        """`PUT /limit`; raises Unanswered."""
        await self._answer(pod)
        self.limited.setdefault(pod.uid, asyncio.get_running_loop().time())

    async def close(self) -> None:
        """Nothing is open."""

    async def _answer(self, pod: snapshot.PodRecord) -> None:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await asyncio.sleep(TIMEOUT if pod.uid in self._hanging else LATENCY)
        finally:
            self.at_once -= 1
        if pod.uid in self._hanging:
            raise channels.Unanswered("TimeoutError")


@asynccontextmanager
async def crowd(count: int, hanging: int) -> AsyncIterator[tuple[poller.Poller, Workers, store.Store]]:
    known = store.Store()
    for number in range(count):
        known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(f"s{number}", attempts=1), 1))
        name = naming.job_name(f"s{number}", f"uid-s{number}", 1)
        known.observe(JOBS, "ADDED", harness.versioned(harness.job(f"uid-s{number}", name=name), 1))
        pod = harness.pod(f"uid-s{number}", job_uid=f"job-{name}")
        pod["metadata"] |= {"uid": f"pod-{number}", "name": f"pod-{number}"}
        known.observe(PODS, "ADDED", harness.versioned(pod, 1))
    # Every one of so many hangs: those that answer stand among them and behind them.
    silent = {f"pod-{number * count // hanging}" for number in range(hanging)} if hanging else set()
    workers = Workers(silent)
    made = poller.Poller(known, workers, may_act=lambda: True)
    running = asyncio.ensure_future(made.run())
    try:
        yield made, workers, known
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("count", "hanging"), [(1, 0), (20, 5), (21, 0), (600, 0), (1000, 0), (1000, 200), (3000, 300)]
)
def test_every_worker_is_asked_within_twice_its_interval(count: int, hanging: int) -> None:
    every = 1.0 if count <= 20 else 2.0 * max(1.0, count / 1000)

    async def play() -> None:
        async with crowd(count, hanging) as (_, workers, _known):
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(60)
            assert len(workers.asked) == count, "somebody was never asked"
            assert workers.most_at_once <= 128 + 32
            for uid, times in workers.asked.items():
                gaps = [after - before for before, after in zip([began, *times], times, strict=False)]
                if uid in workers._hanging:
                    assert max(gaps) <= 32 and len(times) >= 5
                else:
                    gaps.append(began + 60 - times[-1])
                    assert max(gaps) <= 2 * every
                    assert len(times) <= 60 / (0.9 * every) + 1, "more often than need be"

    virtual.in_virtual_time(play)()


def test_when_all_of_a_thousand_hang_each_is_asked_within_ten_seconds() -> None:
    async def play() -> None:
        async with crowd(1000, 1000) as (_, workers, _known):
            await asyncio.sleep(10)
            assert len(workers.asked) == 1000

    virtual.in_virtual_time(play)()


@pytest.mark.parametrize(
    ("hanging", "seconds"), [pytest.param(0, 1.5, id="all answer"), pytest.param(990, 1.5, id="most hang")]
)
def test_a_limit_waits_for_no_poll_and_for_no_worker_that_hangs(hanging: int, seconds: float) -> None:
    async def play() -> None:
        async with crowd(1000, hanging) as (made, workers, known):
            await asyncio.sleep(9)
            began = asyncio.get_running_loop().time()
            for _ in range(20):
                for pod in known.pods.values():
                    made.set_limit(actions.SetLimit(pod=pod, bytes_per_second=1))
                await asyncio.sleep(0.2)
            heard = {uid: at - began for uid, at in workers.limited.items()}
            assert len(heard) == 1000 - hanging
            assert max(heard.values()) <= seconds

    virtual.in_virtual_time(play)()
