"""What ends the operator, and what does not."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import config as kubernetes_config

from modelsync import errors
from modelsync.runtime.cluster import api_client
from modelsync.runtime.cluster.resources import QUEUES, SYNCS
from modelsync.runtime.common import supervision
from tests.runtime import fake_api, harness, test_operator


class Part:
    """Fails in these ways, one a run, and then ends."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.waits: list[float] = []

    async def run(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


UNEXPECTED = [
    RuntimeError("odd"),
    KeyError("spec"),
    ValueError("port"),
    TimeoutError(),
    OSError(24, "too many open files"),
    errors.ConfigError("login"),
    errors.KubeError("strange"),
    RecursionError(),
    ExceptionGroup("many", [ValueError()]),
    asyncio.InvalidStateError(),
]


@harness.in_loop
async def test_a_part_that_fails_in_whatever_way_runs_again_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    part = Part(*UNEXPECTED)
    with caplog.at_level(logging.ERROR):
        await supervision.steadily("the part", part.run, sleep=part.sleep)
    assert part.waits == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30]
    assert sum("'the part' failed" in record.message for record in caplog.records) == len(UNEXPECTED)


@pytest.mark.parametrize("error", [errors.LeaseLost("gone"), supervision.Stopped(), asyncio.CancelledError()])
def test_a_lost_lease_and_an_ordered_end_are_no_failures(error: BaseException) -> None:
    async def run() -> None:
        raise error

    async def once() -> None:
        with pytest.raises(type(error)):
            await supervision.steadily("the part", run)

    asyncio.run(once())


@harness.in_loop
async def test_a_task_that_nobody_waits_for_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    task = asyncio.create_task(Part(ValueError("odd")).run())
    task.add_done_callback(supervision.report)
    with caplog.at_level(logging.ERROR):
        await asyncio.wait([task])
        await asyncio.sleep(0)
    assert [record.message for record in caplog.records] == ["a task failed unexpectedly; please report this"]


LOGINS = {
    "a login program that fails": errors.ConfigError("exec: process returned 1"),
    "a refresh that fails": kubernetes_config.ConfigException("exec: process returned 1"),
    "a login program that is gone": FileNotFoundError(2, "no such file", "aws"),
    "a kubeconfig that is just being written": ValueError("not YAML"),
    "a kubeconfig without its user": KeyError("user"),
    "a login program that hangs": TimeoutError(),
}


def client(
    url: str, *, reload: Callable[[], Any], refresh: Callable[[Any], Any] | None = None
) -> api_client.Kube:
    """A client that has to log in."""
    settings = harness.access(url)
    settings.refresh_api_key_hook = refresh
    return api_client.Kube(settings, timeout=2.0, reload=reload)


@pytest.mark.parametrize("error", LOGINS.values(), ids=LOGINS.keys())
def test_a_login_that_fails_is_an_error_of_the_api_server(error: Exception) -> None:
    async def fails(*_: Any) -> Any:
        raise error

    async def ask() -> None:
        async with fake_api.FakeApi().serving() as api:
            api.faults.append(fake_api.fails("GET", "modelsyncs", *[fake_api.status(401, "No")] * 9))
            for made in (client(api.url, reload=fails), client(api.url, reload=fails, refresh=fails)):
                with pytest.raises(api_client.ApiError) as refused:
                    await made.get(SYNCS, "models", "llama")
                assert refused.value.status == 401 and refused.value.is_passing
                assert "log in" in str(refused.value)
                await made.close()

    asyncio.run(ask())


@harness.in_loop
async def test_an_operator_whose_login_fails_for_a_while_goes_on_when_it_works() -> None:
    refused = [True]

    async def fault(request: web.Request) -> web.StreamResponse | None:
        return fake_api.status(401, "Unauthorized") if refused[0] else None

    async def reload() -> Any:
        raise errors.ConfigError("exec: process returned 1")

    async with fake_api.FakeApi().serving() as api:
        api.put(QUEUES, test_operator.queue())
        api.faults.append(fault)
        async with test_operator.running(api) as run:
            run.operator._api._reload = reload
            await harness.eventually(lambda: len(api.asked) > 6)
            assert not run.task.done()
            refused[0] = False
            api.put(SYNCS, harness.sync())
            await harness.eventually(lambda: test_operator.jobs(api))
            assert await run.end() == 0
