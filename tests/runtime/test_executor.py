"""Jobs are made and ended once, whatever the API server answers or does not answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from modelsync.api import naming
from modelsync.core import actions, snapshot
from modelsync.runtime import executor, kube, store
from modelsync.runtime.resources import JOBS, SYNCS
from tests.runtime import fake_api, harness

NAME = naming.job_name("llama", "uid-llama", 1)


@dataclass
class Bench:
    server: fake_api.FakeApi
    known: store.Store
    executor: executor.Executor
    admitted: list[str]

    @property
    def sync(self) -> snapshot.SyncRecord:
        return self.known.syncs["uid-llama"]

    async def create(self) -> float | None:
        return await self.executor.carry_out([actions.CreateJob(sync=self.sync, attempt=1)], [])

    async def delete(self) -> float | None:
        jobs = list(self.known.jobs.values())
        return await self.executor.carry_out([], [actions.DeleteJob(job=job, why="test") for job in jobs])

    def be_patient(self) -> None:
        self.executor._waits.clear()


def manifest(sync: snapshot.SyncRecord, attempt: int, key: str) -> kube.Object:
    assert len(key) >= 24
    return harness.job(sync.uid, attempt, naming.job_name(sync.name, sync.uid, attempt))


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    async with fake_api.FakeApi().serving() as server:
        client, known, admitted = harness.connect(server.url, timeout=10.0), store.Store(), list[str]()

        def note(sync: snapshot.SyncRecord, now: datetime) -> None:
            admitted.append(sync.name)

        made = executor.Executor(client, known, manifest, may_act=lambda: True, on_created=note)
        known.observe(SYNCS, "ADDED", server.put(SYNCS, harness.sync()))
        yield Bench(server, known, made, admitted)
        await client.close()


def jobs(server: fake_api.FakeApi) -> list[str]:
    return [name for plural, _, name in server.objects if plural == "jobs"]


@harness.in_loop
async def test_a_job_is_made_and_known_at_once() -> None:
    async with bench() as b:
        assert await b.create() is None
        assert jobs(b.server) == [NAME] and [job.name for job in b.known.jobs.values()] == [NAME]
        assert b.admitted == ["llama"]


@harness.in_loop
async def test_a_creation_whose_answer_is_lost_leads_to_one_job() -> None:
    async with bench() as b:
        b.server.lose_answers_to.add("POST")
        assert await b.create() is not None
        assert [job.attempt for job in b.known.assumed] == [1], "it counts as running meanwhile"
        b.server.lose_answers_to.clear()
        b.be_patient()
        assert await b.create() is None
        assert jobs(b.server) == [NAME] and not b.known.assumed and len(b.known.jobs) == 1


@harness.in_loop
async def test_an_assumed_job_is_looked_for() -> None:
    async with bench() as b:
        b.server.lose_answers_to.add("POST")
        await b.create()
        await b.executor.settle()
        assert not b.known.assumed and [job.name for job in b.known.jobs.values()] == [NAME]


@harness.in_loop
async def test_an_assumed_job_that_does_not_exist_is_refuted() -> None:
    async with bench() as b:
        b.server.faults.append(fake_api.fails("POST", "jobs", ConnectionResetError()))
        await b.create()
        assert b.known.assumed
        await b.executor.settle()
        assert not b.known.assumed and not b.known.jobs


@harness.in_loop
async def test_a_job_that_is_ours_already_is_success() -> None:
    async with bench() as b:
        b.server.put(JOBS, manifest(b.sync, 1, "k" * 24))
        assert await b.create() is None
        assert not b.known.problems and len(b.known.jobs) == 1


@harness.in_loop
async def test_a_strangers_job_of_our_name_is_told_and_left_alone() -> None:
    async with bench() as b:
        stranger = harness.job("another-uid", 1, NAME)
        b.server.put(JOBS, stranger)
        assert await b.create() is not None
        assert b.known.problems["uid-llama"].reason == "NameConflict"
        assert not b.known.jobs and jobs(b.server) == [NAME]


@pytest.mark.parametrize(
    ("code", "reason"), [(403, "Forbidden"), (422, "Invalid"), (400, "BadRequest"), (404, "NotFound")]
)
@harness.in_loop
async def test_a_refusal_is_told_and_tried_again_later(code: int, reason: str) -> None:
    async with bench() as b:
        b.server.faults.append(
            fake_api.fails("POST", "jobs", fake_api.status(code, reason, "exceeded quota"))
        )
        again = await b.create()
        assert again is not None and 2 < again <= 5.5
        assert b.known.problems["uid-llama"].message == "exceeded quota"
        assert not b.known.assumed
        await b.create()
        assert b.server.count("POST") == 1, "not before its time"
        b.be_patient()
        await b.create()
        assert not b.known.problems and jobs(b.server) == [NAME]


@harness.in_loop
async def test_the_servers_wish_for_patience_is_heard() -> None:
    async with bench() as b:
        answer = fake_api.status(429, "TooManyRequests", **{"Retry-After": "9"})
        b.server.faults.append(fake_api.fails("POST", "jobs", answer))
        again = await b.create()
        assert again is not None and 8.9 < again <= 9.1, "never earlier than the server asks for"
        assert not b.known.problems and not b.known.assumed


@harness.in_loop
async def test_one_that_fails_does_not_stop_the_others() -> None:
    async with bench() as b:
        b.known.observe(SYNCS, "ADDED", b.server.put(SYNCS, harness.sync("other")))
        broken = b.executor._render

        def render(sync: snapshot.SyncRecord, attempt: int, key: str) -> kube.Object:
            if sync.name == "llama":
                raise ValueError("a manifest that cannot be made")
            return broken(sync, attempt, key)

        b.executor._render = render
        wishes = [actions.CreateJob(sync=sync, attempt=1) for sync in b.known.syncs.values()]
        await b.executor.carry_out(wishes, [])
        assert b.admitted == ["other"]


@harness.in_loop
async def test_a_job_is_deleted_once_and_only_if_it_is_still_the_same() -> None:
    async with bench() as b:
        await b.create()
        await b.delete()
        _, _, body = b.server.bodies[-1]
        assert body == {"propagationPolicy": "Background", "preconditions": {"uid": f"job-{NAME}"}}
        assert [job.deleting for job in b.known.jobs.values()] == [True]
        await b.delete()
        assert b.server.count("DELETE") == 1


@pytest.mark.parametrize("another", [False, True], ids=["gone", "another one of its name"])
@harness.in_loop
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


@harness.in_loop
async def test_who_does_not_lead_makes_nothing() -> None:
    async with bench() as b:
        b.executor._may_act = lambda: False
        await b.create()
        assert not jobs(b.server)
