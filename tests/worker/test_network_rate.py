"""What the network devices carry in a second, by looks at their counters."""

from collections.abc import Sequence

import pytest

from modelsync.api.protocol import DeviceCounters
from modelsync.worker.progress import network_rate
from modelsync.worker.progress.network_rate import NetworkMeter
from modelsync.worker.progress.throughput import STOPPED_SECONDS, Meter

Look = tuple[float, dict[str, tuple[int, int]]]


def rates(looks: Sequence[Look]) -> list[tuple[int, int] | None]:
    """What a meter answers at each look: seconds, and the counters by device."""
    now = 0.0
    meter = NetworkMeter(clock=lambda: now)
    found: list[tuple[int, int] | None] = []
    for now, counters in looks:  # noqa: B007 - the clock reads it
        devices = [
            DeviceCounters(device=name, receive_bytes=down, transmit_bytes=up)
            for name, (down, up) in counters.items()
        ]
        rate = meter.rate(devices)
        found.append(
            None if rate is None else (rate.receive_bytes_per_second, rate.transmit_bytes_per_second)
        )
    return found


@pytest.mark.parametrize(
    ("looks", "last"),
    [
        pytest.param([(0, {"eth0": (500, 50)})], None, id="one look is no rate"),
        pytest.param([(0, {"eth0": (0, 0)}), (0.5, {"eth0": (9, 9)})], None, id="two at once are none"),
        pytest.param([(0, {"eth0": (500, 50)}), (2, {"eth0": (900, 70)})], (200, 10), id="two looks"),
        pytest.param(
            [(0, {"eth0": (0, 0), "net1": (0, 0)}), (2, {"eth0": (400, 2), "net1": (100, 6)})],
            (250, 4),
            id="two devices",
        ),
        pytest.param([(0, {"eth0": (500, 5)}), (2, {"eth0": (100, 9)})], (0, 2), id="a counter that fell"),
        pytest.param(
            [(0, {"eth0": (0, 0)}), (2, {"eth0": (200, 0), "net1": (900, 9)})], (100, 0), id="a new device"
        ),
        pytest.param([(0, {"eth0": (0, 0)}), (2, {})], None, id="a kernel that lists none"),
        pytest.param(
            [(0, {"eth0": (0, 0)}), (30, {"eth0": (300, 0)}), (60, {"eth0": (900, 0)})], (20, 0), id="rare"
        ),
        pytest.param(
            [(second, {"eth0": (second * second, 0)}) for second in range(31)], (50, 0), id="the last 10 s"
        ),
    ],
)  # fmt: skip
def test_the_rate_is_that_of_the_last_window(looks: Sequence[Look], last: tuple[int, int] | None) -> None:
    assert rates(looks)[-1] == last


@pytest.mark.parametrize("every", [1.0, 2.0, 3.0, 7.0])
def test_nothing_comes_any_more_as_soon_as_the_speed_is_0(every: float) -> None:
    now, count = 0.0, 0
    speed, network = Meter(clock=lambda: now), NetworkMeter(clock=lambda: now)
    while now < 100:
        if now <= 50:
            speed.add(1_000_000)
            count += 1_000_000
        rate = network.rate([DeviceCounters(device="eth0", receive_bytes=count, transmit_bytes=0)])
        if speed.rate() == 0.0:
            assert rate is not None and rate.receive_bytes_per_second == 0
        now += every
    assert speed.rate() == 0.0


def test_looks_as_often_as_anyone_likes_cost_no_memory() -> None:
    now = 0.0
    meter = NetworkMeter(clock=lambda: now)
    for look in range(5_000):
        now = look / 100
        meter.rate([])
    assert len(meter._looks) <= network_rate.WINDOW_SECONDS / network_rate.LEAST_SECONDS + 2
    assert STOPPED_SECONDS == network_rate.WINDOW_SECONDS
