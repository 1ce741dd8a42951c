"""The table of attacks: rows as JSON, and the page drawn from them."""

from collections.abc import Container, Iterable
from typing import TypedDict


class Row(TypedDict):
    """One result, as docs/reference/attacks.json holds it."""

    topic: str
    attack: str
    tried: int
    refused: int
    how: str
    command: str
    date: str


def merged(known: Iterable[Row], new: Iterable[Row], named: Container[tuple[str, str]]) -> list[Row]:
    """Known rows with the new ones in their places; rows of attacks that are no more fall out."""
    rows = {(row["topic"], row["attack"]): row for row in known}
    rows |= {(row["topic"], row["attack"]): row for row in new}
    return [rows[key] for key in sorted(rows) if key in named]


def page(rows: Iterable[Row]) -> str:
    """The page as Markdown, a table for each topic."""
    lines = [_HEAD]
    topic = ""
    for row in rows:
        if row["topic"] != topic:
            topic = row["topic"]
            lines.append(f"\n## {topic}\n\n| attack | refused | how | date |\n|---|---|---|---|")
        attack = row["attack"].replace("|", "\\|")
        lines.append(f"| {attack} | {row['refused']}/{row['tried']} | {row['how']} | {row['date']} |")
    return "\n".join(lines) + "\n"


_HEAD = """# Attacks that were tried

`make attacks` makes this page and `attacks.json` beside it, which holds each row's command. Each row counts
its variants: how many were tried, and how many were refused. One topic: `make attacks ARGS="--topic NAME"`;
one row: `ARGS="--case 'PART OF ITS NAME'"`. The tests run the same functions with fewer variants. Who is
trusted with what is written in [the threat model](../explanation/security.md)."""
