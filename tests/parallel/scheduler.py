"""The order of tests over several processes: what waits runs side by side, what needs room has it.

pytest-xdist brings schedulers that spread tests evenly. This one knows groups (tests/parallel/groups.py):
first the `timing` tests, in one process; then those that need the cluster `alone`, in one process; beside
both those that need no cluster, in one process, then in one more than there are cores; and when the last
`alone` is done, the others on the cluster, which wait most of the time, in all processes left.
Within a group, what is marked `early` or `values` begins first (groups.row).

A process of pytest-xdist begins a test only when it has the next one, or knows that none comes. So each holds
one more than it runs, and where nothing may begin yet, its last test waits as well.
"""

import json
import os
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from xdist.workermanage import WorkerController

from tests.parallel.groups import Group

FREE_AT_ONCE = (os.cpu_count() or 1) + 1
"""Tests without a cluster beside others on it: one more than cores, since they wait for half of their time.
With more, none would be left for the processors when the long ones on the cluster begin, which wait."""
FREE_BESIDE_TIMING = 1
"""What measures takes one core at most, and goes before what is free (tests/parallel/plugin.py)."""


@dataclass(slots=True)
class _Process:
    """What one process has to do."""

    pending: deque[int] = field(default_factory=deque)
    group: Group | None = None
    """Of the unit that it was given last."""


class Scheduler:
    """pytest-xdist's protocol `Scheduling`."""

    def __init__(self, processes: int, groups: Path) -> None:
        """`groups` is where a process has written each test's group, unit and whether it is early."""
        self._wanted = processes
        self._groups = groups
        self._processes: dict[WorkerController, _Process] = {}
        self._collected: dict[WorkerController, list[str]] = {}
        self._queues: dict[Group, deque[list[int]]] = {}
        self._group: dict[int, Group] = {}
        self._left: Counter[Group] = Counter()
        self._begun = False

    @property
    def nodes(self) -> list[WorkerController]:
        """All processes that live."""
        return list(self._processes)

    @property
    def collection_is_completed(self) -> bool:
        """Whether all processes have collected."""
        return len(self._collected) >= self._wanted

    @property
    def tests_finished(self) -> bool:
        """Whether nothing is left to give; a process may still run its last test."""
        busy = any(len(process.pending) > 1 for process in self._processes.values())
        return self._begun and not busy and not any(self._queues.values())

    @property
    def has_pending(self) -> bool:
        """Whether any test has not ended yet."""
        return self._left.total() > 0

    def add_node(self, node: WorkerController) -> None:
        """A process has started."""
        self._processes[node] = _Process()

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """A process has collected."""
        self._collected[node] = list(collection)

    def schedule(self) -> None:
        """All processes have collected, or one has come in the place of one that crashed."""
        if not self._begun:
            self._begin()
        self._feed_all()

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """A test has ended, with all that it tears down."""
        self._processes[node].pending.remove(item_index)
        self._left[self._group[item_index]] -= 1
        self._feed_all()

    def remove_node(self, node: WorkerController) -> str | None:
        """A process has ended; returns the test in which it crashed, if it did. Others take its next ones."""
        pending = self._processes.pop(node).pending
        collected = self._collected.pop(node, [])
        if not pending:
            return None
        crashed = pending.popleft()
        self._left[self._group[crashed]] -= 1
        for index in reversed(pending):
            self._queues[self._group[index]].appendleft([index])
        return collected[crashed]

    def mark_test_pending(self, item: str) -> NoReturn:
        """Of `--dist=each`'s kind of reruns only."""
        raise NotImplementedError

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> NoReturn:
        """Of `--dist=worksteal` only."""
        raise NotImplementedError

    def _begin(self) -> None:
        collections = list(self._collected.values())
        if any(one != collections[0] for one in collections):
            raise RuntimeError("the processes collected different tests: names depend on order or time")
        self._begun = True
        units: dict[tuple[Group, str], list[int]] = {}
        early: set[tuple[Group, str]] = set()
        for index, (name, unit, is_early) in enumerate(json.loads(self._groups.read_text())):
            group = self._group[index] = Group(name)
            units.setdefault((group, unit), []).append(index)
            if is_early:
                early.add((group, unit))
        self._left.update(self._group.values())
        ordered = sorted(units, key=lambda key: key not in early)
        self._queues = {group: deque(units[key] for key in ordered if key[0] is group) for group in Group}

    def _feed_all(self) -> None:
        for node, process in self._processes.items():
            while len(process.pending) < 2 and not node.shutting_down:
                if not any(self._queues.values()):
                    node.shutdown()
                elif group := self._choose(process):
                    self._give(node, process, group)
                else:
                    break

    def _give(self, node: WorkerController, process: _Process, group: Group) -> None:
        unit = self._queues[group].popleft()
        process.group = group
        process.pending.extend(unit)
        node.send_runtest_some(unit)

    def _choose(self, process: _Process) -> Group | None:
        """The group of the next unit for a process, if one may begin now."""
        own = [process.group] if process.group else []
        order = [*own, Group.TIMING, Group.ALONE, Group.FREE, Group.CLUSTER]
        return next((group for group in order if self._queues[group] and self._may(process, group)), None)

    def _may(self, process: _Process, group: Group) -> bool:
        others = Counter(one.group for one in self._processes.values() if one is not process and one.pending)
        first = next((one for one in (Group.TIMING, Group.ALONE) if self._runs_elsewhere(process, one)), None)
        if first is Group.TIMING:
            return group is Group.FREE and others[Group.FREE] < FREE_BESIDE_TIMING
        if first is Group.ALONE and group in (Group.ALONE, Group.CLUSTER):
            return False
        if group is Group.CLUSTER and self._queues[Group.ALONE]:
            return False
        # With nothing left but these, all processes are theirs.
        spare = not self._left[Group.CLUSTER] and not self._left[Group.ALONE]
        return group is not Group.FREE or spare or others[Group.FREE] < FREE_AT_ONCE

    def _runs_elsewhere(self, process: _Process, group: Group) -> bool:
        """Whether another process has tests of a group, the last of which may be running."""
        return any(
            self._group[index] is group
            for one in self._processes.values()
            if one is not process
            for index in one.pending
        )
