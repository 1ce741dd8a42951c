"""What the figures are held against: one line for each goal and case, met or missed."""

from collections.abc import Iterable
from dataclasses import dataclass

from dev.bench import engines
from dev.bench.results import Row

MOST_MIB = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One goal in one case."""

    figure: str
    case: str
    measured: float
    goal: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure keeps to the goal."""
        return self.measured <= self.goal if self.at_most else self.measured >= self.goal


def lines(rows: Iterable[Row]) -> list[Line]:
    """All goals of all cases that were run."""
    cases: dict[str, dict[str, Row]] = {}
    for row in rows:
        cases.setdefault(row["case"], {})[row["engine"]] = row
    found = []
    for name, by_engine in cases.items():
        ours = by_engine.get(engines.MODELSYNC)
        if ours is not None:
            found += _of_case(name, ours, by_engine.get(engines.HF_TRANSFER.name))
    return sorted(found, key=lambda line: _FIGURES.index(line.figure))


_LINK, _DISK, _OTHERS, _CPU, _MEMORY = _FIGURES = (
    "throughput ÷ raw limit of the link",
    "throughput ÷ sequential write",
    "throughput ÷ best other engine",
    "CPU seconds per GB ÷ hf_transfer's",
    "peak memory in MiB",
)


def _of_case(name: str, ours: Row, rival: Row | None) -> list[Line]:
    found = []
    to_limit, to_other = ours["ratio_to_limit"], ours["ratio_to_best_other"]
    if to_limit is not None and "link held" in name:
        goal = 0.90 if "GB/s" in name else 0.95
        found.append(Line(figure=_LINK, case=name, measured=to_limit, goal=goal))
    if to_limit is not None and "onto a volume" in name:
        found.append(Line(figure=_DISK, case=name, measured=to_limit, goal=0.95))
    if to_other is not None:
        found.append(Line(figure=_OTHERS, case=name, measured=to_other, goal=1.0))
    if rival and rival["cpu_s_per_gb"] and ours["cpu_s_per_gb"] is not None:
        measured = round(ours["cpu_s_per_gb"] / rival["cpu_s_per_gb"], 3)
        found.append(Line(figure=_CPU, case=name, measured=measured, goal=1.0, at_most=True))
    found.append(Line(figure=_MEMORY, case=name, measured=ours["peak_mib"], goal=MOST_MIB, at_most=True))
    return found
