"""A speed that can be read, a time left that does not jump, and the time since the last byte."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelsync.api.common import display
from modelsync.worker.progress import throughput as meters
from modelsync.worker.progress.throughput import Meter

WINDOW = meters.AVERAGED * meters.SPACING_SECONDS
LOOK = 0.2
"""Seconds between two looks at a library (`engines.library.SAMPLE_SECONDS`)."""


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def flow(clock: Clock, meter: Meter, seconds: float, speed: float, every: float = 0.1) -> None:
    """Bytes come evenly for a time."""
    for _ in range(round(seconds / every)):
        clock.now += every
        meter.add(round(speed * every))


def test_the_speed_is_unknown_at_first_and_known_within_two_seconds(clock: Clock) -> None:
    meter = Meter(clock=clock)
    clock.now += 30.0
    assert meter.rate() is None, "files are still being looked up: 0 B/s would be a lie"
    flow(clock, meter, 1.0, 5_000_000)
    assert meter.rate() is None
    flow(clock, meter, 1.0, 5_000_000)
    assert meter.rate() == pytest.approx(5_000_000, rel=0.05), (
        "without the time in which files were looked up"
    )


def test_ten_samples_are_kept_that_are_4_s_apart_once_there_is_a_window(clock: Clock) -> None:
    meter = Meter(clock=clock)
    flow(clock, meter, 100.0, 1000)
    times = [sample.time for sample in meter.samples]
    assert len(times) == meters.KEPT
    assert all(4.0 <= after - before < 4.3 for before, after in itertools.pairwise(times))
    assert meter.total == 100_000


@pytest.mark.parametrize("after", [1e3, 1e6, 4e6, 6e6, 1e9], ids="to {:.0e}".format)
@pytest.mark.parametrize("seconds", [2.0, 19.0, 300.0])
def test_a_changed_speed_is_right_within_two_windows(clock: Clock, after: float, seconds: float) -> None:
    meter = Meter(clock=clock)
    flow(clock, meter, seconds, 5e6)
    for _ in range(40):
        flow(clock, meter, 1.0, after)
        meter.rate()
    assert meter.rate() == pytest.approx(after, rel=0.05)


def test_a_first_trickle_is_no_speed_to_climb_from(clock: Clock) -> None:
    """Before a library's first block only some bytes of the network are seen."""
    meter = Meter(clock=clock)
    for _ in range(10):
        flow(clock, meter, 1.0, 20)
        meter.rate()
    for _ in range(5):
        flow(clock, meter, 1.0, 5e6)
        meter.rate()
    assert (meter.rate() or 0) > 5e5, "not from 20 B/s on by some factor a second"


def test_a_source_that_stops_has_no_speed_and_no_time_left(clock: Clock) -> None:
    meter = Meter(clock=clock)
    flow(clock, meter, 60.0, 5e6)
    before = meter.rate()
    clock.now += 8.0
    assert before is not None
    assert 0 < (meter.rate() or 0) < before, "it slows down at once"
    clock.now += 2.0
    assert meter.rate() == 0.0
    assert display.seconds_left(1, 10, meter.rate()) is None


@pytest.mark.parametrize("touched", [False, True], ids=["the engine counts", "the network is seen first"])
def test_after_a_stop_the_speed_is_that_of_now(clock: Clock, touched: bool) -> None:
    meter = Meter(clock=clock)
    flow(clock, meter, 60.0, 5e6)
    clock.now += 600.0
    if touched:
        meter.touch()
        assert meter.rate() is None, "a sign of life is no speed"
    flow(clock, meter, 3.0, 1e6)
    assert meter.rate() == pytest.approx(1e6, rel=0.1)


def test_a_turn_of_an_engine_is_no_stop_while_the_network_is_alive(clock: Clock) -> None:
    meter = Meter(clock=clock)
    for second in range(200):
        clock.now += 1.0
        meter.touch()
        if second % 20 == 0:
            meter.add(64 << 20)
    assert meter.rate() == pytest.approx((64 << 20) / 20, rel=0.01)


