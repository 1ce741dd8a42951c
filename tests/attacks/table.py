"""The table of attacks: rows as JSON, and the page drawn from them."""

from collections.abc import Container, Iterable
from typing import TypedDict

from dev import tables


class Row(TypedDict):
    """One result, as docs/reference/attacks.json holds it."""

    topic: str
    attack: str
    tried: int
    refused: int
    how: str
    command: str
    date: str


def merged(known: Iterable[Row], new: Iterable[Row], named: Container[tables.Name]) -> list[Row]:
    """Known rows with the new ones in their places; rows of attacks that are no more fall out."""
    return tables.merged(known, new, named, _name)


def page(rows: Iterable[Row]) -> str:
    """The page as Markdown, a table for each topic."""
    return tables.page(_HEAD, ("attack", "refused", "how", "date"), rows, _name, _cells)


def _name(row: Row) -> tables.Name:
    return row["topic"], row["attack"]


def _cells(row: Row) -> tuple[object, ...]:
    return (f"{row['refused']}/{row['tried']}", row["how"], row["date"])


_HEAD = """# Attacks that were tried

`make attacks` makes this page and `attacks.json` beside it, which holds each row's command. Each row counts
its variants: how many were tried, and how many were refused. One topic: `make attacks ARGS="--topic NAME"`;
one row: `ARGS="--case 'PART OF ITS NAME'"`. The tests run the same functions with fewer variants. Who is
trusted with what is written in [the threat model](../explanation/security.md)."""
