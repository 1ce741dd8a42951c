"""Runs of the state machine: everything that can happen to a sync, in any order that hypothesis thinks of."""

import hypothesis
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.case import Case, Tally
from tests.faults.machine import Machine

STEPS = 15


def _runs(seed: int, count: int) -> Tally:
    """`count` runs of up to STEPS steps each; the first wrong one ends them."""
    settings = hypothesis.settings(
        max_examples=count,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=False,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )

    class Seeded(Machine):
        """The machine with this seed: hypothesis keeps it on the class."""

    hypothesis.seed(seed)(Seeded)
    begun = Machine.begun
    try:
        run_state_machine_as_test(Seeded, settings=settings)
    except Exception as error:
        tried = Machine.begun - begun
        return Tally(tried=tried, passed=tried - 1, failures=[f"{type(error).__name__}: {error}"])
    return Tally(tried=count, passed=count)


CASES = (
    Case(
        suite="state machine",
        name="faults, swaps, crashes, power cuts, no space, damaged journals, two processes in any order",
        run=_runs,
        full=60,
        quick=2,
    ),
)
