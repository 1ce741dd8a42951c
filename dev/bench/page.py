"""docs/reference/benchmarks.md: the rows as tables, the goals, and how it was measured."""

import itertools
from collections.abc import Sequence

from dev.bench import goals
from dev.bench.results import GB, Row
from dev.docs import markdown

MOST_OWN_LOAD = 4.0
"""What the case before may have left in the average: origin, relay and engine on two cores."""

_HEAD = """# Benchmarks

`make bench` makes this page, `benchmarks.json` beside it, and the chart in the README. Figures of one machine
are no promise for another; the ratios travel better, since all engines of a case ran in turns within minutes.

![Verified download, by engine](../benchmarks.svg)

"""
_HOW = """
## How it is measured

- The origin is nginx with two workers on the same machine, its files in the page cache. It answers as a Hub
  and its CDN: each file of the Hub is a redirect to the CDN. `hf_transfer` and `curl` are given the CDN's
  URLs, as by a program that asked the Hub before; all others are given the Hub's. S3 is versitygw. All of
  them share the machine's cores with the engine that is measured.
- Time begins with the start of the command and ends when the files are there and their SHA-256 was compared.
  Engines that do not compare it get a pass with OpenSSL's SHA-256 over two files at once, which counts as
  theirs. Ours also has called fsync by then. Where the files go onto a disk, the pass of the others calls it
  too; in memory it costs nothing.
- A held link is a relay that holds the rate of all connections together (`dev/bench/relay.py`): splice(2),
  no copy. A round trip is a relay of packets between two network namespaces (`dev/bench/distance.py`).
- The limit is `curl -o /dev/null` by the same way, eight files at once for a set; where a disk counts, also
  `dd conv=fsync` of the same bytes, and the slower of the two.
- CPU time is the kernel's, of the process and its children; peak memory is the high-water mark of resident
  memory, the page cache not included. Wall time: median (least to most).
- `python -m dev.bench --case PART-OF-ITS-NAME` runs some cases again and puts their rows in place; `--list`
  names them all.

[Where the time goes](../explanation/speed.md) says why a goal is not met, by profile.
"""


def page(rows: Sequence[Row], machine: str) -> str:
    """The page as Markdown."""
    parts = [
        _HEAD,
        f"Measured {_dates(rows)} on {machine}.\n\n## Goals\n\n",
        _goals(rows),
        "\n## All cases\n",
    ]
    for case, group in itertools.groupby(rows, key=lambda row: row["case"]):
        found = list(group)
        parts.append(f"\n### {case[0].upper()}{case[1:]}\n\n{_disturbed(found[0]['load'])}{_table(found)}")
    return "".join([*parts, _HOW])


def _disturbed(load: float) -> str:
    """A word of caution where more ran than the benchmark."""
    if load <= MOST_OWN_LOAD:
        return ""
    return f"Other programs used the cores at the time (load {load:g}): take these figures as rough ones.\n\n"


def _dates(rows: Sequence[Row]) -> str:
    dates = sorted({row["date"] for row in rows})
    return " to ".join([dates[0], dates[-1]][: len(dates)]) if dates else "never"


def _goals(rows: Sequence[Row]) -> str:
    found = goals.lines(rows)
    missed = sum(not line.met for line in found)
    said = [
        [
            line.figure,
            line.case,
            f"{line.measured:.4g}",
            f"{'≤' if line.at_most else '≥'} {line.goal:g}",
            "yes" if line.met else "**no**",
        ]
        for line in found
    ]
    head = f"{len(found) - missed} of {len(found)} are met.\n\n"
    return head + markdown.table(["figure", "case", "measured", "goal", "met"], said)


def _table(rows: list[Row]) -> str:
    head = [
        "engine",
        "version",
        "verified",
        "wall s",
        "MB/s",
        "CPU s/GB",
        "peak MiB",
        "÷ limit",
        "÷ best other",
    ]
    return markdown.table(head, [_cells(row) for row in rows])


def _cells(row: Row) -> list[str]:
    least, middle, most = row["wall_s"]
    whole = row["cpu_s_per_gb"] is not None
    return [
        row["engine"],
        row["version"],
        row["verified"],
        f"{middle:.2f} ({least:.2f}-{most:.2f})",
        f"{row['bytes'] / GB * 1000 / middle:.0f}" if whole else "",
        _number(row["cpu_s_per_gb"]),
        f"{row['peak_mib']:.0f}",
        _number(row["ratio_to_limit"]),
        _number(row["ratio_to_best_other"]),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
