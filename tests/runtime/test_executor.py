"""Jobs are made and ended once, whatever the API server answers or does not answer."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from modelsync.api import naming
from modelsync.core import actions
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import api_client, cache, job_signatures
from modelsync.runtime.cluster.resources import JOBS, SYNCS
from modelsync.runtime.writes import job_executor
from tests.builders import SETTINGS
from tests.runtime import fake_api, harness, virtual

NAME = naming.job_name("llama", "uid-llama", 1)


@dataclass
class Bench:
    server: fake_api.FakeApi
    known: cache.Store
    executor: job_executor.Executor
    admitted: list[str]

    @property
    def sync(self) -> snapshot.SyncRecord:
        return self.known.syncs["uid-llama"]

    @property
    def picture(self) -> snapshot.Snapshot:
        return self.known.snapshot(virtual.now(), SETTINGS)

    @property
    def problem(self) -> snapshot.StartProblem:
        return self.known.problems["uid-llama"]

    def begin(self, *names: str) -> None:
        syncs = [self.known.syncs[f"uid-{name}"] for name in names or ("llama",)]
        self.executor.start([actions.CreateJob(sync=sync, attempt=1) for sync in syncs], [])

    async def create(self) -> None:
        self.begin()
        await self.executor.finish()

    async def delete(self) -> float | None:
        jobs = list(self.known.jobs.values())
        again = self.executor.start([], [actions.DeleteJob(job=job, why="test") for job in jobs])
        await self.executor.finish()
        return again

    def add(self, name: str) -> None:
        self.known.observe(SYNCS, "ADDED", self.server.put(SYNCS, harness.sync(name)))


def manifest(sync: snapshot.SyncRecord, attempt: int, key: str) -> api_client.Object:
    assert len(key) >= 24
    raw = harness.job(sync.uid, attempt, naming.job_name(sync.name, sync.uid, attempt))
    del raw["metadata"]["creationTimestamp"]
    return raw


def earlier(b: "Bench") -> api_client.Object:
    """The Job as this operator or the one before made it in an earlier try."""
    raw = manifest(b.sync, 1, "k" * 24)
    b.known.proofs.sign(
        raw, job_signatures.Made(sync_uid=b.sync.uid, attempt=1, queue="default"), virtual.now()
    )
    return raw


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    server, known, admitted = fake_api.FakeApi(clock=virtual.now), cache.Store(), list[str]()
    client = virtual.connect(server.handle)

    def note(sync: snapshot.SyncRecord, now: datetime) -> None:
        admitted.append(sync.name)

    made = job_executor.Executor(
        client, known, manifest, may_act=lambda: True, on_created=note, clock=virtual.now
    )
    known.observe(SYNCS, "ADDED", server.put(SYNCS, harness.sync()))
    try:
        yield Bench(server, known, made, admitted)
    finally:
        await made.close()
        await client.close()


def jobs(server: fake_api.FakeApi) -> list[str]:
    return [name for plural, _, name in server.objects if plural == "jobs"]


@virtual.in_virtual_time
async def test_a_job_is_made_and_known_at_once() -> None:
    async with bench() as b:
        await b.create()
        assert jobs(b.server) == [NAME] and [job.name for job in b.known.jobs.values()] == [NAME]
        assert b.admitted == ["llama"] and not b.known.assumed


@virtual.in_virtual_time
async def test_a_creation_under_way_counts_as_a_job_is_not_made_twice_and_stops_nobody() -> None:
    async with bench() as b:
        b.add("other")
        b.server.faults.append(fake_api.hangs("POST", "jobs", 9, how_often=1))
        b.begin("llama")
        await asyncio.sleep(1)
        b.begin("llama", "other")
        await asyncio.sleep(1)
        assert b.admitted == ["other"]
        assert [(job.sync_uid, job.assumed) for job in b.picture.jobs] == [
            ("uid-other", False),
            ("uid-llama", True),
        ]
        await b.executor.finish()
        assert (b.admitted, virtual.monotonic() < 9.5) == (["other", "llama"], True)
        assert b.server.count("POST", "jobs") == 2 and not b.known.assumed


@virtual.in_virtual_time
async def test_a_creation_whose_answer_is_lost_leads_to_one_job() -> None:
    async with bench() as b:
        b.server.lose_answers_to.add("POST")
        await b.create()
        assert [job.name for job in b.known.jobs.values()] == [NAME] and not b.known.assumed
        b.server.lose_answers_to.clear()
        await b.create()
        assert jobs(b.server) == [NAME] and not b.known.assumed and len(b.known.jobs) == 1


@virtual.in_virtual_time
async def test_whether_a_job_exists_is_asked_with_backoff_until_it_is_known() -> None:
    async with bench() as b:
        b.add("other")
        broken = fake_api.status(500, "InternalError")
        b.server.faults.append(fake_api.fails("POST", "jobs", broken))
        b.server.faults.append(fake_api.fails("GET", "jobs", *[broken] * 4))
        b.begin("llama")
        await asyncio.sleep(3)
        assert len(b.known.assumed) == 1, "it may exist, so it counts"
        assert b.problem.message == "said the fake", "and what was said is known at once"
        b.begin("other")
        await b.executor.finish()
        assert b.admitted == ["other"] and not b.known.assumed
        assert b.server.count("GET", "jobs") == 5 and virtual.monotonic() == pytest.approx(
            0.5 + 1 + 2 + 4, abs=1
        )


@virtual.in_virtual_time
async def test_a_job_that_cannot_be_asked_for_is_assumed_for_a_minute_and_not_forever() -> None:
    async with bench() as b:
        b.server.faults.append(fake_api.fails("POST", "jobs", ConnectionResetError()))
        b.server.faults.append(fake_api.fails("GET", "jobs", *[fake_api.status(403, "Forbidden")] * 99))
        await b.create()
        assert not b.known.assumed and 60 <= virtual.monotonic() < 100


@virtual.in_virtual_time
async def test_an_assumed_job_that_is_seen_is_not_asked_for_any_more() -> None:
    async with bench() as b:
        b.server.faults.append(fake_api.fails("POST", "jobs", ConnectionResetError()))
        b.server.faults.append(fake_api.fails("GET", "jobs", *[fake_api.status(500, "InternalError")] * 99))
        b.begin()
        await asyncio.sleep(1)
        b.known.observe(JOBS, "ADDED", b.server.put(JOBS, earlier(b)))
        await b.executor.finish()
        assert virtual.monotonic() < 5 and len(b.known.jobs) == 1


@virtual.in_virtual_time
async def test_a_job_that_is_ours_already_is_success() -> None:
    async with bench() as b:
        b.server.put(JOBS, earlier(b))
        await b.create()
        assert not b.known.problems and len(b.known.jobs) == 1


WEBHOOK = 'failed calling webhook "w": dial tcp: connection refused'


@pytest.mark.parametrize(
    ("answer", "first", "whole_namespace"),
    [
        pytest.param(fake_api.status(403, "Forbidden", "exceeded quota: q"), 5, False, id="quota"),
        pytest.param(fake_api.status(403, "Forbidden", "maximum cpu is 1"), 5, False, id="LimitRange"),
        pytest.param(fake_api.status(403, "Forbidden", "being terminated"), 5, False, id="terminating"),
        pytest.param(fake_api.status(422, "Invalid", "denied the request"), 5, False, id="policy"),
        pytest.param(fake_api.status(400, "BadRequest", "bad"), 5, False, id="not understood"),
        pytest.param(fake_api.status(404, "NotFound", "namespace not found"), 5, False, id="no namespace"),
        pytest.param(fake_api.status(500, "InternalError", WEBHOOK), 0.5, True, id="webhook that is down"),
        pytest.param(fake_api.status(504, "Timeout", "timed out"), 0.5, True, id="webhook that hangs"),
        pytest.param(ConnectionResetError(), 0.5, True, id="no answer"),
        pytest.param(fake_api.status(429, "TooManyRequests", "slowly"), 0.5, False, id="too many"),
        pytest.param(
            fake_api.status(429, "TooManyRequests", "slowly", **{"Retry-After": "9"}), 9, False, id="a time"
        ),
        pytest.param(
            fake_api.status(429, "TooManyRequests", "slowly", **{"Retry-After": "9" * 15}), 60, False,
            id="a time without end",
        ),
    ],
)  # fmt: skip
@virtual.in_virtual_time
async def test_whatever_the_server_says_is_known_with_the_time_of_the_next_try(
    answer: Any, first: float, whole_namespace: bool
) -> None:
    async with bench() as b:
        b.server.faults.append(fake_api.fails("POST", "jobs", answer, *[answer] * 9))
        waits = []
        for tries in range(1, 11):
            await b.create()
            problem = b.problem
            assert (problem.tries, b.known.assumed) == (tries, ())
            assert problem.due is not None and b.picture.problems["uid-llama"] == problem
            waits.append((problem.due - virtual.now()).total_seconds())
            assert bool(b.known.troubles) == whole_namespace
            await asyncio.sleep(waits[-1] + 0.1)
        assert waits[0] == pytest.approx(first, rel=0.15) and max(waits) <= 330
        assert all(later > 0.8 * wait for wait, later in itertools.pairwise(waits)), "longer and longer"
        assert isinstance(answer, Exception) or json.loads(answer.body)["message"] == b.problem.message
        await b.create()
        assert not b.known.problems and not b.known.troubles and jobs(b.server) == [NAME]


@virtual.in_virtual_time
async def test_tries_that_hang_come_to_take_a_twentieth_of_the_time() -> None:
    async with bench() as b:
        b.server.faults.append(fake_api.hangs("POST", "jobs", 60))
        busy = []
        for _ in range(12):
            began = virtual.monotonic()
            await b.create()
            busy.append(virtual.monotonic() - began)
            assert b.problem.due is not None
            idle = (b.problem.due - virtual.now()).total_seconds()
            await asyncio.sleep(idle)
        assert busy[-1] == pytest.approx(10, abs=1), "the client's timeout"
        assert busy[-1] / (busy[-1] + idle) <= 0.051


@virtual.in_virtual_time
async def test_failures_at_once_are_one_failure_of_their_namespace() -> None:
    async with bench() as b:
        names = [f"s{n}" for n in range(8)]
        for name in names:
            b.add(name)
        broken = fake_api.status(500, "InternalError", WEBHOOK)
        b.server.faults.append(fake_api.fails("POST", "jobs", *[broken] * 8))
        b.begin(*names)
        await b.executor.finish()
        assert [trouble.tries for trouble in b.known.troubles.values()] == [1]
        for uid in list(b.known.syncs):
            b.known._forget(SYNCS, uid)
        b.executor.forget_missing()
        assert not b.known.troubles, "nobody is left to try"


@pytest.mark.parametrize("change", [{"generation": 2}, {"annotations": {naming.RETRY_ANNOTATION: "now"}}])
@virtual.in_virtual_time
async def test_what_a_user_changes_ends_the_wait(change: Any) -> None:
    async with bench() as b:
        b.server.faults.append(fake_api.fails("POST", "jobs", fake_api.status(403, "Forbidden", "quota")))
        await b.create()
        same = b.server.put(SYNCS, harness.sync(phase="Queued"))
        b.known.observe(SYNCS, "MODIFIED", same)
        assert b.known.problems, "a status of ours is no change"
        raw = harness.sync()
        raw["metadata"] |= change
        b.known.observe(SYNCS, "MODIFIED", b.server.put(SYNCS, raw))
        assert not b.known.problems


@virtual.in_virtual_time
async def test_one_that_fails_does_not_stop_the_others() -> None:
    async with bench() as b:
        b.add("other")
        broken = b.executor._render

        def render(sync: snapshot.SyncRecord, attempt: int, key: str) -> api_client.Object:
            if sync.name == "llama":
                raise ValueError("a manifest that cannot be made")
            return broken(sync, attempt, key)

        b.executor._render = render
        b.begin("llama", "other")
        await b.executor.finish()
        assert b.admitted == ["other"]
        assert "a manifest that cannot be made" in b.problem.message and not b.known.troubles


@virtual.in_virtual_time
async def test_a_job_is_deleted_once_and_only_if_it_is_still_the_same() -> None:
    async with bench() as b:
        await b.create()
        b.server.faults.append(fake_api.hangs("DELETE", "jobs", 5))
        deletion = actions.DeleteJob(job=next(iter(b.known.jobs.values())), why="test")
        for _ in range(2):
            b.executor.start([], [deletion])
            await asyncio.sleep(1)
            assert [job.deleting for job in b.picture.jobs] == [True], "already while it is under way"
        await b.executor.finish()
        _, _, body = b.server.bodies[-1]
        assert body == {"propagationPolicy": "Background", "preconditions": {"uid": f"job-{NAME}"}}
        assert b.server.count("DELETE") == 1
        stale = {**manifest(b.sync, 1, "k" * 24), "status": {"active": 1}}
        b.known.observe(JOBS, "MODIFIED", harness.versioned(stale, 10_000))
        assert [job.deleting for job in b.picture.jobs] == [True], "until it is seen to be gone"


@virtual.in_virtual_time
async def test_a_deletion_that_fails_is_tried_again_later_and_the_job_is_there_meanwhile() -> None:
    async with bench() as b:
        await b.create()
        b.server.faults.append(fake_api.fails("DELETE", "jobs", *[fake_api.status(403, "Forbidden")] * 2))
        assert await b.delete() is None
        assert [job.deleting for job in b.picture.jobs] == [False]
        again = await b.delete()
        assert again is not None and 4 < again <= 5.5 and b.server.count("DELETE") == 1, "not before its time"
        await asyncio.sleep(again)
        await b.delete()
        again = await b.delete()
        assert again is not None and 8.5 < again <= 11
        await asyncio.sleep(again)
        await b.delete()
        assert not jobs(b.server)


@pytest.mark.parametrize("another", [False, True], ids=["gone", "another one of its name"])
@virtual.in_virtual_time
async def test_a_job_that_is_gone_is_forgotten(another: bool) -> None:
    async with bench() as b:
        await b.create()
        b.server.remove(JOBS, "models", NAME)
        if another:
            raw: dict[str, Any] = manifest(b.sync, 1, "k" * 24)
            raw["metadata"]["uid"] = "a newer uid"
            b.server.put(JOBS, raw)
        await b.delete()
        assert not b.known.jobs
        assert jobs(b.server) == ([NAME] if another else [])


@virtual.in_virtual_time
async def test_who_does_not_lead_makes_nothing() -> None:
    async with bench() as b:
        b.executor._may_act = lambda: False
        await b.create()
        assert not jobs(b.server) and not b.known.assumed


@virtual.in_virtual_time
async def test_who_stops_leading_begins_nothing_that_waits_for_its_turn_and_gives_up_the_rest() -> None:
    async with bench() as b:
        names = [f"s{n:02}" for n in range(80)]
        for name in names:
            b.add(name)
        b.server.faults.append(fake_api.hangs("POST", "jobs", 5))
        b.begin(*names)
        await asyncio.sleep(1)
        b.executor._may_act = lambda: False
        await b.executor.close()
        await asyncio.sleep(20)
        assert b.server.count("POST", "jobs") == 64 and not b.executor._tasks


@virtual.in_virtual_time
async def test_what_nobody_thought_of_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with bench() as b:
        await b.create()

        async def broken(*args: object, **more: object) -> None:
            raise RuntimeError("not thought of")

        b.executor._api.delete = broken  # type: ignore[method-assign, assignment]
        await b.delete()
        assert "not thought of" in caplog.text
