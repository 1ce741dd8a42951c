"""No namespace holds up another's polls, limits, status writes or Events, and alone it has all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.runtime.common import fair_shares, token_bucket
from modelsync.runtime.workers import progress_poller
from tests.runtime import tenants
from tests.runtime.tenants import VICTIM


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 6))
def test_turns_go_to_the_namespace_that_waited_longest(moves: list[int], spaces: int) -> None:
    turns, waiting, last = fair_shares.Turns[int](), dict[str, list[int]](), dict[str, int]()
    for number, move in enumerate(moves):
        if move:
            space = f"n{move % spaces}"
            turns.put(space, 0, number)
            waiting.setdefault(space, []).append(number)
            continue
        found = turns.pop()
        if not any(waiting.values()):
            assert found is None
            continue
        assert found is not None
        (space,) = [name for name, items in waiting.items() if found in items]
        assert last.get(space, -1) == min(last.get(name, -1) for name, items in waiting.items() if items)
        assert found == waiting[space].pop(0)
        last[space] = number


def test_a_namespace_that_may_not_keeps_its_place() -> None:
    turns = fair_shares.Turns[str]()
    for space in ("a", "b", "a", "b"):
        turns.put(space, 0, space)
    assert [turns.pop(lambda space: space != "a"), turns.pop(), turns.pop(), turns.pop()] == list("baba"), (
        "the one that was passed by is next"
    )


def test_namespaces_that_come_and_go_take_no_room() -> None:
    turns = fair_shares.Turns[int]()
    for number in range(20_000):
        turns.put(f"n{number}", 0, number)
        assert turns.pop() == number
    assert len(turns._order._last) < 5_000 and len(turns._order._heap) < 200


@pytest.mark.parametrize("greedy", [1, 2, 10, 30])
def test_room_is_left_for_the_next_namespace_however_many_take_all_they_can(greedy: int) -> None:
    room = fair_shares.Room(128)
    held = 0
    while any(room.has_for(f"n{number}") for number in range(greedy)):
        for number in range(greedy):
            if room.has_for(f"n{number}"):
                room.enter(f"n{number}")
                held += 1
    assert room.has_for("another")
    assert held >= 128, "a share is no cap"


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=30))
def test_a_level_uses_all_and_gives_the_modest_what_they_ask_for(demands: list[int]) -> None:
    level = fair_shares.level(demands, 1000)
    given_out = sum(min(demand, level) for demand in demands)
    assert given_out == pytest.approx(min(1000, sum(demands)))
    assert level >= 1000 / len(demands) - 1e-9


@pytest.mark.parametrize("spaces", [1, 20])
def test_a_worker_is_polled_at_its_interval_beside_those_that_answer_late(spaces: int) -> None:
    found = tenants.polls_beside(1000, spaces=spaces, answer_after=0.95, seconds=12)
    assert found.longest_gap <= 4.0, "twice its interval of 2 s"
    assert found.limit_after <= 0.5


def test_the_interval_grows_with_a_namespaces_own_workers() -> None:
    assert progress_poller.intervals_of({"red": 10_000, VICTIM: 3}, 1.0)[VICTIM] == 2.0
    assert progress_poller.intervals_of({"red": 3000}, 1.0) == {"red": 6.0}
    assert progress_poller.intervals_of({"red": 10, VICTIM: 3}, 1.0) == {"red": 1.0, VICTIM: 1.0}


def test_the_distance_of_progress_grows_with_a_namespaces_own_objects() -> None:
    apart = token_bucket.distances({"red": 10_000, VICTIM: 3}, 20)
    assert apart.of(VICTIM) == 1.0
    assert apart.of("red") == pytest.approx(10_000 / 12)
    assert token_bucket.distances({"red": 200}, 20).of("red") == pytest.approx(200 / 15)


@pytest.mark.parametrize(("spaces", "count"), [(1, 1000), (40, 10)])
def test_a_transition_is_written_in_time_beside_objects_that_change_as_they_are_written(
    spaces: int, count: int
) -> None:
    found = tenants.writes_beside(count, spaces=spaces, turns=3)
    assert found.longest <= 2.0
    assert found.a_second >= 15, "the budget is used"


def test_alone_a_namespace_has_the_whole_budget() -> None:
    assert tenants.seconds_to_write(400, rate=20) <= 400 / 20 + 1


@pytest.mark.parametrize(("spaces", "count"), [(1, 3000), (40, 100)])
def test_an_event_is_posted_in_time_beside_thousands_of_another_namespace(spaces: int, count: int) -> None:
    assert tenants.event_beside(count, spaces=spaces) <= 1.0


def test_alone_a_namespace_has_the_whole_queue_of_events() -> None:
    assert tenants.events_kept(2000) == 1000
