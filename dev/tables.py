"""Published tables of what was tried: results kept as JSON rows, and the page drawn from them."""

from collections.abc import Callable, Container, Iterable
from typing import TypeVar

Row = TypeVar("Row")
Name = tuple[str, str]
"""A row's section and its name within it."""


def merged(
    known: Iterable[Row], new: Iterable[Row], named: Container[Name], name: Callable[[Row], Name]
) -> list[Row]:
    """Known rows with the new ones in their places, by name; rows that nothing is named after fall out."""
    rows = {name(row): row for row in (*known, *new)}
    return [rows[key] for key in sorted(rows) if key in named]


def page(
    head: str,
    columns: Iterable[str],
    rows: Iterable[Row],
    name: Callable[[Row], Name],
    cells: Callable[[Row], Iterable[object]],
) -> str:
    """The page as Markdown, a table for each section; the first column is the row's name."""
    titles = tuple(columns)
    heading = f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}"
    lines, section = [head], ""
    for row in rows:
        title, first = name(row)
        if title != section:
            section = title
            lines.append(f"\n## {section}\n\n{heading}")
        escaped = first.replace("|", "\\|")
        lines.append(f"| {' | '.join([escaped, *map(str, cells(row))])} |")
    return "\n".join(lines) + "\n"
