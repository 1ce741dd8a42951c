"""A limit holds for the sum of all threads, and a change holds at once."""

import threading
import time

import pytest

from modelsync.worker.common.failures import Interrupted
from modelsync.worker.common.rate_limiter import BURST_SECONDS, Limiter

MB = 1_000_000


def taken_within(limiter: Limiter, seconds: float, threads: int, granule: int) -> float:
    """Bytes per second that so many threads got, over the time that really passed."""
    halt = threading.Event()
    counts = [0] * threads

    def consume(number: int) -> None:
        try:
            while not halt.is_set():
                limiter.take(granule, halt)
                counts[number] += granule
        except Interrupted:
            pass

    workers = [threading.Thread(target=consume, args=(number,)) for number in range(threads)]
    start = time.monotonic()
    for worker in workers:
        worker.start()
    halt.wait(seconds)
    total, end = sum(counts), time.monotonic()
    halt.set()
    for worker in workers:
        worker.join()
    return total / (end - start)


@pytest.mark.parametrize(
    "rate", [100_000, 3 * MB, 200 * MB, 1000 * MB], ids=["100kB/s", "3MB/s", "200MB/s", "1GB/s"]
)
def test_the_sum_of_all_threads_keeps_the_limit(rate: int) -> None:
    limiter = Limiter(rate)
    granule = min(limiter.granule(1 << 20), rate // 100)
    # A busy machine may take time away, never give bytes more: so the best of three for the lower side.
    rates = []
    for _ in range(3):
        rates.append(taken_within(limiter, 1.2, 4, granule))
        assert rates[-1] <= rate * 1.05
        if rates[-1] >= rate * 0.95:
            break
    assert max(rates) >= rate * 0.95


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_without_a_taker_gives_only_a_short_burst() -> None:
    clock = Clock()
    limiter = Limiter(1000, clock=clock)
    clock.now = 3600.0
    limiter.take(int(1000 * BURST_SECONDS))
    halted = threading.Event()
    halted.set()
    with pytest.raises(Interrupted):
        limiter.take(1, halted)


@pytest.mark.parametrize("lifted", [None, 10**9], ids=["lifted", "raised"])
def test_a_changed_limit_frees_those_who_wait(lifted: int | None) -> None:
    limiter = Limiter(1)
    waiting = threading.Thread(target=limiter.take, args=(10_000,))
    waiting.start()
    limiter.set_rate(lifted)
    waiting.join(5)
    assert not waiting.is_alive()
    assert limiter.rate == lifted


def test_a_halt_ends_a_wait_at_once() -> None:
    limiter, halt = Limiter(1), threading.Event()
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(Interrupted):
            limiter.take(10_000, halt)
        ended.set()

    threading.Thread(target=wait).start()
    halt.set()
    assert ended.wait(5)


def test_without_a_limit_nothing_waits() -> None:
    limiter = Limiter()
    halted = threading.Event()
    halted.set()
    limiter.take(10**15, halted)
    assert limiter.granule(1 << 20) == 1 << 20


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limiter(0)


def test_reads_are_small_under_a_low_limit() -> None:
    assert Limiter(MB).granule(1 << 20) == 6250
    assert Limiter(10).granule(1 << 20) == 1024
    assert Limiter(10**10).granule(1 << 20) == 1 << 20


def test_a_lowered_limit_charges_nothing_that_was_received_under_the_old_one() -> None:
    clock = Clock()
    limiter = Limiter(100 * MB, clock=clock)
    before = limiter.granule(1 << 18)
    waiting = [threading.Thread(target=limiter.take, args=(before,), daemon=True) for _ in range(8)]
    for one in waiting:
        one.start()
    limiter.set_rate(100_000)
    with pytest.raises(Interrupted):
        limiter.take(before, _set())  # asked for before the change, received after it
    # 8 reads of 256 KiB: 20 ms at the old rate, 21 s at the new one.
    clock.now += 1.0
    for one in waiting:
        one.join(5)
        assert not one.is_alive()


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event
