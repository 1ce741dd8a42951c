"""Trickling and slow origins are distinguished, and a connection that breaks is soon another."""

import pytest

from modelsync.api.common.backoff import Backoff
from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.retry import SHORTEST_WAIT, Budget, Transient
from modelsync.worker.engines.native.slow_transfer import FLOOR, TIMEOUTS, Pace, Trickle


def test_a_byte_now_and_then_is_a_trickle_after_the_window() -> None:
    pace = Pace("model.bin", timeout_seconds=10)
    for _ in range(TIMEOUTS - 1):
        pace.check(9.9, 1)
    pace.check(0.1, 1)
    with pytest.raises(Trickle) as caught:
        pace.check(10.2, 1)
    assert caught.value.failure.reason is Reason.NETWORK_ERROR


def test_an_origin_just_above_the_floor_is_never_left() -> None:
    pace = Pace("model.bin", timeout_seconds=10)
    for _ in range(1000):
        pace.check(5.0, FLOOR * 5 + 1)


def test_each_window_counts_for_itself() -> None:
    pace = Pace("model.bin", timeout_seconds=10)
    pace.check(31.0, 1 << 30)
    with pytest.raises(Trickle):
        pace.check(31.0, 1)


def test_the_first_try_after_progress_waits_next_to_nothing() -> None:
    trouble = Transient(Failure(Reason.NETWORK_ERROR, "cut"))
    budget = Budget(most=5, backoff=Backoff(first=1000, cap=1000, jitter=0))
    for _ in range(100):
        budget.progressed()
        assert budget.spend(trouble) <= SHORTEST_WAIT
