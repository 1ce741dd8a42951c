"""Events of blocked Jobs and Pods: asked for when needed, and only then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelsync.runtime.cluster import cache
from modelsync.runtime.cluster.resources import EVENTS, JOBS, PODS, SYNCS
from modelsync.runtime.workers import start_diagnosis
from tests.runtime import fake_api, harness

MADE = datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)
LATER = MADE + timedelta(seconds=5)


def event(uid: str, reason: str, message: str, when: str = "2026-01-01T00:00:04Z", name: str = "e") -> Any:
    return {
        "metadata": {"name": name, "namespace": "models"},
        "involvedObject": {"uid": uid},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": when,
    }


def pending() -> Any:
    return harness.versioned(harness.pod(phase="Pending", containerStatuses=[]), 2)


@harness.in_loop
async def test_a_job_without_a_pod_gets_the_reason_of_its_event() -> None:
    known = cache.Store()
    known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(attempts=1), 1))
    known.observe(JOBS, "ADDED", harness.versioned(harness.job(), 1))
    async with fake_api.FakeApi().serving() as api:
        uid = "job-llama-uid-ll-1"
        api.put(EVENTS, event(uid, "FailedCreate", "exceeded quota: pods"))
        api.put(EVENTS, event("other", "FailedCreate", "of another", name="f"))
        client = harness.connect(api.url)
        looks = start_diagnosis.Diagnosis(client, known, may_act=lambda: True)
        await looks.look(LATER)
        assert (known.problems[uid].reason, known.problems[uid].message) == (
            "FailedCreate",
            "exceeded quota: pods",
        )
        known.observe(PODS, "ADDED", harness.versioned(harness.pod(), 2))
        await looks.look(LATER)
        assert not known.problems, "it has its Pod now"
        await client.close()


@harness.in_loop
async def test_a_pod_that_cannot_mount_gets_the_newest_reason() -> None:
    known = cache.Store()
    known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(attempts=1), 1))
    known.observe(JOBS, "ADDED", harness.versioned(harness.job(), 1))
    known.observe(PODS, "ADDED", pending())
    async with fake_api.FakeApi().serving() as api:
        api.put(EVENTS, event("pod-1", "FailedMount", "old", when="2026-01-01T00:00:03Z", name="a"))
        api.put(EVENTS, event("pod-1", "FailedMount", 'secret "t" not found', name="b"))
        api.put(EVENTS, event("pod-1", "Unhealthy", "no matter", when="2026-01-01T00:00:09Z", name="c"))
        client = harness.connect(api.url)
        await start_diagnosis.Diagnosis(client, known, may_act=lambda: True).look(LATER)
        assert known.problems["pod-1"].message == 'secret "t" not found'
        await client.close()


@pytest.mark.parametrize(
    ("pod", "now"),
    [
        pytest.param(harness.versioned(harness.pod(), 2), LATER, id="it runs"),
        pytest.param(pending(), MADE + timedelta(seconds=1), id="it was only just made"),
    ],
)
@harness.in_loop
async def test_nobody_is_asked_about_what_goes_well(pod: Any, now: datetime) -> None:
    known = cache.Store()
    known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(attempts=1), 1))
    known.observe(JOBS, "ADDED", harness.versioned(harness.job(), 1))
    known.observe(PODS, "ADDED", pod)
    async with fake_api.FakeApi().serving() as api:
        client = harness.connect(api.url)
        await start_diagnosis.Diagnosis(client, known, may_act=lambda: True).look(now)
        assert not api.asked
        await client.close()


@harness.in_loop
async def test_the_longer_it_is_blocked_the_rarer_it_is_asked_about() -> None:
    known = cache.Store()
    known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(attempts=1), 1))
    known.observe(PODS, "ADDED", pending())
    async with fake_api.FakeApi().serving() as api:
        client = harness.connect(api.url)
        looks = start_diagnosis.Diagnosis(client, known, may_act=lambda: True, interval=60)
        for _ in range(5):
            await looks.look(LATER)
        assert len(api.asked) == 1
        await client.close()
