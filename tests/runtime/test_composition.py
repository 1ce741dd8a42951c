"""All parts together, under faults: ten broken namespaces cost the others next to nothing."""

import pytest

from tests.runtime import composition


@pytest.mark.slow
@pytest.mark.early
def test_ten_namespaces_broken_in_ten_ways_leave_the_others_their_throughput() -> None:
    alone = composition.run(bad=0, good=1, slots=6)
    mixed = composition.run(bad=1, good=1, slots=6)
    assert alone.seconds / mixed.seconds >= 0.95
    assert mixed.taken_back == [], "no status goes back from Complete"
    assert mixed.in_time == mixed.plans, "no plan waits longer than a second"
    for fault, reason in composition.REASONS.items():
        said = mixed.reasons[fault]
        assert reason == "" or said == {reason}, (fault, said)
