"""Columns, bars and colours as text; plain where no terminal shows it."""

import shutil
import sys
from collections.abc import Sequence

import click

from modelsync.reading.values import Badge, Colour
from modelsync.settings import environment

GAP = "  "
_WIDTH = 80
_LEAST_NAME = 16
_PAINT = {
    Colour.GREY: "bright_black",
    Colour.YELLOW: "yellow",
    Colour.BLUE: "blue",
    Colour.AMBER: "yellow",
    Colour.GREEN: "green",
    Colour.RED: "red",
    Colour.BLACK: "bright_black",
}


def on_terminal() -> bool:
    """Whether a person looks at it."""
    return sys.stdout.isatty()


def in_colour() -> bool:
    """Whether to colour: on a terminal, and not against NO_COLOR."""
    return on_terminal() and not environment.no_color()


def width() -> int:
    """Characters of a line."""
    return shutil.get_terminal_size((_WIDTH, 24)).columns if on_terminal() else _WIDTH


def age(seconds: int | None) -> str:
    """An age as kubectl writes it: `45s`, `12m`, `5h`, `3d`."""
    if seconds is None:
        return ""
    for most, size, unit in ((120, 1, "s"), (7_200, 60, "m"), (172_800, 3_600, "h")):
        if seconds < most:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86_400}d"


def badge(shown: Badge, *, plain: bool) -> str:
    """A badge as a cell: its word, with its sign on a terminal."""
    return shown.word if plain else f"{shown.icon} {shown.word}"


def says_more(text: str | None, shown: Badge) -> bool:
    """Whether a text says more than a badge that stands beside it."""
    return text is not None and text.lower() != shown.word.lower()


def paint(text: str, colour: Colour | None) -> str:
    """Text in a colour, which is taken out again where none is shown."""
    return text if colour is None else click.style(text, fg=_PAINT[colour])


def bar(percent: float | None, cells: int = 24) -> str:
    """A bar; empty while the share is unknown."""
    done = int((percent or 0) * cells / 100)
    return "█" * done + "░" * (cells - done)


def widths(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column."""
    return [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]


def line(cells: Sequence[str], wide: Sequence[int], colours: Sequence[Colour | None] = ()) -> str:
    """One row, its cells padded to their columns."""
    painted = []
    for place, (cell, width_) in enumerate(zip(cells, wide, strict=True)):
        last = place == len(cells) - 1
        text = cell if last else cell.ljust(width_)
        painted.append(paint(text, colours[place] if place < len(colours) else None))
    return GAP.join(painted).rstrip()


def lines(
    head: Sequence[str], rows: Sequence[Sequence[str]], colours: Sequence[Sequence[Colour | None]] = ()
) -> list[str]:
    """A table with its head; a column that is empty in all rows is left out."""
    shown = [place for place in range(len(head)) if place == 0 or any(row[place] for row in rows)]
    cut = [[row[place] for place in shown] for row in rows]
    top = [head[place] for place in shown]
    wide = widths(top, cut)
    found = [line(top, wide)]
    for number, row in enumerate(cut):
        of = colours[number] if number < len(colours) else ()
        found.append(line(row, wide, [of[place] if place < len(of) else None for place in shown]))
    return found


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, the end of which shows that it was cut."""
    return text if len(text) <= most else (text[: most - 1] + "…")[: max(0, most)]
