"""Jobs that have the name of ours and are not, and ours when somebody hides them."""

from collections.abc import Callable
from typing import Any

import pytest

from modelsync.api import naming
from modelsync.core import actions
from modelsync.runtime.cluster import api_client
from modelsync.runtime.cluster.resources import JOBS, SYNCS
from tests.runtime import harness, test_executor, virtual


def copied(b: test_executor.Bench, **meta: Any) -> api_client.Object:
    """A Job with the proof of ours, and something else about it."""
    raw = test_executor.earlier(b)
    raw["metadata"] |= meta
    return raw


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(lambda b: harness.job("another-uid", 1, test_executor.NAME), id="another owner"),
        pytest.param(lambda b: test_executor.manifest(b.sync, 1, "k" * 24), id="our owner, no proof"),
        pytest.param(lambda b: copied(b, creationTimestamp="2026-03-14T12:06:00Z"), id="a copy, made later"),
        pytest.param(lambda b: copied(b, annotations={naming.PROOF_ANNOTATION: "é/1"}), id="a broken proof"),
    ],
)
@virtual.in_virtual_time
async def test_a_strangers_job_of_our_name_is_reported_and_left_alone(
    stranger: Callable[[test_executor.Bench], api_client.Object],
) -> None:
    async with test_executor.bench() as b:
        b.server.put(JOBS, stranger(b))
        await b.create()
        assert b.problem.reason == "NameConflict" and b.problem.due is not None
        assert test_executor.jobs(b.server) == [test_executor.NAME] and not any(
            map(b.known.believes, b.known.jobs.values())
        )


@pytest.mark.parametrize("state", ["runs", "has ended", "is gone", "is another one"])
@virtual.in_virtual_time
async def test_a_last_job_that_was_hidden_by_taking_its_labels_off_is_ended_before_the_next(
    state: str,
) -> None:
    async with test_executor.bench() as b:
        last = naming.job_name("llama", "uid-llama", 1)
        hidden = harness.job("uid-llama", 1, last)
        if state == "has ended":
            hidden["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}
        if state != "is gone":
            b.server.put(JOBS, hidden)
        uid = "another" if state == "is another one" else hidden["metadata"]["uid"]
        raw = harness.sync(attempts=1, job={"name": last, "uid": uid})
        b.known.observe(SYNCS, "MODIFIED", b.server.put(SYNCS, raw))
        wish = actions.CreateJob(sync=b.sync, attempt=2)
        b.executor.start([wish], [])
        await b.executor.finish()
        made = naming.job_name("llama", "uid-llama", 2)
        if state == "runs":
            assert test_executor.jobs(b.server) == [] and "runs on without our labels" in b.problem.message
            b.executor.start([wish], [])
            await b.executor.finish()
            assert test_executor.jobs(b.server) == [made]
        else:
            assert made in test_executor.jobs(b.server)
