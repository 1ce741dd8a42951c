"""The order of tests over processes, played with processes that run what they are given."""

import json
from collections import Counter, deque
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.parallel.groups import Group
from tests.parallel.scheduler import FREE_AT_ONCE, FREE_BESIDE_TIMING, Scheduler

Tests = list[tuple[Group, str] | tuple[Group, str, bool]]


class Process:
    """What pytest-xdist's WorkerController is to a scheduler; runs a test once it knows what follows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.given: deque[int] = deque()
        self.shutting_down = False

    def __repr__(self) -> str:
        return self.name

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down
        self.given.extend(indices)

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def runs(self) -> int | None:
        """The test that this process is busy with."""
        return self.given[0] if len(self.given) > 1 or (self.given and self.shutting_down) else None


class Play:
    """A session: which tests run at the same time is checked at every step."""

    def __init__(self, tests: Tests, processes: int, folder: Path) -> None:
        self.tests = tests
        groups = folder / "groups.json"
        groups.write_text(json.dumps([(*test, False)[:3] for test in tests]))
        self.scheduler = Scheduler(processes, groups)
        self.ran: list[tuple[int, Process]] = []
        self._made = 0
        for _ in range(processes):
            self.start()
        self.scheduler.schedule()

    def start(self) -> None:
        """One more process, which collects."""
        process = Process(f"gw{self._made}")
        self._made += 1
        self.scheduler.add_node(process)
        self.scheduler.add_node_collection(process, [str(index) for index in range(len(self.tests))])

    def busy(self) -> list[Process]:
        return [one for one in self.scheduler.nodes if one.runs is not None]

    def end_one(self, which: int) -> None:
        """Let one of the running tests end."""
        busy = self.busy()
        process = busy[which % len(busy)]
        index = process.given.popleft()
        self.ran.append((index, process))
        self.scheduler.mark_test_complete(process, index)

    def crash_one(self, which: int) -> str:
        """Let a process crash in its test, and come again."""
        busy = self.busy()
        process = busy[which % len(busy)]
        self.ran.append((process.given[0], process))
        crashed = self.scheduler.remove_node(process)
        self.start()
        self.scheduler.schedule()
        assert crashed is not None
        return crashed

    def check(self) -> None:
        running = [self.tests[one.runs][0] for one in self.busy() if one.runs is not None]
        count = Counter(running)
        if count[Group.TIMING]:
            assert count[Group.TIMING] + count[Group.FREE] == len(running), running
            assert count[Group.TIMING] == 1, running
            assert count[Group.FREE] <= FREE_BESIDE_TIMING, running
        assert count[Group.ALONE] == 0 or count[Group.ALONE] + count[Group.FREE] == len(running), running
        assert count[Group.ALONE] <= 1, running
        on_cluster = count[Group.ALONE] + count[Group.CLUSTER]
        assert count[Group.FREE] <= FREE_AT_ONCE or not on_cluster, running


def rows(*groups: str) -> Tests:
    """Tests by `GROUP:MODULE`."""
    return [(Group(one.partition(":")[0]), one) for one in groups]


TESTS = st.lists(
    st.tuples(st.sampled_from(list(Group)), st.sampled_from("abcdefgh")), min_size=1, max_size=30
).map(lambda found: [(group, f"{group} {module}") for group, module in sorted(found)])


@given(TESTS, st.integers(1, 6), st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=60))
def test_every_test_runs_once_and_only_beside_those_it_may(
    tmp_path_factory: pytest.TempPathFactory, tests: Tests, processes: int, choices: list[tuple[bool, int]]
) -> None:
    play = Play(tests, processes, tmp_path_factory.mktemp("play"))
    ends = iter(choices)
    while play.busy():
        play.check()
        crashes, which = next(ends, (False, 0))
        if crashes and len(play.ran) % 5 == 4:
            play.crash_one(which)
        else:
            play.end_one(which)
    assert sorted(index for index, _ in play.ran) == list(range(len(tests)))
    assert play.scheduler.tests_finished
    assert not play.scheduler.has_pending


def test_module_stays_in_one_process_and_in_order(tmp_path: Path) -> None:
    play = Play(rows("free:a", "free:a", "free:a", "free:b", "free:b"), 2, tmp_path)
    while play.busy():
        play.end_one(len(play.ran))
    by_process = {process: [i for i, ran in play.ran if ran is process] for _, process in play.ran}
    assert sorted(by_process.values()) == [[0, 1, 2], [3, 4]]


def test_cluster_waits_for_the_last_that_is_alone_and_then_takes_all(tmp_path: Path) -> None:
    play = Play(rows("alone:a", *(f"cluster:{n}" for n in range(9))), 4, tmp_path)
    assert [play.tests[one.runs][0] for one in play.busy() if one.runs is not None] == [Group.ALONE]
    play.end_one(0)
    assert len(play.busy()) == 4


@pytest.mark.parametrize("group", Group)
def test_early_ones_of_a_group_begin_first_and_the_others_stay_in_order(tmp_path: Path, group: Group) -> None:
    tests: Tests = [(group, "a"), (group, "b"), (group, "c", True), (group, "d"), (group, "d", True)]
    play = Play(tests, 1, tmp_path)
    while play.busy():
        play.end_one(0)
    assert [play.tests[index][1] for index, _ in play.ran] == ["c", "d", "d", "a", "b"]


def test_crashed_process_is_named_by_its_test_and_its_others_are_run(tmp_path: Path) -> None:
    play = Play(rows("free:a", "free:a", "free:a"), 1, tmp_path)
    assert play.crash_one(0) == "0"
    while play.busy():
        play.end_one(0)
    assert [index for index, _ in play.ran] == [0, 1, 2]


def test_different_collections_end_the_session_with_the_reason(tmp_path: Path) -> None:
    scheduler = Scheduler(2, tmp_path / "none")
    for number in range(2):
        process = Process(f"gw{number}")
        scheduler.add_node(process)
        scheduler.add_node_collection(process, [f"test-{number}"])
    with pytest.raises(RuntimeError, match="different tests"):
        scheduler.schedule()
