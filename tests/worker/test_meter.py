"""A speed that can be read, and the time since the last byte."""

import itertools

import pytest

from modelsync.worker.meter import KEPT, Meter


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_speed_is_unknown_before_there_are_two_samples(clock: Clock) -> None:
    meter = Meter(clock=clock)
    clock.now += 3.0
    assert meter.rate() is None, "files are still being looked up: 0 B/s would be a lie"
    meter.add(1000)
    assert meter.rate() is None
    clock.now += 0.06
    meter.add(1000)
    assert meter.rate() is None, "one sample cannot tell"
    clock.now += 0.06
    meter.add(8000)
    assert meter.rate() == pytest.approx(75_000)


def test_the_speed_is_that_of_the_last_five_samples(clock: Clock) -> None:
    meter = Meter(clock=clock)
    for count in (9_000_000, 9_000_000, 1000, 1000, 1000, 1000):
        clock.now += 1.0
        meter.add(count)
    assert meter.rate() == pytest.approx(1000)


def test_samples_are_at_least_100_ms_apart_and_ten_are_kept(clock: Clock) -> None:
    meter = Meter(clock=clock)
    for _ in range(1000):
        clock.now += 0.01
        meter.add(10)
    times = [when for when, _ in meter.samples]
    assert len(times) == KEPT
    assert all(after - before >= 0.1 for before, after in itertools.pairwise(times))
    assert meter.total == 10_000
    assert meter.rate() == pytest.approx(1000, rel=0.2)


def test_the_speed_falls_when_nothing_comes(clock: Clock) -> None:
    meter = Meter(clock=clock)
    for _ in range(5):
        clock.now += 1.0
        meter.add(1000)
    for _ in range(5):
        clock.now += 1.0
        meter.rate()
    assert meter.rate() == 0.0


def test_idle_time_counts_from_the_last_byte_or_the_start(clock: Clock) -> None:
    meter = Meter(clock=clock)
    clock.now += 31.0
    assert meter.idle_seconds() == 31.0
    meter.add(1)
    clock.now += 2.0
    assert meter.idle_seconds() == 2.0
