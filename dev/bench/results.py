"""From runs to rows: medians, ranges and ratios, as docs/reference/benchmarks.json holds them."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypedDict

from dev.bench.cases import Case
from dev.bench.job import Engine
from dev.bench.measure import Usage

GB = 10**9


class Row(TypedDict):
    """One engine in one case."""

    case: str
    engine: str
    version: str
    verified: str
    wall_s: list[float]
    """Least, median and most seconds."""
    cpu_s_per_gb: float | None
    """None where not all of the case's bytes were fetched."""
    peak_mib: float
    ratio_to_limit: float | None
    """Throughput over that of the slowest limit of the case (its bottleneck); None without a limit."""
    ratio_to_best_other: float | None
    """Throughput over that of the fastest other engine, all verified; None for limits and without others."""
    bytes: int
    runs: int
    date: str
    load: float
    """Of the machine when the case began, the case before it included; a calm machine has 2 at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The circumstances of a case."""

    date: str
    load: float


def rows_of(
    case: Case, results: Mapping[str, list[Usage]], versions: Mapping[str, str], when: When
) -> list[Row]:
    """The rows of a case, limits first, then by speed."""
    walls = {name: statistics.median(run.wall_s for run in runs) for name, runs in results.items()}
    ran = [engine for engine in case.engines if engine.name in results]
    ran.sort(key=lambda engine: (not engine.limit, walls[engine.name]))
    limits = [walls[engine.name] for engine in ran if engine.limit]
    rows = []
    for engine in ran:
        others = [walls[other.name] for other in ran if not other.limit and other is not engine]
        wall, runs = walls[engine.name], results[engine.name]
        whole = case.stop_after_s is None
        rows.append(
            Row(
                case=case.name,
                engine=engine.name,
                version=versions[engine.name],
                verified=engine.verified if whole else "interrupted before",
                wall_s=[round(each, 3) for each in _range(run.wall_s for run in runs)],
                cpu_s_per_gb=_per_gb(runs, case.spec.size) if whole else None,
                peak_mib=round(max(run.peak_mib for run in runs), 1),
                ratio_to_limit=_ratio(limits, wall, worst=True),
                ratio_to_best_other=None if engine.limit else _ratio(others, wall),
                bytes=case.spec.size,
                runs=len(runs),
                date=when.date,
                load=round(when.load, 1),
            )
        )
    return rows


def _range(values: Iterable[float]) -> tuple[float, float, float]:
    found = sorted(values)
    return found[0], statistics.median(found), found[-1]


def _per_gb(runs: list[Usage], size: int) -> float:
    return round(statistics.median(run.cpu_s for run in runs) / (size / GB), 3)


def _ratio(walls: list[float], wall: float, *, worst: bool = False) -> float | None:
    if not walls:
        return None
    return round((max(walls) if worst else min(walls)) / wall, 3)


def merged(known: Iterable[Row], new: Iterable[Row], order: list[str]) -> list[Row]:
    """Known rows with those of cases run again in their places; cases that no longer exist are left out."""
    news = list(new)
    again = {row["case"] for row in news}
    rows = [row for row in known if row["case"] not in again] + news
    return sorted((row for row in rows if row["case"] in order), key=lambda row: order.index(row["case"]))


def versions_of(engines: Iterable[Engine]) -> dict[str, str]:
    """Versions by name, each asked for once."""
    return {engine.name: engine.version() for engine in {engine.name: engine for engine in engines}.values()}
