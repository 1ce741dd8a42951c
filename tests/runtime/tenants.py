"""What a tenant gets beside others who do all that they can, in virtual time; and what one gets alone."""

import asyncio
import itertools
import random
from dataclasses import dataclass

from modelsync.api import modelsync_status as api
from modelsync.api.reasons import Phase, Reason
from modelsync.core import actions
from modelsync.runtime.cluster import cache, parsing
from modelsync.runtime.cluster.resources import SYNCS
from modelsync.runtime.writes import event_recorder, status_writer
from tests.runtime import crowds, fake_api, harness, unsteady, virtual

VICTIM = "blue"


@dataclass(frozen=True)
class Polls:
    """How one worker was asked, in seconds."""

    longest_gap: float
    limit_after: float


def polls_beside(late: int, *, spaces: int, answer_after: float, seconds: float) -> Polls:
    """A worker's polls, and its limit, beside workers of other namespaces that answer late or hang."""
    found: list[Polls] = []

    async def play() -> None:
        loop = asyncio.get_running_loop()
        others = {f"red-{number}": late // spaces for number in range(spaces)}
        known = crowds.world(others | {VICTIM: 1})
        workers = crowds.Workers(dict.fromkeys(others, answer_after))
        async with crowds.polled(known, workers) as made:
            await asyncio.sleep(seconds)
            times = [0.0, *workers.asked[f"{VICTIM}-0"], loop.time()]
            for pod in known.pods.values():
                made.set_limit(actions.SetLimit(pod=pod, bytes_per_second=1))
            began = loop.time()
            await asyncio.sleep(5)
            limited = workers.limited.get(f"{VICTIM}-0", float("inf"))
        gaps = [after - before for before, after in itertools.pairwise(times)]
        found.append(Polls(max(gaps), limited - began))

    virtual.in_virtual_time(play)()
    return found[0]


class Tenants:
    """A writer whose server holds objects of several namespaces."""

    def __init__(self, rate: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.server = unsteady.Unsteady(random.Random(1), weather=unsteady.Weather(latency=0.02, watch=0.02))
        self.known = cache.Store()
        self.server.hearers.append(self.known.observe)
        self.writer = status_writer.StatusWriter(
            self.server, self.known, rate=rate, queue_namespace="ops", clock=self.loop.time
        )

    def add(self, namespace: str, count: int) -> None:
        """Queued ModelSyncs, of names that hold their namespace's."""
        for number in range(count):
            raw = harness.sync(f"{namespace}-{number}", phase="Queued")
            raw["metadata"]["namespace"] = namespace
            self.known.observe(SYNCS, "ADDED", self.server.put(raw))

    def phase(self) -> Phase | None:
        """That of the victim."""
        return self.known.syncs[f"uid-{VICTIM}-0"].status.phase

    def flip(self, *, victim: bool) -> None:
        """Wish another phase for every object, as a plan does when their owner changes them."""
        for record in list(self.known.syncs.values()):
            if record.namespace != VICTIM or victim:
                self.writer.offer_sync(record, flipped(record.status))


def flipped(status: api.ModelSyncStatus) -> api.ModelSyncStatus:
    """The status with another phase."""
    return status.replace(phase=Phase.PAUSED if status.phase is Phase.QUEUED else Phase.QUEUED)


@dataclass(frozen=True)
class Writes:
    """How transitions were written."""

    longest: float
    """Seconds until a transition of the victim was stored, at most."""
    a_second: float
    """Writes of all."""


def writes_beside(count: int, *, spaces: int, turns: int, idle: int = 5, longest: float = 60.0) -> Writes:
    """Transitions of one object, `idle` seconds apart, beside many that change as they are written."""
    found: list[Writes] = []

    async def play() -> None:
        tenants, waits = Tenants(20), []
        for number in range(spaces):
            tenants.add(f"red-{number}", count)
        tenants.add(VICTIM, 1)
        running = asyncio.ensure_future(tenants.writer.run())
        for _ in range(turns):
            for _ in range(2 * idle):
                tenants.flip(victim=False)
                await asyncio.sleep(0.5)
            began, before = tenants.loop.time(), tenants.phase()
            while tenants.phase() is before and tenants.loop.time() - began < longest:
                tenants.flip(victim=True)
                await asyncio.sleep(0.25)
            waits.append(tenants.loop.time() - began)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        found.append(Writes(max(waits), tenants.server.writes / tenants.loop.time()))

    virtual.in_virtual_time(play)()
    return found[0]


def seconds_to_write(count: int, *, rate: float) -> float:
    """Until the transitions of one namespace that is alone are all stored."""
    found: list[float] = []

    async def play() -> None:
        tenants = Tenants(rate)
        tenants.add("red-0", count)
        running = asyncio.ensure_future(tenants.writer.run())
        while waiting := [one for one in tenants.known.syncs.values() if one.status.phase is Phase.QUEUED]:
            for record in waiting:
                tenants.writer.offer_sync(record, flipped(record.status))
            await asyncio.sleep(0.25)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        found.append(tenants.loop.time())

    virtual.in_virtual_time(play)()
    return found[0]


def announced(namespace: str, number: int) -> actions.Announce:
    """An announcement of an object of its own."""
    raw = harness.sync(f"{namespace}-{number}")
    raw["metadata"]["namespace"] = namespace
    record = parsing.sync_record(harness.versioned(raw, 5))
    return actions.Announce(sync=record, type="Normal", reason=Reason.SYNCED, message="done", key="1")


def _recorder(server: fake_api.FakeApi) -> event_recorder.Recorder:
    clock = asyncio.get_running_loop().time
    return event_recorder.Recorder(virtual.connect(server.handle), instance="test", clock=clock)


def event_beside(count: int, *, spaces: int) -> float:
    """Seconds until an Event is posted beside so many of each other namespace; infinite if it is lost."""
    found: list[float] = []

    async def play() -> None:
        server, loop = fake_api.FakeApi(), asyncio.get_running_loop()
        recorder = _recorder(server)
        running = asyncio.ensure_future(recorder.run())
        for number in range(spaces * count):
            recorder.announce(announced(f"red-{number % spaces}", number))
        await asyncio.sleep(5)
        began = loop.time()
        recorder.announce(announced(VICTIM, 0))
        while not (posted := [key for key in server.objects if key[:2] == ("events", VICTIM)]):
            if loop.time() - began > 30:
                break
            await asyncio.sleep(0.1)
        found.append(loop.time() - began if posted else float("inf"))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    virtual.in_virtual_time(play)()
    return found[0]


def events_kept(count: int) -> int:
    """How many of one namespace's announcements are posted when they come at once."""
    found: list[int] = []

    async def play() -> None:
        server = fake_api.FakeApi()
        recorder = _recorder(server)
        for number in range(count):
            recorder.announce(announced("red-0", number))
        running = asyncio.ensure_future(recorder.run())
        await asyncio.sleep(count / 10 + 1)
        found.append(sum(1 for plural, *_ in server.objects if plural == "events"))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    virtual.in_virtual_time(play)()
    return found[0]
