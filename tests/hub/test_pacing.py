"""The rate holds for all connections together, and may change under way."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3

from dev.origins.hub import HubServer, Repository, Synthetic
from dev.origins.serving.pacing import Pacer, parse_rate
from tests.hub.test_files import signed_url


class Clock:
    """A clock that only sleepers move, each of them late by a bit."""

    def __init__(self, late: float = 0.0) -> None:
        self.now, self.late = 1000.0, late

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + self.late


def send(pacer: Pacer, chunks: int, size: int) -> None:
    for _ in range(chunks):
        pacer.take(size)


@pytest.mark.parametrize("late", [0.0, 0.002, 0.05], ids=["in time", "2 ms late", "50 ms late"])
def test_late_wake_ups_do_not_lower_the_rate(late: float) -> None:
    clock = Clock(late)
    send(Pacer(1000.0, clock=clock, sleep=clock.sleep), chunks=1000, size=10)
    assert clock.now - 1000.0 == pytest.approx(10.0, rel=0.01)


def test_idle_time_gives_no_burst() -> None:
    clock = Clock()
    pacer = Pacer(1000.0, clock=clock, sleep=clock.sleep)
    send(pacer, chunks=1, size=10)
    clock.now += 60
    before = clock.now
    send(pacer, chunks=100, size=10)
    assert clock.now - before == pytest.approx(1.0, rel=0.01)


def test_a_changed_rate_holds_from_the_next_chunk() -> None:
    clock = Clock()
    pacer = Pacer(1000.0, clock=clock, sleep=clock.sleep)
    send(pacer, chunks=100, size=10)
    pacer.rate = 100.0
    send(pacer, chunks=10, size=10)
    pacer.rate = None
    send(pacer, chunks=10, size=10)
    assert clock.now - 1000.0 == pytest.approx(2.0, rel=0.01)


def assert_within_five_percent(measure: Callable[[], float], expected: float) -> None:
    """Never too fast; and not too slow in the best of three, as the machine may be busy with other things."""
    best = float("inf")
    for _ in range(3):
        took = measure()
        assert took > 0.95 * expected
        best = min(best, took)
        if best < 1.05 * expected:
            return
    pytest.fail(f"took {best:.3f} s in place of {expected:.3f} s")


@pytest.mark.timing
def test_four_connections_share_the_rate() -> None:
    size, rate = 5_000_000, 20_000_000
    repository = Repository("org/big", {f"{number}.bin": Synthetic(size, number) for number in range(4)})

    def measure() -> float:
        with (
            HubServer(repository, rate=rate) as hub,
            urllib3.PoolManager(retries=False, maxsize=4) as http,
            ThreadPoolExecutor(4) as pool,
        ):

            def download(number: int) -> int:
                url = f"{hub.url}/org/big/resolve/main/{number}.bin"
                return len(http.request("GET", url, retries=3).data)

            begun = time.monotonic()
            got = sum(pool.map(download, range(4)))
            assert got == hub.bytes_sent() == 4 * size
            return time.monotonic() - begun

    assert_within_five_percent(measure, 4 * size / rate)


@pytest.mark.timing
def test_a_hundred_megabytes_a_second_can_be_paced(http: urllib3.PoolManager) -> None:
    size, rate = 100_000_000, 100_000_000

    def measure() -> float:
        # A server for each measurement: the schedule of the last one would be caught up with by a burst.
        with HubServer(Repository("org/model", {"model.bin": Synthetic(size)}), rate=rate) as hub:
            url, begun, got = signed_url(hub, http), time.monotonic(), 0
            found = http.request("GET", url, preload_content=False)
            while block := found.read(1 << 20):
                got += len(block)
            assert got == size
            return time.monotonic() - begun

    assert_within_five_percent(measure, size / rate)


@pytest.mark.parametrize(
    ("text", "rate"), [("3MB", 3e6), ("500K", 5e5), ("1.5GB", 1.5e9), ("800", 800.0), ("2 mb", 2e6)]
)
def test_a_rate_is_read_in_decimal_units(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "-1MB", "3MiB", "fast"])
def test_a_bad_rate_is_reported_with_the_fix(text: str) -> None:
    with pytest.raises(ValueError, match="such as 3MB"):
        parse_rate(text)
