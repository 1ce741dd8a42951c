"""What a suite of attacks is made of.

An attack is a generator: it tries one variant after another and yields (variant, problem), where the
problem is "" when the variant was refused, and otherwise says what the attacker reached. An exception
counts as a problem of a variant called "unfinished": an attack that cannot be tried is not refused. `make
attacks` runs all of them with `full=True` and writes the table; the tests run the same functions with
`full=False`, which keeps the variants that differ in kind.

    def deep(full: bool) -> Iterator[Outcome]:
        for depth in (9_990, 300, 100) if full else (9_990,):
            yield f"{depth} levels", problem_of(depth)

    ATTACKS = (Attack(topic="objects", name="a ModelSync nested without end", how=Ground.CLUSTER, run=deep),)

A module in `suites/` holds the attacks of one topic in `ATTACKS`; nothing else has to be registered.
Attacks on the cluster find the release of `tests.e2e.release` installed (with its values), make namespaces
by `kube.namespace`, act as users by impersonation (`--as`), and remove what they made. Attacks on loopback
bring their own servers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

Outcome = tuple[str, str]


class Ground(StrEnum):
    """Where an attack is tried; the values are the table's words."""

    CLUSTER = "on a real cluster"
    LOOPBACK = "by real processes on loopback"
    CODE = "against the code itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One row of the table of attacks."""

    topic: str
    name: str
    """In words: what the attacker does."""
    how: Ground
    run: Callable[[bool], Iterator[Outcome]]
    """Takes whether all variants are tried."""
    in_tests: bool = True
    """False leaves it to `make attacks`, where even its short form takes more than some seconds."""


@dataclass(slots=True, kw_only=True)
class Result:
    """What became of an attack's variants."""

    tried: int = 0
    refused: int = 0
    problems: list[str] = field(default_factory=list)
    """Each variant that was not refused, with what the attacker reached."""


def tried(attack: Attack, *, full: bool) -> Result:
    """Run an attack and count."""
    result = Result()
    try:
        for variant, problem in attack.run(full):
            _count(result, variant, problem)
    except Exception as error:
        _count(result, "unfinished", f"{type(error).__name__}: {error}")
    return result


def _count(result: Result, variant: str, problem: str) -> None:
    result.tried += 1
    if problem:
        result.problems.append(f"{variant}: {problem}")
    else:
        result.refused += 1
