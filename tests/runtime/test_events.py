"""Events: reported once, named by what happened."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from modelsync.api.reasons import Reason
from modelsync.core import actions
from modelsync.runtime.cluster import parsing
from modelsync.runtime.cluster.resources import EVENTS
from modelsync.runtime.writes import event_recorder
from tests.runtime import fake_api, harness


def announce(key: str = "1", name: str = "llama", message: str = "done") -> actions.Announce:
    record = parsing.sync_record(harness.versioned(harness.sync(name), 5))
    return actions.Announce(sync=record, type="Normal", reason=Reason.SYNCED, message=message, key=key)


def stored(api: fake_api.FakeApi) -> list[harness.Object]:
    return [raw for (plural, *_), raw in api.objects.items() if plural == "events"]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def recorder(
    api: fake_api.FakeApi, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[event_recorder.Recorder]:
    client = harness.connect(api.url)
    made = event_recorder.Recorder(client, instance="test", clock=clock)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()


@harness.in_loop
async def test_an_announcement_becomes_an_event_of_its_object() -> None:
    async with fake_api.FakeApi().serving() as api, recorder(api) as made:
        made.announce(announce())
        await harness.eventually(lambda: stored(api))
        event = stored(api)[0]
        assert (
            event["involvedObject"]["uid"] == "uid-llama" and event["involvedObject"]["kind"] == "ModelSync"
        )
        assert (event["type"], event["reason"], event["message"], event["count"]) == (
            "Normal",
            "Synced",
            "done",
            1,
        )


@harness.in_loop
async def test_a_plan_that_repeats_itself_reports_once() -> None:
    async with fake_api.FakeApi().serving() as api, recorder(api) as made:
        for _ in range(5):
            made.announce(announce())
        made.announce(announce("2"))
        await harness.eventually(lambda: len(stored(api)) == 2)
        assert api.count("POST") == 2 and api.count("PATCH") == 0


@harness.in_loop
async def test_what_another_operator_reported_before_is_counted_up() -> None:
    async with fake_api.FakeApi().serving() as api:
        for _ in range(2):
            async with recorder(api) as made:
                made.announce(announce())
                await harness.eventually(lambda: stored(api) and not made.waiting())
                await harness.eventually(lambda: made._posted[event_recorder.event_name(announce())][1])
        assert [event["count"] for event in stored(api)] == [2]


@harness.in_loop
async def test_an_event_that_expired_is_made_again() -> None:
    # The API server forgets Events after an hour; a second stall must be seen all the same.
    clock = Clock()
    async with fake_api.FakeApi().serving() as api, recorder(api, clock) as made:
        for _ in range(2):
            made.announce(announce())
            await harness.eventually(lambda: len(stored(api)) == 1)
            api.remove(EVENTS, "models", event_recorder.event_name(announce()))
            clock.now += 3600
        made.announce(announce())
        await harness.eventually(lambda: len(stored(api)) == 1)
        assert stored(api)[0]["count"] == 1


@harness.in_loop
async def test_an_event_that_is_refused_stops_nothing() -> None:
    async with fake_api.FakeApi().serving() as api, recorder(api) as made:
        api.faults.append(fake_api.fails("POST", "events", fake_api.status(403, "Forbidden")))
        made.announce(announce("1"))
        made.announce(announce("2"))
        await harness.eventually(lambda: stored(api))


def test_names_are_valid_and_follow_from_what_happened() -> None:
    long = announce(name="a" * 199 + "-" + "b" * 50)
    name = event_recorder.event_name(long)
    assert len(name) <= 253 and "-." not in name
    assert event_recorder.event_name(announce("1")) == event_recorder.event_name(
        announce("1", message="other words")
    )
    assert event_recorder.event_name(announce("1")) != event_recorder.event_name(announce("2"))
    assert EVENTS.path("models", name).startswith("/api/v1/namespaces/models/events/")
