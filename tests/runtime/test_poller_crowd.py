"""A crowd of workers in virtual time: each is asked within twice its interval; limits wait for no poll."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from modelsync.core import actions
from modelsync.runtime.cluster import cache
from modelsync.runtime.workers import progress_poller
from tests import counts
from tests.runtime import crowds, virtual


@asynccontextmanager
async def crowd(
    count: int, hanging: int
) -> AsyncIterator[tuple[progress_poller.Poller, crowds.Workers, cache.Store]]:
    # Every one of so many hangs: those that answer stand among them and behind them.
    silent = (
        {f"models-{number * count // hanging}": crowds.TIMEOUT for number in range(hanging)}
        if hanging
        else {}
    )
    known, workers = crowds.world({"models": count}), crowds.Workers(silent)
    async with crowds.polled(known, workers) as made:
        yield made, workers, known


@pytest.mark.parametrize(
    ("count", "hanging"),
    [
        (1, 0),
        (20, 5),
        (21, 0),
        (600, 0),
        *(
            pytest.param(*crowded, marks=pytest.mark.slow)
            for crowded in counts.chosen(short=[(1050, 200)], full=[(1000, 200), (1200, 200), (3000, 300)])
        ),
    ],
)
def test_every_worker_is_asked_within_twice_its_interval(count: int, hanging: int) -> None:
    every = 1.0 if count <= 20 else 2.0 * max(1.0, count / 1000)
    # Those that hang are asked more and more rarely, up to every 30 s.
    seconds = counts.chosen(short=45, full=60) if hanging else 30

    async def play() -> None:
        async with crowd(count, hanging) as (_, workers, known):
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(seconds)
            assert len(workers.asked) == count, "somebody was never asked"
            assert workers.most_at_once <= 128 + 32
            for uid, times in workers.asked.items():
                gaps = [after - before for before, after in zip([began, *times], times, strict=False)]
                if workers.hangs(known.pods[uid]):
                    assert max(gaps) <= 32 and len(times) >= 5
                else:
                    gaps.append(began + seconds - times[-1])
                    assert max(gaps) <= 2 * every
                    assert len(times) <= seconds / (0.9 * every) + 1, "more often than need be"

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