def test_idle_time_counts_from_the_last_byte_or_the_start(clock: Clock) -> None:
    meter = Meter(clock=clock)
    clock.now += 31.0
    assert meter.idle_seconds() == 31.0
    meter.add(1)
    clock.now += 2.0
    assert meter.idle_seconds() == 2.0


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How an engine delivers a steady download: each connection takes turns of a size, a bit unevenly."""

    lump: int
    connections: int
    speed: float
    together: bool = True
    """Whether all connections begin at the same time."""
    seed: int = 0

    def arrivals(self, seconds: float) -> list[tuple[float, int]]:
        """Times and counts of bytes."""
        chance, turn = random.Random(self.seed), self.lump * self.connections / self.speed
        found = []
        for _ in range(self.connections):
            when = chance.random() * (LOOK if self.together else turn)
            while when < seconds:
                found.append((when, self.lump))
                when += turn * chance.uniform(0.7, 1.3)
        return sorted(found)


@dataclass(kw_only=True)
class Watched:
    """What a person sees of a download, once a second."""

    delivery: Delivery
    seconds: float
    size: float = 0.0
    speeds: list[float | None] = field(default_factory=list)
    left: list[float | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.size = self.delivery.speed * self.seconds * 4
        clock = Clock()
        meter, start = Meter(clock=clock), clock.now
        arrivals = iter(self.delivery.arrivals(self.seconds))
        coming = next(arrivals, None)
        for look in range(1, int(self.seconds / LOOK)):
            clock.now = start + look * LOOK
            meter.touch()  # the network's devices count all the time
            while coming is not None and coming[0] <= look * LOOK:
                meter.add(coming[1])
                coming = next(arrivals, None)
            if look % 5 == 0:
                self.speeds.append(meter.rate())
                self.left.append(display.seconds_left(meter.total, int(self.size), self.speeds[-1]))

    def jumps(self) -> Iterator[float]:
        """By which part of itself the time left changed, from one second to the next."""
        for before, after in itertools.pairwise(self.left):
            if before and after:
                yield abs(after - before) / before


HF_TRANSFER, XET = 10_000_000, 64 << 20
"""Bytes that the libraries write at a time."""
DELIVERIES = st.one_of(
    st.builds(
        Delivery,
        lump=st.sampled_from([2000, 100_000]),
        connections=st.integers(1, 16),
        speed=st.floats(5e5, 1e9),
        together=st.booleans(),
        seed=st.integers(0, 99),
    ),
    st.builds(
        Delivery,
        lump=st.just(HF_TRANSFER),
        connections=st.integers(1, 24),
        speed=st.floats(1e6, 1e9),
        together=st.booleans(),
        seed=st.integers(0, 99),
    ),
    st.builds(
        Delivery,
        lump=st.just(XET),
        connections=st.integers(1, 4),
        speed=st.floats(4e6, 1e9),
        together=st.booleans(),
        seed=st.integers(0, 99),
    ),
)


def bounded(delivery: Delivery) -> Delivery:
    """With turns that are long enough for a quick test: shorter ones make no burst."""
    least = delivery.lump * delivery.connections / 0.1
    return delivery if delivery.speed <= least else Delivery(**{**delivery.__dict__, "speed": least})


@settings(max_examples=60, deadline=None)
@given(DELIVERIES.map(bounded))
@example(Delivery(lump=HF_TRANSFER, connections=8, speed=3e6))
@example(Delivery(lump=HF_TRANSFER, connections=24, speed=3e7))
@example(Delivery(lump=XET, connections=3, speed=1e7))
def test_the_time_left_of_a_steady_download_never_jumps_by_half_of_itself(delivery: Delivery) -> None:
    assert max(Watched(delivery=delivery, seconds=90.0).jumps(), default=0.0) <= 0.5


@settings(max_examples=60, deadline=None)
@given(DELIVERIES.map(bounded))
@example(Delivery(lump=XET, connections=1, speed=4e6))
def test_the_speed_of_a_steady_download_stays_near_the_truth(delivery: Delivery) -> None:
    turn = delivery.lump * delivery.connections / delivery.speed
    speeds = Watched(delivery=delivery, seconds=120.0).speeds
    settled = speeds[int(2 * max(turn, WINDOW)) :]
    assert None not in settled
    assert 0 not in settled, "no blank between two turns"
    if turn < WINDOW / 2:
        assert all(0.6 < (speed or 0) / delivery.speed < 1.5 for speed in settled)
