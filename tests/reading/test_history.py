"""Speeds of the past, within bounds."""

from datetime import timedelta

import pytest

from modelsync.reading.history import TOTAL, History
from tests.builders import NOW, ago


def test_steps_are_averages_and_gaps_are_unknown() -> None:
    history = History(ago(10_000))
    for second, speed in [(0, 10), (2, 20), (5, 40), (20, 80)]:
        history.record(NOW + timedelta(seconds=second), {"sync/a/b": speed})
    found = history.series("sync/a/b", "5m", NOW + timedelta(seconds=21))
    assert found.down[-5:] == (15, 40, None, None, 80)
    assert (len(found.down), found.step_seconds, found.cut) == (60, 5, None)


def test_a_day_is_in_minutes_and_an_hour_in_steps_of_five_seconds() -> None:
    history = History(ago(200_000))
    for second in range(0, 120, 5):
        history.record(NOW + timedelta(seconds=second), {TOTAL: second}, up=1)
    end = NOW + timedelta(seconds=119)
    assert history.series(TOTAL, "24h", end).down[-3:] == (None, 27, 87)
    assert history.series(TOTAL, "1h", end).up[-3:] == (1, 1, 1)
    assert len(history.series(TOTAL, "24h", end).down) == 1440


@pytest.mark.parametrize("span", ["5m", "1h", "24h"])
def test_a_restart_is_marked_where_it_cut_the_record(span: str) -> None:
    history = History(ago(60))
    assert history.series(TOTAL, span, NOW).cut == ago(60)


def test_what_is_older_than_a_span_is_gone() -> None:
    history = History(ago(10_000))
    history.record(ago(3_605), {"x": 5})
    history.record(NOW, {"x": 7})
    found = history.series("x", "1h", NOW)
    assert [figure for figure in found.down if figure is not None] == [7]
    assert history.steps <= 720 + 1440


@pytest.mark.parametrize("jump", [-3_000, 0.5, 1e9])
def test_a_clock_that_jumps_costs_no_memory(jump: float) -> None:
    history = History(ago(10_000))
    history.record(NOW, {"x": 5})
    history.record(NOW + timedelta(seconds=jump), {"x": 7})
    assert history.steps <= 720 + 1440
    assert len(history.series("x", "1h", NOW).down) == 720


def test_beyond_the_bound_the_oldest_record_goes() -> None:
    history = History(ago(10_000), most_steps=20)
    for number in range(30):
        history.record(NOW + timedelta(seconds=number), {f"sync/a/{number}": 1.0, TOTAL: 1.0})
    assert history.steps <= 20
    kept = history.keys()
    assert TOTAL in kept and "sync/a/29" in kept and "sync/a/0" not in kept


def test_a_series_that_is_forgotten_costs_nothing() -> None:
    history = History(ago(10_000))
    history.record(NOW, {"x": 5})
    history.forget("x")
    history.forget("x")
    assert (history.steps, history.keys()) == (0, ())


def test_another_span_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="span: '1w' must be one of 5m, 1h, 24h"):
        History(NOW).series("x", "1w", NOW)
