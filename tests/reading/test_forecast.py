"""Time left does not jump."""

import itertools
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.reading import forecast
from modelsync.reading.forecast import Forecasts
from tests.builders import MB, NOW


def _shown(speeds: Sequence[float], tick: float, remaining: float) -> list[int]:
    memory, left, found = Forecasts(), remaining, []
    for number, speed in enumerate(speeds):
        left = max(0.0, left - speed * tick)
        at = NOW + timedelta(seconds=number * tick)
        eta = forecast.eta(memory, "x", at, remaining=int(left), speed=max(1, int(speed)))
        assert eta is not None and eta.seconds is not None
        found.append(eta.seconds)
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.5, 1.8), min_size=5, max_size=40),
    st.sampled_from([1.0, 2.0, 5.0]),
    st.integers(500, 100_000),
)
def test_it_never_jumps_by_more_than_half_of_itself(swings: list[float], tick: float, seconds: int) -> None:
    shown = _shown([swing * MB for swing in swings], tick, seconds * MB)
    for before, after in itertools.pairwise(shown):
        assert abs(after - before) <= before / 2 + tick + 1


def test_it_counts_down_with_a_steady_download() -> None:
    assert _shown([MB] * 5, 2.0, 100 * MB) == [98, 96, 94, 92, 90]


def test_a_lasting_change_of_speed_comes_through() -> None:
    shown = _shown([MB] * 3 + [10 * MB] * 30, 2.0, 2_000 * MB)
    truth = (2_000 - 3 * 2 - 30 * 20) / 10
    assert abs(shown[-1] - truth) <= truth * 0.2


def test_a_stall_forgets_the_forecast() -> None:
    memory = Forecasts()
    assert forecast.eta(memory, "x", NOW, remaining=100, speed=1) is not None
    assert forecast.eta(memory, "x", NOW, remaining=100, speed=0) is None
    again = forecast.eta(memory, "x", NOW + timedelta(seconds=5), remaining=100, speed=50)
    assert again is not None and again.seconds == 2


@pytest.mark.parametrize(
    ("remaining", "text"), [(86_400, "24h 0m"), (86_401, "> 1 day"), (10**18, "> 1 day")]
)
def test_beyond_a_day_nobody_needs_the_minutes(remaining: int, text: str) -> None:
    eta = forecast.eta(None, "x", NOW, remaining=remaining, speed=1)
    assert eta is not None
    assert eta.text == text or (text == "24h 0m" and eta.text == "1d 0h")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "_MOST_REMEMBERED", 3)
    memory = Forecasts()
    for number in range(10):
        memory.seconds(str(number), NOW, 5)
    assert len(memory._known) == 3
