"""The lease under faults: an operator that loses contact stops before another one may begin."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from modelsync import errors
from modelsync.api import naming
from modelsync.runtime.cluster.resources import LEASES
from modelsync.runtime.writes import leader_election
from tests.runtime import fake_api, harness

TIMING = leader_election.Timing(duration=15, renew_deadline=10, retry_period=2)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@asynccontextmanager
async def elector(
    api: fake_api.FakeApi, clock: Clock, identity: str = "me", succeeds: str | None = None
) -> AsyncIterator[leader_election.Elector]:
    client = harness.connect(api.url, timeout=5.0)
    try:
        yield leader_election.Elector(
            client,
            namespace="ops",
            identity=identity,
            succeeds=succeeds,
            timing=TIMING,
            clock=clock,
            sleep=clock.sleep,
        )
    finally:
        await client.close()


def holder(api: fake_api.FakeApi) -> str:
    return str(api.get(LEASES, "ops", naming.LEASE_NAME)["spec"]["holderIdentity"])


def held_by(identity: str, duration: int = 15) -> dict[str, object]:
    return {
        "metadata": {"name": naming.LEASE_NAME, "namespace": "ops"},
        "spec": {
            "holderIdentity": identity,
            "leaseDurationSeconds": duration,
            "renewTime": "2020-01-01T00:00:00Z",
        },
    }


@harness.in_loop
async def test_a_free_lease_is_taken_and_renewed() -> None:
    clock = Clock()
    async with fake_api.FakeApi().serving() as api, elector(api, clock) as mine:
        await mine.acquire()
        assert mine.is_leading and holder(api) == "me"
        keeping = asyncio.create_task(mine.hold())
        await harness.eventually(lambda: api.count("PUT") > 20)
        assert mine.is_leading and not keeping.done()
        assert api.get(LEASES, "ops", naming.LEASE_NAME)["spec"]["leaseTransitions"] == 0
        keeping.cancel()


@harness.in_loop
async def test_a_held_lease_is_taken_only_after_it_did_not_change_for_its_duration() -> None:
    clock = Clock()
    async with fake_api.FakeApi().serving() as api, elector(api, clock) as mine:
        api.put(LEASES, held_by("other"))  # its renewTime is years ago: another machine's clock says nothing
        began = clock.now
        await mine.acquire()
        assert clock.now - began >= 15
        assert api.get(LEASES, "ops", naming.LEASE_NAME)["spec"]["leaseTransitions"] == 1


@pytest.mark.parametrize(
    ("holder", "at_once"), [("modelsync-0_dead", True), ("modelsync-01_alive", False), ("modelsync-0", False)]
)
@harness.in_loop
async def test_the_lease_of_a_dead_process_of_the_same_pod_is_taken_at_once(
    holder: str, at_once: bool
) -> None:
    clock = Clock()
    async with fake_api.FakeApi().serving() as api:
        api.put(LEASES, held_by(holder))
        async with elector(api, clock, "modelsync-0_new", succeeds="modelsync-0") as mine:
            began = clock.now
            await mine.acquire()
            assert (clock.now == began) == at_once


@harness.in_loop
async def test_a_released_lease_is_taken_at_once() -> None:
    clock = Clock()
    async with (
        fake_api.FakeApi().serving() as api,
        elector(api, clock) as mine,
        elector(api, clock, "next") as following,
    ):
        await mine.acquire()
        await mine.release()
        assert not mine.is_leading and holder(api) == ""
        began = clock.now
        await following.acquire()
        assert clock.now == began and holder(api) == "next"


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(ConnectionResetError("reset"), id="connection reset"),
        pytest.param(fake_api.status(503, "ServiceUnavailable"), id="503"),
        pytest.param(fake_api.status(403, "Forbidden"), id="403"),
        pytest.param(web.Response(text="<html>", status=200), id="an answer that is no JSON"),
    ],
)
@harness.in_loop
async def test_trouble_for_the_renew_deadline_ends_leading_before_the_lease_expires(trouble: object) -> None:
    clock = Clock()
    api = fake_api.FakeApi()
    async with api.serving(), elector(api, clock) as mine:
        await mine.acquire()
        began = clock.now

        async def fault(request: web.Request) -> web.StreamResponse | None:
            if isinstance(trouble, Exception):
                assert request.transport is not None
                request.transport.abort()
                raise trouble
            assert isinstance(trouble, web.Response)
            return web.Response(text=trouble.text, status=trouble.status)

        api.faults.append(fault)
        with pytest.raises(errors.LeaseLost):
            await mine.hold()
        assert not mine.is_leading
        assert clock.now - began < TIMING.duration


@harness.in_loop
async def test_a_passing_trouble_is_survived() -> None:
    clock = Clock()
    api = fake_api.FakeApi()
    async with api.serving(), elector(api, clock) as mine:
        await mine.acquire()
        api.faults.append(
            fake_api.fails("GET", "leases", ConnectionResetError(), fake_api.status(500, "InternalError"))
        )
        keeping = asyncio.create_task(mine.hold())
        await harness.eventually(lambda: api.count("PUT") > 3)
        assert mine.is_leading and not keeping.done()
        keeping.cancel()


@harness.in_loop
async def test_a_renewal_that_hangs_does_not_prolong_leading() -> None:
    """Real time, a short lease: the renewal never answers, and leading ends by the clock all the same."""
    api = fake_api.FakeApi()
    client_timing = leader_election.Timing(duration=10, renew_deadline=0.6, retry_period=0.1)
    async with api.serving():
        client = harness.connect(api.url, timeout=20)
        mine = leader_election.Elector(client, namespace="ops", identity="me", timing=client_timing)
        await mine.acquire()

        async def hang(request: web.Request) -> None:
            await asyncio.sleep(20)

        api.faults.append(hang)
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(errors.LeaseLost):
            await mine.hold()
        assert loop.time() - began < client_timing.duration and not mine.is_leading
        await client.close()


@harness.in_loop
async def test_a_lease_taken_by_another_is_lost_at_the_next_look() -> None:
    clock = Clock()
    async with fake_api.FakeApi().serving() as api, elector(api, clock) as mine:
        await mine.acquire()
        api.put(LEASES, held_by("other"))
        with pytest.raises(errors.LeaseLost, match="lost to other"):
            await mine.hold()


@harness.in_loop
async def test_a_conflict_while_taking_is_another_ones_win() -> None:
    clock = Clock()
    api = fake_api.FakeApi()
    async with api.serving(), elector(api, clock) as mine:
        api.put(LEASES, held_by(""))
        api.faults.append(fake_api.fails("PUT", "leases", fake_api.status(409, "Conflict")))
        began = clock.now
        await mine.acquire()
        assert clock.now > began and api.count("PUT") == 2


@harness.in_loop
async def test_of_two_that_want_it_one_leads() -> None:
    clock = Clock()
    async with (
        fake_api.FakeApi().serving() as api,
        elector(api, clock, "a") as one,
        elector(api, clock, "b") as two,
    ):
        first, second = asyncio.create_task(one.acquire()), asyncio.create_task(two.acquire())
        await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        assert one.is_leading != two.is_leading
        for task in (first, second):
            task.cancel()
