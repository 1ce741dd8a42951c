"""The benchmark runs its engines for real, and every row has all that the published list promises."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dev import target as targets
from dev.bench import cases, results

FIELDS = {
    "case", "engine", "version", "verified", "wall_s", "cpu_s_per_gb", "peak_mib", "ratio_to_limit",
    "ratio_to_best_other",
}  # fmt: skip


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a quick run writes; its scratch is below the same folder."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "scratch").mkdir()
    places = ["--output", str(folder), "--scratch", str(folder / "scratch")]
    done = subprocess.run(
        [sys.executable, "-m", "dev.bench", "--quick", *places],
        cwd=targets.REPOSITORY,
        env=os.environ | {"PYTHONPATH": "operator"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def rows(output: Path) -> list[results.Row]:
    found: list[results.Row] = json.loads((output / "reference/benchmarks.json").read_text())
    return found


def test_every_engine_of_every_quick_case_gets_a_row(rows: list[results.Row]) -> None:
    assert {(row["case"], row["engine"]) for row in rows} == {
        (case.name, engine.name) for case in cases.quick() for engine in case.engines
    }


def test_every_row_has_all_fields_with_figures_that_can_be(rows: list[results.Row]) -> None:
    for row in rows:
        assert set(row) >= FIELDS
        least, middle, most = row["wall_s"]
        assert 0 < least <= middle <= most
        assert row["peak_mib"] > 0
        assert row["cpu_s_per_gb"] is not None
        assert row["ratio_to_limit"] is not None
        assert row["version"] not in ("", "unknown")


def test_a_held_link_is_not_exceeded(rows: list[results.Row]) -> None:
    held = [row for row in rows if "link held to 25 MB/s" in row["case"]]
    assert held
    for row in held:
        assert row["bytes"] / row["wall_s"][0] < 26e6


def test_the_page_and_the_chart_name_every_case(output: Path, rows: list[results.Row]) -> None:
    page = (output / "reference/benchmarks.md").read_text().lower()
    for row in rows:
        assert row["case"].lower() in page
    ElementTree.parse(output / "benchmarks.svg")


def test_nothing_is_left_behind(output: Path, rows: list[results.Row]) -> None:
    assert not list((output / "scratch").iterdir())
