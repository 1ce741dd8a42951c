"""The StatusWriter: what is written, when, and what becomes of it when the server says no."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from modelsync.api import modelsync_status as api
from modelsync.api.reasons import Phase
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache
from modelsync.runtime.cluster.resources import SYNCS
from modelsync.runtime.common import token_bucket
from modelsync.runtime.writes import status_writer
from tests.runtime import fake_api, harness


@dataclass
class Bench:
    """A writer on a fake server, with a clock that a test moves."""

    server: fake_api.FakeApi
    known: cache.Store
    writer: status_writer.StatusWriter
    results: Counter[str]
    now: float = 1000.0

    def record(self, name: str = "llama") -> snapshot.SyncRecord:
        return self.known.syncs[f"uid-{name}"]

    def add(self, name: str, **status: Any) -> snapshot.SyncRecord:
        self.known.observe(SYNCS, "ADDED", self.server.put(SYNCS, harness.sync(name, **status)))
        return self.record(name)

    def offer(self, name: str = "llama", **changes: object) -> None:
        record = self.record(name)
        self.writer.offer_sync(record, record.status.replace(**changes))

    async def write(self) -> int:
        """Send all that may be sent now; return how many that were."""
        before = self.server.count("PATCH")
        while True:
            sent = self.server.count("PATCH")
            self.writer.send_due()
            await self.writer.settle()
            if self.server.count("PATCH") == sent:
                return sent - before


@asynccontextmanager
async def bench(rate: float = 20.0) -> AsyncIterator[Bench]:
    async with fake_api.FakeApi().serving() as server:
        client, known, results = harness.connect(server.url), cache.Store(), Counter[str]()
        made = status_writer.StatusWriter(
            client,
            known,
            rate=rate,
            queue_namespace="ops",
            count=lambda result: results.update([result]),
            clock=lambda: found.now,
        )
        found = Bench(server, known, made, results)
        yield found
        await client.close()


def moved(done: int) -> api.ProgressStatus:
    return api.ProgressStatus(bytes_done=done, bytes_total=100)


@harness.in_loop
async def test_nothing_is_written_when_nothing_changed() -> None:
    async with bench() as b:
        b.add("llama", phase="Queued")
        b.offer()
        b.offer(phase=Phase.QUEUED)
        assert await b.write() == 0


@harness.in_loop
async def test_a_thousand_idle_objects_cost_nothing() -> None:
    async with bench() as b:
        for number in range(1000):
            b.add(f"s{number}", phase="Complete")
            b.offer(f"s{number}")
        assert await b.write() == 0


@harness.in_loop
async def test_a_transition_goes_at_once_and_only_what_changed() -> None:
    async with bench() as b:
        version = b.add("llama", phase="Queued", attempts=1).resource_version
        b.offer(phase=Phase.DOWNLOADING)
        assert await b.write() == 1
        _, path, body = b.server.bodies[-1]
        assert path.endswith("/namespaces/models/modelsyncs/llama/status")
        assert body == {"metadata": {"resourceVersion": version}, "status": {"phase": "Downloading"}}
        assert b.record().status.phase == "Downloading", "the store learns from the answer"


@harness.in_loop
async def test_progress_carries_the_version_it_was_decided_on_and_keeps_its_distance() -> None:
    async with bench() as b:
        version = b.add("llama", phase="Downloading").resource_version
        b.offer(progress=moved(1))
        assert await b.write() == 1
        assert b.server.bodies[-1][2]["metadata"] == {"resourceVersion": version}
        b.offer(progress=moved(2))
        assert await b.write() == 0
        b.now += 0.99
        assert await b.write() == 0
        b.offer(progress=moved(3))
        b.now += 0.02
        assert await b.write() == 1
        assert b.server.bodies[-1][2]["status"] == {"progress": {"bytesDone": 3}}, "the latest wish wins"


@harness.in_loop
async def test_a_transition_does_not_wait_for_the_distance() -> None:
    async with bench() as b:
        b.add("llama", phase="Downloading")
        b.offer(progress=moved(1))
        await b.write()
        b.offer(phase=Phase.COMPLETE)
        assert await b.write() == 1


@harness.in_loop
async def test_a_wish_that_is_fulfilled_otherwise_is_withdrawn() -> None:
    async with bench() as b:
        b.add("llama", phase="Queued")
        b.offer(phase=Phase.DOWNLOADING)
        b.offer()
        assert await b.write() == 0


@harness.in_loop
async def test_the_budget_holds_with_200_active_and_transitions_pass() -> None:
    async with bench(rate=20) as b:
        names = [f"s{number}" for number in range(200)]
        for name in names:
            b.add(name, phase="Downloading")
        b.writer.active = {"models": 200}
        written = 0
        for second in range(60):
            for name in names:
                b.offer(name, progress=moved(second))
            written += await b.write()
            b.now += 1
        assert 60 * 20 * 0.6 <= written <= 60 * 20 + 40
        b.offer("s0", phase=Phase.COMPLETE)
        assert await b.write() >= 1
        assert any(
            body["status"] == {"phase": "Complete"} or "phase" in body["status"]
            for *_, body in b.server.bodies[-20:]
        )


@harness.in_loop
async def test_a_conflict_drops_the_wish_and_reads_the_object_again() -> None:
    async with bench() as b:
        b.add("llama", phase="Queued")
        b.server.put(SYNCS, harness.sync("llama", phase="Paused"))  # another one wrote
        b.offer(phase=Phase.DOWNLOADING)
        assert await b.write() == 1
        assert b.results["conflict"] == 1
        assert b.record().status.phase == "Paused"
        assert await b.write() == 0


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param({"phase": Phase.FAILED}, id="a transition"),
        pytest.param({"progress": moved(1)}, id="progress"),
    ],
)
@harness.in_loop
async def test_what_was_decided_on_an_older_record_is_not_sent(wish: dict[str, Any]) -> None:
    async with bench() as b:
        b.add("llama", phase="Downloading", completionTime=None)
        b.offer(**wish)
        newer = {"phase": "Complete", "completionTime": "2026-01-01T00:00:00Z"}
        b.known.observe(SYNCS, "MODIFIED", b.server.put(SYNCS, harness.sync(**newer)))
        assert await b.write() == 0
        assert b.server.get(SYNCS, "models", "llama")["status"] == newer
        assert b.results == {"outdated": 1}


@harness.in_loop
async def test_a_wish_that_was_withdrawn_while_its_write_failed_stays_withdrawn() -> None:
    async with bench() as b:
        b.add("llama", phase="Queued")
        b.server.faults.append(fake_api.fails("PATCH", "llama", fake_api.status(503, "Unavailable")))
        b.offer(phase=Phase.DOWNLOADING)
        b.writer.send_due()
        b.offer()
        await b.writer.settle()
        b.now += 60
        assert await b.write() == 0
        assert b.record().status.phase == "Queued"


@harness.in_loop
async def test_a_conflict_that_cannot_be_read_up_is_tried_again() -> None:
    async with bench() as b:
        b.add("llama", phase="Queued")
        b.server.put(SYNCS, harness.sync(phase="Paused"))
        b.server.faults.append(fake_api.fails("GET", "llama", fake_api.status(503, "Unavailable")))
        b.offer(phase=Phase.DOWNLOADING)
        assert await b.write() == 1
        assert b.record().status.phase == "Queued", "nothing was learned"
        b.now += 1
        assert await b.write() == 1
        assert b.record().status.phase == "Paused" and b.results["conflict"] == 2


@harness.in_loop
async def test_an_object_that_is_gone_is_not_written_in_a_hot_loop_until_the_store_knows() -> None:
    async with bench() as b:
        b.add("llama", phase="Queued")
        b.server.remove(SYNCS, "models", "llama")
        for attempts in range(50):
            b.offer(phase=Phase.DOWNLOADING, attempts=attempts)
            await b.write()
            b.now += 0.1
        assert 1 <= b.results["gone"] <= 4
        b.known.observe(SYNCS, "DELETED", harness.versioned(harness.sync(), 10_000))
        b.writer.forget_missing()
        b.now += 60
        assert await b.write() == 0 and not b.writer.waiting()


def _wait(header: str) -> web.Response:
    return fake_api.status(429, "TooManyRequests", **{"Retry-After": header})


@pytest.mark.parametrize(
    ("answer", "shortest"),
    [
        pytest.param(lambda: _wait("7"), 7, id="429 with a time"),
        pytest.param(lambda: _wait("0"), 0.45, id="429 with no time at all"),
        pytest.param(lambda: _wait("soon"), 0.45, id="429 with a time that is none"),
        pytest.param(lambda: _wait("-7"), 0.45, id="429 with a negative time"),
        pytest.param(lambda: fake_api.status(503, "ServiceUnavailable"), 0.45, id="503"),
        pytest.param(lambda: ConnectionResetError(), 0.45, id="no answer"),
    ],
)
@harness.in_loop
async def test_passing_trouble_is_waited_out(answer: object, shortest: float) -> None:
    async with bench() as b:
        b.add("llama", phase="Queued")
        b.server.faults.append(fake_api.fails("PATCH", "llama", answer()))  # type: ignore[operator]
        b.offer(phase=Phase.DOWNLOADING)
        assert await b.write() == 1
        b.now += shortest - 0.01
        assert await b.write() == 0
        b.now += 0.12
        assert await b.write() == 1
        assert b.results == {"retried": 1, "written": 1}


@harness.in_loop
async def test_a_refused_status_is_not_offered_in_a_hot_loop() -> None:
    async with bench() as b:
        b.add("llama", phase="Queued")
        b.server.faults.append(fake_api.fails("PATCH", "llama", *[fake_api.status(422, "Invalid")] * 9))
        for _ in range(50):
            b.offer(phase=Phase.DOWNLOADING)
            await b.write()
            b.now += 0.1
        assert b.results["refused"] == 1


@harness.in_loop
async def test_nothing_is_written_by_one_that_does_not_lead() -> None:
    async with bench() as b:
        b.add("llama", phase="Queued")
        b.writer._may_write = lambda: False
        b.offer(phase=Phase.DOWNLOADING)
        assert await b.write() == 0


@harness.in_loop
async def test_a_drain_sends_transitions_and_leaves_progress() -> None:
    async with bench() as b:
        b.add("a", phase="Downloading")
        b.add("b", phase="Downloading")
        b.offer("a", progress=moved(1))
        b.offer("b", phase=Phase.COMPLETE)
        await b.writer.drain(3)
        assert b.server.count("PATCH") == 1 and b.record("b").status.phase == "Complete"


@pytest.mark.parametrize(
    ("active", "rate", "seconds"), [(1, 20, 1.0), (15, 20, 1.0), (100, 20, 100 / 15), (200, 20, 200 / 15)]
)
def test_the_more_are_active_the_rarer_each_one_writes(active: int, rate: float, seconds: float) -> None:
    assert token_bucket.distances({"models": active}, rate).of("models") == pytest.approx(seconds)


def test_half_of_the_bucket_is_kept_for_transitions() -> None:
    bucket = token_bucket.Bucket(rate=20, burst=40)
    sent = 0
    while bucket.wait(0, urgent=False) == 0:
        bucket.take(0)
        sent += 1
    assert sent == 20
    while bucket.wait(0, urgent=True) == 0:
        bucket.take(0)
        sent += 1
    assert sent == 40
    assert bucket.wait(0, urgent=True) == pytest.approx(0.05)
    assert bucket.wait(0.05, urgent=True) == 0
