"""Silence is what this process observed: looks add up, absence does not."""

import random

import pytest

from modelsync.api import protocol
from modelsync.api.reasons import Stage
from modelsync.core.cluster import snapshot
from modelsync.runtime.workers import stall_timer
from tests.runtime import harness
from tests.runtime.test_poller import bench


def report(**fields: object) -> protocol.ProgressReport:
    return protocol.ProgressReport.model_validate({"uid": "u", "attempt": 1, "stage": "Checking", **fields})


class Bench:
    def __init__(self) -> None:
        self.known: dict[str, snapshot.Silence | None] = {}
        self.silences = stall_timer.Silences(self.known.__setitem__)

    @property
    def seconds(self) -> float:
        found = self.known.get("p")
        return 0.0 if found is None else found.seconds


NEWS: dict[str, dict[str, object]] = {
    "another stage": {"stage": "Publishing"},
    "a byte checked": {"stageProgress": {"bytesDone": 1}},
    "a file published": {"stageProgress": {"filesDone": 1}},
    "a byte on the volume": {"progress": {"bytesDone": 1}},
    "a byte that is fetched again": {"progress": {"bytesNetwork": 1}},
    "a file done": {"progress": {"filesDone": 1}},
}
NO_NEWS: dict[str, dict[str, object]] = {
    "the same": {},
    "a retry": {"retries": 7},
    "a longer silence": {"idleSeconds": 99.0},
    "another limit": {"bandwidthLimit": 5},
    "other traffic of its Pod": {"devices": [{"device": "eth0", "receiveBytes": 9, "transmitBytes": 9}]},
}


@pytest.mark.parametrize("case", [*NEWS, *NO_NEWS])
def test_progress_is_what_a_stage_counts(case: str) -> None:
    b = Bench()
    b.silences.heard("p", report(), 0.0)
    b.silences.heard("p", report(), 30.0)
    b.silences.heard("p", report(**(NEWS | NO_NEWS)[case]), 60.0)
    assert b.seconds == (0.0 if case in NEWS else 60.0)


def test_answers_and_their_lack_add_up_and_say_which() -> None:
    b = Bench()
    b.silences.heard("p", report(), 0.0)
    b.silences.missed("p", 10.0)
    assert b.known["p"] == snapshot.Silence(seconds=10.0, answers=False)
    b.silences.heard("p", report(), 20.0)
    assert b.known["p"] == snapshot.Silence(seconds=20.0, answers=True)
    b.silences.heard("p", report(progress={"bytesDone": 1}), 30.0)
    assert b.known["p"] is None


def test_a_worker_that_was_never_heard_of_is_not_judged() -> None:
    b = Bench()
    for second in range(0, 10_000, 30):
        b.silences.missed("p", float(second))
    assert b.known == {}


def test_an_operator_that_was_frozen_or_away_blames_nobody() -> None:
    b = Bench()
    b.silences.heard("p", report(), 0.0)
    b.silences.heard("p", report(), 100_000.0)  # SIGSTOP: one look later, many hours
    assert b.seconds <= stall_timer.LONGEST_STEP
    b.silences.keep(set())  # not leading: nothing is asked
    b.silences.heard("p", report(), 200_000.0)
    assert b.seconds == 0.0


def test_over_any_sequence_it_is_never_more_than_what_was_observed() -> None:
    generator = random.Random(8)
    for _ in range(200):
        b, now, last, done, observed = Bench(), 0.0, 0.0, 0, 0.0
        b.silences.heard("p", report(stageProgress={"bytesDone": 0}), now)
        for _ in range(50):
            now += generator.choice([1.0, 2.0, 31.0, 5000.0])
            kind = generator.choice(["same", "news", "missed"])
            if kind == "news":
                done, observed = done + 1, 0.0
            else:
                observed += min(now - last, stall_timer.LONGEST_STEP)
            last = now
            if kind == "missed":
                b.silences.missed("p", now)
            else:
                b.silences.heard("p", report(stage=Stage.CHECKING, stageProgress={"bytesDone": done}), now)
            assert b.seconds == observed


@harness.in_loop
async def test_the_poller_reports_to_the_store_what_it_sees() -> None:
    async with bench() as b:
        await b.poll()
        assert b.known.silences == {}
        await b.poll()
        assert b.known.silences["pod-1"].answers
        b.worker.body = b"nonsense"
        await b.poll()
        assert not b.known.silences["pod-1"].answers
