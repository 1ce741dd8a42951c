"""Slow lines, low limits and bodies without a length: the engine never waits for itself."""

import logging

from dev.faults.case import Case, Tally
from tests.simulated import pulls

SUITE = "slow"


def simulated(seed: int, count: int) -> Tally:
    """Pulls of the product's engine in a world of its own, where all that can be chosen a seed chooses."""
    tally = Tally()
    logging.disable()
    try:
        for number in range(seed, seed + count):
            ended = pulls.run(pulls.drawn(number), number)
            tally.add(not ended.wrong, f"seed {number}: {ended.wrong}")
    finally:
        logging.disable(logging.NOTSET)
    return tally


CASES: tuple[Case, ...] = (
    Case(
        suite=SUITE,
        name="simulated: any sizes, told or not, connections, speeds, limits, disks and cuts end right",
        run=simulated,
        full=20_000,
        quick=60,
    ),
)
