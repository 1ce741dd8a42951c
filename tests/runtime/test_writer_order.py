"""No older decision over a newer record: two operators, one API server, and nothing arrives in order.

Each operator decides from its own store and marks its wish with the version that it was decided on; the
server compares the mark with what it holds at the moment of the write, so the test does not know how the
writer keeps its promise. When the weather clears, what was decided last has to be stored.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from modelsync.api import modelsync_status as api
from modelsync.api.reasons import Phase
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache
from modelsync.runtime.cluster.resources import SYNCS
from modelsync.runtime.writes import status_writer
from tests import counts
from tests.runtime import harness, unsteady, virtual

FOUL = unsteady.Weather(lost=0.05, late=0.08, unheard=0.08, refused=0.08, latency=0.3, watch=5.0)
NAMES = tuple(f"s{number}" for number in range(6))


class Operator:
    """A store, a writer and a small planner: Queued, Downloading with progress, then Complete or Failed."""

    def __init__(self, server: unsteady.Unsteady, name: str, ends: Callable[[str], Phase]) -> None:
        self._server = server
        self._name = name
        self._ends = ends
        self._woken = asyncio.Event()
        self.results: Counter[str] = Counter()
        self.known = cache.Store(wake=self._woken.set)
        self.writer = status_writer.StatusWriter(
            server,
            self.known,
            queue_namespace="ops",
            count=lambda result: self.results.update([result]),
            clock=asyncio.get_running_loop().time,
        )
        self.writer.active = {"models": len(NAMES)}
        server.hearers.append(self.known.observe)

    async def plan(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._woken.wait()
            self._woken.clear()
            await asyncio.sleep(0.1)
            for record in list(self.known.syncs.values()):
                self.writer.offer_sync(record, self._decide(record))
            self.writer.forget_missing()

    def _decide(self, record: snapshot.SyncRecord) -> api.ModelSyncStatus:
        status = record.status
        mark = f"{record.resource_version} by {self._name}"
        done = (status.progress.bytes_done or 0) if status.progress else 0
        if status.phase is Phase.COMPLETE:
            return status
        if status.phase is None or status.phase is Phase.FAILED:
            return status.replace(phase=Phase.QUEUED, last_handled_retry=mark, progress=None)
        if status.phase is Phase.QUEUED:
            return status.replace(phase=Phase.DOWNLOADING, last_handled_retry=mark)
        if done >= 50:
            return status.replace(phase=self._ends(record.resource_version), last_handled_retry=mark)
        return status.replace(progress=api.ProgressStatus(bytes_done=done + 10, current_file=mark))


def check(before: dict[str, Any], after: dict[str, Any]) -> None:
    """A write is in order when its newest mark names the version that it changed."""
    version, old, new = before["metadata"]["resourceVersion"], before["status"], after["status"]
    assert old.get("phase") != "Complete" or new == old, f"{new} over Complete"
    marks = {(new.get("progress") or {}).get("currentFile")} - {
        (old.get("progress") or {}).get("currentFile")
    } | {new.get("lastHandledRetry")} - {old.get("lastHandledRetry")}
    for mark in marks - {None}:
        assert str(mark).split()[0] == version, f"decided on {mark}, written over {version}: {old} -> {new}"


async def meddle(server: unsteady.Unsteady, chance: random.Random) -> None:
    """A user's annotations, and lists that are old when they arrive."""
    while True:
        await asyncio.sleep(chance.uniform(0, 3))
        raw = server.objects[chance.choice(NAMES)]
        server.put(raw)
        hear, listed = chance.choice(server.hearers), server.listed()
        await asyncio.sleep(chance.uniform(0, 3))
        for item in listed:
            hear(SYNCS, None, item)


async def story(seed: int, wrong: list[str]) -> None:
    chance = random.Random(seed)

    def judge(before: dict[str, Any], after: dict[str, Any]) -> None:
        try:
            check(before, after)
        except AssertionError as error:
            wrong.append(str(error))

    server = unsteady.Unsteady(chance, weather=FOUL, judge=judge)
    failing = chance.random()
    both = [
        Operator(server, name, lambda version: Phase.FAILED if chance.random() < failing else Phase.COMPLETE)
        for name in "ab"
    ]
    for name in NAMES:
        server.put(harness.sync(name))
    tasks = [asyncio.ensure_future(work) for each in both for work in (each.plan(), each.writer.run())]
    meddler = asyncio.ensure_future(meddle(server, chance))
    await asyncio.sleep(120)
    server.weather, failing = unsteady.CALM, 0.0
    meddler.cancel()
    await asyncio.sleep(400)
    for task in tasks:
        task.cancel()
    await asyncio.gather(meddler, *tasks, return_exceptions=True)
    await server.quiet()
    stored = {name: raw["status"].get("phase") for name, raw in server.objects.items()}
    if set(stored.values()) != {"Complete"}:
        wrong.append(f"what was decided last is not stored: {stored}")
    known = [{record.status.phase for record in each.known.syncs.values()} for each in both]
    if known != [{Phase.COMPLETE}] * 2:
        wrong.append("an operator does not know what is stored")


@pytest.mark.parametrize("seed", range(counts.chosen(short=8, full=25)))
def test_no_older_decision_goes_over_a_newer_record_and_the_last_one_is_stored(seed: int) -> None:
    wrong: list[str] = []
    virtual.in_virtual_time(story)(seed, wrong)
    assert not wrong, wrong[:5]
