"""What many open pages cost, in small; `make page` measures it for 5,000 ModelSyncs and 200 pages."""

import asyncio

import pytest

from tests.page import scale


@pytest.mark.slow
def test_pages_that_stay_open_cost_no_request_and_those_of_one_user_share_a_watch() -> None:
    found = asyncio.run(scale.measured(100, 10, clients=8, seconds=2))
    assert found.requests_per_minute == 0
    # Each of nine pages asks whether its user may list all; each of three users lists and watches both kinds.
    assert found.lists <= 9 + 3 * 4
