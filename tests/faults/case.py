"""What a suite of fault cases is made of.

A case is a function of a seed and a count: it injects that many faults and counts how many ended as they
should. `make faults` runs every case with its full count and writes the table; the tests run the same
functions with a small one. So the published figures and the tests cannot drift apart.
"""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Tally:
    """How many faults were injected, and how many ended as they should."""

    tried: int = 0
    passed: int = 0
    failures: list[str] = field(default_factory=list)
    """What went wrong, with the seed or index that shows it again; at most 20 are kept."""

    def add(self, right: bool, otherwise: str = "") -> None:
        """Count one try; `otherwise` says what happened when it did not end right."""
        self.tried += 1
        self.passed += right
        if not right and len(self.failures) < 20:
            self.failures.append(otherwise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the fault table."""

    suite: str
    name: str
    """In words: the fault, and what must hold."""
    run: Callable[[int, int], Tally]
    """Takes the seed and the count."""
    full: int
    """Count for `make faults`."""
    quick: int
    """Count for the tests; 0 leaves the case to `make faults`."""
