"""Every feature of docs/reference/what-is-shown.md has a place and a test that exists."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

_PAGE = ROOT / "docs" / "reference" / "what-is-shown.md"
_NONE = "\N{EN DASH}"
_COLUMNS = 6
_TEST = re.compile(r"`(test_\w+)`")
_ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in _PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| what |")
]


@pytest.fixture(scope="module")
def tests() -> frozenset[str]:
    """All test functions there are."""
    files = (path.read_text(encoding="utf-8") for path in Path(ROOT / "tests").rglob("test_*.py"))
    return frozenset(name for text in files for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE))


def test_the_table_is_read() -> None:
    assert len(_ROWS) > 40


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row[0][:40])
def test_a_feature_has_a_place_and_tests_that_exist(row: list[str], tests: frozenset[str]) -> None:
    assert len(row) == _COLUMNS
    what, *places, named = row
    assert what
    assert all(places)
    assert any(place != _NONE for place in places)
    assert _TEST.findall(named)
    assert set(_TEST.findall(named)) <= tests
