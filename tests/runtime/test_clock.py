"""The cluster's time, where this machine's clock or the API server's is wrong."""

import email.utils
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.runtime.cluster.resources import JOBS, PODS, QUEUES, SYNCS
from modelsync.runtime.common import server_clock
from tests.runtime import fake_api, harness, test_operator

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Machine:
    """Our clock, and what the API server's says."""

    def __init__(self, ahead: float) -> None:
        self.now = NOW
        self.ahead = timedelta(seconds=ahead)
        self.clock = server_clock.ClusterClock(lambda: self.now)

    def ask(self, there: float, back: float) -> None:
        sent = self.clock.read()
        self.now += timedelta(seconds=there)
        date = email.utils.format_datetime(self.now + self.ahead, usegmt=True)
        self.now += timedelta(seconds=back)
        self.clock.hear(date, sent)

    def error(self) -> float:
        return abs((self.clock.now() - (self.now + self.ahead)).total_seconds())


SECONDS = st.floats(0, 10)


@given(st.floats(-1e5, 1e5), st.lists(st.tuples(SECONDS, SECONDS), min_size=1), st.floats(0, 0.2))
def test_the_time_is_a_second_off_at_most_however_slow_answers_are(
    ahead: float, asked: list[tuple[float, float]], quick: float
) -> None:
    machine = Machine(ahead)
    for there, back in asked:
        machine.ask(there, back)
        assert machine.error() <= max(1.0 + there + back, 0)
    machine.ask(quick, quick)
    best = machine.error()
    assert best <= 1.0 + 2 * quick
    machine.ask(10, 10)
    assert machine.error() <= best + 1e-6, "a slow answer makes nothing worse"


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1))
def test_two_right_clocks_differ_by_nothing(asked: list[tuple[float, float]]) -> None:
    machine = Machine(0)
    for there, back in asked:
        machine.ask(there, back)
        assert machine.clock.now() == machine.now


@pytest.mark.parametrize(
    "date", [None, "", "yesterday", "Thu, 01 Jan 2026", "Thu, 01 Jan 2026 12:00:00 -0000"]
)
def test_a_date_that_is_none_changes_nothing(date: str | None) -> None:
    machine = Machine(0)
    machine.clock.hear(date, NOW)
    assert machine.clock.now() == NOW


@pytest.mark.parametrize("hours", [-1, 0, 1])
@harness.in_loop
async def test_a_workers_end_is_waited_for_whatever_the_clocks_say(hours: int) -> None:
    """The Job's end is seen first, the words that explain it a second later."""
    api = fake_api.FakeApi(clock=lambda: datetime.now(UTC) + timedelta(hours=hours))
    async with api.serving():
        api.put(QUEUES, test_operator.queue())
        api.put(SYNCS, harness.sync())
        async with test_operator.running(api) as run:
            await harness.eventually(lambda: test_operator.jobs(api))
            test_operator.start_pod(api)
            await harness.eventually(lambda: test_operator.status(api).get("phase") == "Downloading")
            stamp = api.now().isoformat(timespec="seconds")
            ended = {"type": "Failed", "status": "True", "lastTransitionTime": stamp}
            reason = {"reason": "BackoffLimitExceeded", "message": "Job has reached the backoff limit"}
            api.put(JOBS, {**test_operator.jobs(api)[0], "status": {"conditions": [{**ended, **reason}]}})
            await harness.eventually(
                lambda: [j for j in run.operator.store.jobs.values() if j.state == "Failed"]
            )
            await test_operator.plans(run)
            await test_operator.plans(run)
            assert "lastFailure" not in test_operator.status(api), "the words are waited for"
            api.put(PODS, failed(api.get(PODS, "models", "llama-pod"), stamp))
            await harness.eventually(lambda: test_operator.status(api).get("lastFailure"))
            assert test_operator.status(api)["lastFailure"]["reason"] == "NotFound"


def failed(pod: dict[str, Any], stamp: str) -> dict[str, Any]:
    """The Pod with a termination report of a worker whose source is not there."""
    words = harness.words(reason="NotFound", message="no such repository")
    ended = harness.pod(job_uid="", words=words)["status"]
    state = ended["containerStatuses"][0]["state"]["terminated"]
    state |= {"exitCode": 13, "startedAt": stamp, "finishedAt": stamp}
    return {**pod, "status": {**pod["status"], **ended, "phase": "Failed"}}
