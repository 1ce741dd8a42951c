"""docs/benchmarks.svg: some cases as bars, written by hand since a chart of bars is a list of rectangles.

The colours follow the reader's light or dark theme inside the file, as a README is shown in both.
"""

import itertools
from collections.abc import Iterable, Sequence
from html import escape

from dev.bench import engines
from dev.bench.results import Row

WIDTH, LABELS, VALUES = 760, 150, 90
BAR, GAP, TITLE = 16, 5, 34
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .case { font-weight: 600; }
  .note { fill: #59636e; font-size: 11px; }
  .other { fill: #8c959f; }
  .ours { fill: #0969da; }
  .limit { fill: none; stroke: #8c959f; stroke-dasharray: 3 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .note { fill: #9198a1; }
    .other { fill: #656c76; }
    .ours { fill: #4493f8; }
    .limit { stroke: #9198a1; }
  }
"""


def chosen(rows: Sequence[Row]) -> list[Row]:
    """The cases to draw: where engines differ, one of each kind."""
    wanted = (
        "4 GiB, plain, loopback, not held",
        "5 GiB, TLS, loopback",
        "10,000 files",
        "ms round trip",
        "S3",
    )
    names = [next((row["case"] for row in rows if _fits(row, part)), "") for part in wanted]
    return [row for name in names for row in rows if row["case"] == name]


def _fits(row: Row, part: str) -> bool:
    return part in row["case"] and "onto" not in row["case"]


def draw(rows: Iterable[Row]) -> str:
    """The chart of some rows, cases in the order given; speeds are drawn within each case."""
    parts: list[str] = []
    top = 24
    parts.append(_text(0, 14, "Verified download in MB/s, longer is faster; dashed: the raw limit", "note"))
    for case, group in itertools.groupby(rows, key=lambda row: row["case"]):
        bars = sorted(group, key=lambda row: row["wall_s"][1])
        parts.append(_text(0, top + 16, case[0].upper() + case[1:], "case"))
        top += TITLE - 8
        most = max(_speed(row) for row in bars)
        for row in bars:
            parts.append(_bar(row, top, most))
            top += BAR + GAP
        top += GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"'
        ' role="img" aria-label="Speed of verified downloads by engine">'
    )
    return f"{head}\n<style>{_STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"


def _speed(row: Row) -> float:
    return row["bytes"] / 1e6 / row["wall_s"][1]


def _bar(row: Row, top: int, most: float) -> str:
    kind = "ours" if row["engine"] == engines.MODELSYNC else "other"
    if row["verified"] == "nothing":
        kind = "limit"
    width = max(1.0, (WIDTH - LABELS - VALUES) * _speed(row) / most)
    middle = top + BAR - 4
    return "".join(
        [
            _text(0, middle, row["engine"], "note" if kind == "limit" else ""),
            f'<rect class="{kind}" x="{LABELS}" y="{top}" width="{width:.1f}" height="{BAR - 2}" rx="2"/>',
            _text(LABELS + width + 6, middle, f"{_speed(row):,.0f}", "note"),
        ]
    )


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" class="{kind}">{escape(words)}</text>'
