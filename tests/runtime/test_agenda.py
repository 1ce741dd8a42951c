"""Whose turn it is: the same answer as walking all slots, and at a price that does not grow with them."""

import time
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import parsing
from modelsync.runtime.cluster.resources import SYNCS
from modelsync.runtime.writes import write_queue
from tests import counts
from tests.runtime import harness

RECORD = parsing.sync_record(harness.versioned(harness.sync(phase="Queued"), 1))


def slot(number: int) -> write_queue.Slot:
    return write_queue.Slot(resource=SYNCS, namespace="models", name=f"s{number}", uid=f"u{number}")


def pending(record: snapshot.SyncRecord = RECORD, *, urgent: bool) -> write_queue.PendingWrite:
    return write_queue.PendingWrite(record=record, status=record.status.replace(attempts=1), urgent=urgent)


MOVES = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.sampled_from(["urgent", "calm", "withdraw", "send", "back", "rest"]),
        st.floats(0, 5),
    ),
    max_size=80,
)


@given(MOVES)
@settings(max_examples=counts.chosen(short=60, full=300), deadline=None)
def test_the_first_is_the_one_that_was_written_longest_ago(moves: Any) -> None:
    now, found, slots = 0.0, write_queue.Agenda(), [slot(number) for number in range(8)]
    for number, move, seconds in moves:
        now += seconds
        each = slots[number]
        if move in ("urgent", "calm"):
            each.pending = pending(urgent=move == "urgent")
        elif move == "withdraw":
            each.pending = None
        elif move == "send" and each.pending is not None:
            each.busy, each.sent = True, now
        elif move == "back":
            each.busy = False
        elif move == "rest" and each.busy:
            each.busy, each.not_before = False, now + seconds
        found.place(each, now)
        waiting = [s for s in slots if s.pending is not None and not s.busy]
        for urgent, first in ((True, found.urgent(now)), (False, found.calm(now))):
            due = [s for s in waiting if s.not_before <= now and s.pending and s.pending.urgent == urgent]
            assert (first is None) == (not due)
            assert first is None or first.sent == min(s.sent for s in due)
        resting = [s.not_before for s in waiting if s.not_before > now]
        assert found.awakes() == min(resting, default=None)


def test_a_slot_that_changes_its_mind_forever_takes_no_more_room() -> None:
    found, only = write_queue.Agenda(), slot(1)
    for number in range(10_000):
        only.pending = pending(urgent=number % 2 == 0)
        found.place(only, 0.0)
    lines = [*found._urgent._lines.values(), *found._calm._lines.values()]
    assert sum(len(line._heap) for line in lines) + len(found._urgent._order._heap) < 300


def seconds_for_a_thousand(waiting: int) -> float:
    found = write_queue.Agenda()
    for number in range(waiting):
        each = slot(number)
        each.pending = pending(urgent=number % 2 == 0)
        found.place(each, 0.0)
    began = time.process_time()
    for turn in range(1000):
        first = found.urgent(float(turn)) if turn % 2 else found.calm(float(turn))
        assert first is not None
        first.sent = float(turn)
        write_queue.leave(first)
        found.place(first, float(turn))
    return time.process_time() - began


def test_ten_thousand_waiting_cost_no_more_than_a_hundred() -> None:
    few, many = (min(seconds_for_a_thousand(count) for _ in range(3)) for count in (100, 10_000))
    assert many < 10 * few, "walking all of them would cost a hundred times as much"


def test_a_wish_is_for_its_own_version() -> None:
    made = pending(replace(RECORD, resource_version="7"), urgent=True).body()
    assert made == {"metadata": {"resourceVersion": "7"}, "status": {"attempts": 1}}
