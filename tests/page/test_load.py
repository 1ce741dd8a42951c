"""A thousand rows that all change each second. The full form measures for ten minutes (`make page`)."""

import pytest

from tests import counts
from tests.page import load
from tests.page.browsing import TOKEN, Visit, run
from tests.web.fake_cluster import ALL, FakeCluster

SECONDS = counts.chosen(short=3, full=600)
BOUND = SECONDS + 900
"""Seconds, for a machine that does much else."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(BOUND)]
MOST_TASK_MS = 50
MOST_LINES = 60
MOST_SLOPE_MB = 0.1
"""A minute; 6 MB an hour is what rounding of the readings alone comes to."""


def test_a_thousand_rows_that_change_each_second_are_drawn_in_short_tasks() -> None:
    cluster, crowd = FakeCluster(users={TOKEN: {ALL, "modelsync-system"}}), load.a_crowd(1000)
    cluster.put(*crowd)

    async def test(visit: Visit) -> None:
        costs = await load.measured(visit, crowd, SECONDS)
        assert costs.lines <= MOST_LINES
        assert max(costs.tasks_ms, default=0) <= MOST_TASK_MS
        assert costs.slope <= MOST_SLOPE_MB

    run(cluster, test, seconds=BOUND)
