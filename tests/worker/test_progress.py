"""Lines of the log: one every 100 MB, one a minute, one for a stall."""

import logging

import pytest

from modelsync.api.reasons import Stage
from modelsync.api.source.transfer import Resolved
from modelsync.worker.progress.state import LogLines, State
from modelsync.worker.progress.throughput import Meter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "modelsync.worker.progress.state")
    return caplog


def test_a_line_every_100_mb_looked_for_every_5_seconds_and_one_a_minute(
    log: pytest.LogCaptureFixture,
) -> None:
    clock, done = Clock(), 0
    state = State(Meter(clock=clock))
    state.plan(Resolved(bytes=1_200_000_000), 1)
    state.watch(lambda: (done, 1_200_000_000), list)
    state.stages.enter(Stage.DOWNLOADING)
    lines = LogLines(state, clock)
    for second in range(200):
        clock.now = float(second)
        if second < 40:
            done = second * 25_000_000
            state.received(1)
        lines.tick()
    logged = [record.getMessage() for record in log.records if record.levelno == logging.INFO]
    assert logged[:3] == [
        "Download progress: 125MB/1.2GB ~ 10.4%",
        "Download progress: 250MB/1.2GB ~ 20.8%",
        "Download progress: 375MB/1.2GB ~ 31.3%",
    ]
    assert logged[-2:] == ["Download progress: 975MB/1.2GB ~ 81.3%"] * 2
    warned = [record.getMessage() for record in log.records if record.levelno == logging.WARNING]
    assert warned == ["Download stalled: no byte for 30 seconds"]


def test_a_stall_is_withdrawn_also_when_all_the_rest_came_since_the_last_look(
    log: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    state = State(Meter(clock=clock))
    state.stages.enter(Stage.DOWNLOADING)
    lines = LogLines(state, clock)
    clock.now = 30.0
    lines.tick()
    state.received(1)
    lines.last()
    logged = [text for record in log.records if "Downloaded" not in (text := record.getMessage())]
    assert logged == ["Download stalled: no byte for 30 seconds", "Download goes on"]


def test_an_unknown_total_is_logged_without_percent(log: pytest.LogCaptureFixture) -> None:
    state = State(Meter())
    state.watch(lambda: (350_000_000, None), list)
    LogLines(state).last()
    assert log.records[0].getMessage() == "Downloaded 350MB..."


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.DOWNLOADING])
def test_only_a_download_can_stall(log: pytest.LogCaptureFixture, stage: Stage) -> None:
    clock = Clock()
    state = State(Meter(clock=clock))
    state.stages.enter(stage)
    clock.now = 3600.0
    LogLines(state, clock).tick()
    assert not _warned(log)


def test_a_download_is_silent_from_its_own_beginning_only(log: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    state = State(Meter(clock=clock))
    state.stages.enter(Stage.CHECKING)
    clock.now = 500.0  # a hundred gigabytes were hashed, and no byte came
    state.stages.enter(Stage.DOWNLOADING)
    lines = LogLines(state, clock)
    clock.now = 529.0
    lines.tick()
    assert state.idle_seconds() == 29.0
    assert not _warned(log)
    clock.now = 530.0
    lines.tick()
    assert _warned(log) == ["Download stalled: no byte for 30 seconds"]


def _warned(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if record.levelno == logging.WARNING]
