"""The fault table: rows as JSON, and the page drawn from them."""

from collections.abc import Container, Iterable
from typing import TypedDict


class Row(TypedDict):
    """One result, as docs/reference/faults.json holds it."""

    suite: str
    case: str
    tried: int
    passed: int
    seed: int
    command: str
    date: str


def merged(known: Iterable[Row], new: Iterable[Row], named: Container[tuple[str, str]]) -> list[Row]:
    """Known rows with the new ones in their places; rows of cases that are no more fall out."""
    rows = {(row["suite"], row["case"]): row for row in known}
    rows |= {(row["suite"], row["case"]): row for row in new}
    return [rows[key] for key in sorted(rows) if key in named]


def page(rows: Iterable[Row]) -> str:
    """The page as Markdown, a table for each suite."""
    lines = [_HEAD]
    suite = ""
    for row in rows:
        if row["suite"] != suite:
            suite = row["suite"]
            lines.append(f"\n## {suite}\n\n| case | passed | seed | date |\n|---|---|---|---|")
        case = row["case"].replace("|", "\\|")
        lines.append(f"| {case} | {row['passed']}/{row['tried']} | {row['seed']} | {row['date']} |")
    return "\n".join(lines) + "\n"


_HEAD = """# Faults that were tried

`make faults` makes this page and `faults.json` beside it, which holds each row's command. One suite:
`python -m dev.faults --suite NAME`; one row: `--case PART-OF-ITS-NAME`. A seed gives the same faults again.
The tests run the same cases with smaller counts."""
