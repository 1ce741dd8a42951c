"""The fault table: rows as JSON, and the page drawn from them."""

from collections.abc import Container, Iterable
from typing import TypedDict

from dev import tables


class Row(TypedDict):
    """One result, as docs/reference/faults.json holds it."""

    suite: str
    case: str
    tried: int
    passed: int
    seed: int
    command: str
    date: str


def merged(known: Iterable[Row], new: Iterable[Row], named: Container[tables.Name]) -> list[Row]:
    """Known rows with the new ones in their places; rows of cases that are no more fall out."""
    return tables.merged(known, new, named, _name)


def page(rows: Iterable[Row]) -> str:
    """The page as Markdown, a table for each suite."""
    return tables.page(_HEAD, ("case", "passed", "seed", "date"), rows, _name, _cells)


def _name(row: Row) -> tables.Name:
    return row["suite"], row["case"]


def _cells(row: Row) -> tuple[object, ...]:
    return (f"{row['passed']}/{row['tried']}", row["seed"], row["date"])


_HEAD = """# Faults that were tried

`make faults` makes this page and `faults.json` beside it, which holds each row's command. One suite:
`python -m tests.faults --suite NAME`; one row: `--case PART-OF-ITS-NAME`. A seed gives the same faults again.
The tests run the same cases with smaller counts."""
