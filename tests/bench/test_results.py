"""Ratios, merging and goals: the arithmetic between runs and what is published."""

from collections.abc import Callable

import pytest

from dev.bench import chart, data, engines, goals, page, results
from dev.bench.cases import Case, Reach, Volume, full, quick
from dev.bench.measure import Usage
from dev.bench.results import Row

CASE = Case(
    spec=data.large(10**9 + 1),
    engines=(engines.CURL, engines.WRITE, engines.OURS_HUB, engines.HF_TRANSFER, engines.ARIA2),
    volume=Volume.DISK,
)
WHEN = results.When(date="2026-01-01", load=1.0)


def usage(wall_s: float, *, cpu_s: float = 1.0, peak_mib: float = 50.0) -> Usage:
    return Usage(wall_s=wall_s, cpu_s=cpu_s, peak_mib=peak_mib)


def rows(ours: Usage | None = None) -> dict[str, Row]:
    runs = {
        engines.CURL.name: [usage(2.0), usage(1.0), usage(3.0)],
        engines.WRITE.name: [usage(4.0)],
        engines.MODELSYNC: [ours or usage(5.0)],
        engines.HF_TRANSFER.name: [usage(8.0, cpu_s=2.0)],
        engines.ARIA2.name: [usage(10.0)],
    }
    made = results.rows_of(CASE, runs, dict.fromkeys(runs, "1"), WHEN)
    return {row["engine"]: row for row in made}


def test_a_row_shows_least_median_and_most() -> None:
    assert rows()[engines.CURL.name]["wall_s"] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("engine", "to_limit", "to_best_other"),
    [
        pytest.param(engines.MODELSYNC, 0.8, 1.6, id="the slower limit and the faster rival count"),
        pytest.param(engines.HF_TRANSFER.name, 0.5, 0.625, id="ours is a rival of the others"),
        pytest.param(engines.CURL.name, 2.0, None, id="a limit has no rivals"),
    ],
)
def test_ratios_are_of_throughput(engine: str, to_limit: float, to_best_other: float | None) -> None:
    row = rows()[engine]
    assert row["ratio_to_limit"] == to_limit
    assert row["ratio_to_best_other"] == to_best_other


def test_no_limit_no_ratio() -> None:
    (row,) = results.rows_of(CASE, {"aria2c": [usage(1.0)]}, {"aria2c": "1"}, WHEN)
    assert row["ratio_to_limit"] is None
    assert row["ratio_to_best_other"] is None


def test_cases_run_again_take_the_place_of_their_old_rows() -> None:
    old = list(rows().values())
    known = [*old, changed(old[0], case="other"), changed(old[0], case="gone")]
    found = results.merged(known, [changed(old[0], date="2026-02-02")], ["other", CASE.name])
    assert [(row["case"], row["date"]) for row in found] == [
        ("other", "2026-01-01"),
        (CASE.name, "2026-02-02"),
    ]


def changed(row: Row, *, case: str | None = None, date: str | None = None) -> Row:
    made = row.copy()
    made["case"], made["date"] = case or row["case"], date or row["date"]
    return made


@pytest.mark.parametrize(("load", "said"), [(3.0, False), (9.5, True)], ids=["calm", "busy"])
def test_the_page_says_where_other_programs_disturbed_a_case(load: float, said: bool) -> None:
    row = rows()["aria2c"]
    row["load"] = load
    assert ("load 9.5" in page.page([row], "a machine")) is said


def test_goals_are_met_or_missed_by_the_figures() -> None:
    found = {line.figure: line for line in goals.lines(rows(usage(5.0, cpu_s=3.0, peak_mib=300)).values())}
    assert found["throughput ÷ best other engine"].met
    assert not found["CPU seconds per GB ÷ hf_transfer's"].met
    assert not found["peak memory in MiB"].met


@pytest.mark.parametrize("every", [full, quick])
def test_no_two_cases_have_one_name(every: Callable[[], list[Case]]) -> None:
    names = [case.name for case in every()]
    assert len(set(names)) == len(names)


def test_a_held_link_has_the_goal_of_its_rate() -> None:
    held = [case for case in full() if case.reach is Reach.HELD and not case.stop_after_s]
    made = [row for case in held for row in results.rows_of(case, _runs(case), _versions(case), WHEN)]
    found = {line.case: line.goal for line in goals.lines(made) if "raw limit" in line.figure}
    assert len(found) == len(held) == 12
    assert {goal for case, goal in found.items() if "1.25 GB/s" in case} == {0.90}
    assert {goal for case, goal in found.items() if "MB/s" in case} == {0.95}


def test_the_chart_finds_its_cases_by_name() -> None:
    made = [row for case in full() for row in results.rows_of(case, _runs(case), _versions(case), WHEN)]
    assert len({row["case"] for row in chart.chosen(made)}) == 5


def _runs(case: Case) -> dict[str, list[Usage]]:
    return {engine.name: [usage(1.0)] for engine in case.engines}


def _versions(case: Case) -> dict[str, str]:
    return {engine.name: "1" for engine in case.engines}
