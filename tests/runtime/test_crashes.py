"""The operator dies at every write it makes: before it, after it, and after it without an answer.

Each run plays one small story (a ModelSync is admitted, its worker ends, it is Complete), kills the first
operator at one write and lets a second one finish. Whatever the instant, there is one Job and the right end.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from modelsync.runtime.cluster.resources import PODS, QUEUES, SYNCS
from tests.runtime import fake_api, harness, test_operator

WRITES = 8
"""The story has a few writes fewer; a kill that never comes is a run without one."""


def kill_at(number: int, how: str, kill: Callable[[], None]) -> fake_api.Fault:
    """A fault that kills at the given write (the lease's do not count)."""
    seen = 0

    async def fault(request: web.Request) -> web.StreamResponse | None:
        nonlocal seen
        if request.method not in ("POST", "PATCH", "DELETE") or "leases" in request.path:
            return None
        seen += 1
        if seen != number:
            return None
        if how == "before":
            kill()
            assert request.transport is not None
            request.transport.abort()
            return web.Response(status=500)
        asyncio.get_running_loop().call_later(0.0 if how == "lost" else 0.05, kill)
        return None

    return fault


async def play(api: fake_api.FakeApi) -> None:
    """What the Job controller and the kubelet do, at their own pace."""
    await harness.eventually(lambda: test_operator.jobs(api), 60)
    test_operator.start_pod(api)
    await asyncio.sleep(0.3)
    test_operator.finish(api, test_operator.synced())


async def story(number: int, how: str) -> None:
    api = fake_api.FakeApi()
    async with api.serving():
        api.put(QUEUES, test_operator.queue())
        api.put(SYNCS, harness.sync())
        playing: asyncio.Task[None] = asyncio.create_task(play(api))
        dead = asyncio.Event()
        async with test_operator.running(api) as first:
            api.faults.append(kill_at(number, how, dead.set))
            watching = asyncio.create_task(_first_of(dead.wait, lambda: _complete(api)))
            await watching
            await first.kill()
        api.faults.clear()
        test_operator.free_lease(api)
        async with test_operator.running(api):
            await playing
            await _complete(api)
    assert len(test_operator.jobs(api)) == 1
    made = [path for verb, path, _ in api.bodies if verb == "POST" and path.endswith("/jobs")]
    assert len(made) <= 2, "sent again at most, and then answered that it exists"
    assert test_operator.status(api)["attempts"] == 1
    assert api.get(PODS, "models", "llama-pod")


async def _complete(api: fake_api.FakeApi) -> None:
    await harness.eventually(lambda: test_operator.status(api).get("phase") == "Complete", 60)


async def _first_of(*waits: Callable[[], Awaitable[object]]) -> None:
    tasks = [asyncio.ensure_future(wait()) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["before", "after", "lost"])
@harness.in_loop
async def test_dying_at_any_write_leaves_one_job_and_the_right_end(how: str) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(1, WRITES + 1):
            group.create_task(story(number, how))
