"""The little Markdown that the generators write."""

from collections.abc import Iterable, Sequence

MADE = "<!-- Made by `python -m dev.docs`; do not edit. -->\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are single lines."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
