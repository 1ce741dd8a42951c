"""Every case of the fault table, with a small count."""

import pytest

from tests.faults.case import Case
from tests.faults.suites import every

SEED = 7
QUICK = [case for case in every() if case.quick]


@pytest.mark.parametrize("case", QUICK, ids=[f"{case.suite}: {case.name}" for case in QUICK])
def test_every_injected_fault_ends_as_it_should(case: Case) -> None:
    tally = case.run(SEED, case.quick)
    assert tally.tried >= 1
    assert not tally.failures
    assert tally.passed == tally.tried
