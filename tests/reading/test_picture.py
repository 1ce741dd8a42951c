"""Several ModelSyncs as one: groups, queues and the whole."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.api.reasons import Phase, QueueReason, Reason
from modelsync.reading import picture
from modelsync.reading.values import Picture, Row
from tests.builders import MB, NOW, a_sync, ago
from tests.reading.objects import as_object, downloading, in_phase

_COMPLETE = in_phase(Phase.COMPLETE, Reason.SYNCED)
_FAILED = in_phase(Phase.FAILED, Reason.NOT_FOUND)
_QUEUED = in_phase(Phase.QUEUED, Reason.QUEUED)
_DOWNLOADING = in_phase(Phase.DOWNLOADING, Reason.DOWNLOADING)
_STALLED = in_phase(Phase.DOWNLOADING, Reason.DOWNLOAD_STALLED)
_RETRYING = in_phase(Phase.QUEUED, Reason.BACKING_OFF)
_PAUSED = in_phase(Phase.PAUSED, Reason.PAUSED)
_CANCELLED = in_phase(Phase.CANCELLED, Reason.CANCELLED)

_STATES: dict[str, tuple[tuple[Any, ...], str, str]] = {
    "nothing": ((), "Idle", "grey"),
    "all complete": ((_COMPLETE, _COMPLETE), "Complete", "green"),
    "complete and cancelled": ((_COMPLETE, _CANCELLED), "Complete", "green"),
    "cancelled only": ((_CANCELLED,), "Idle", "grey"),
    "one runs": ((_COMPLETE, _DOWNLOADING, _QUEUED), "Active", "blue"),
    "one stalls": ((_DOWNLOADING, _STALLED), "Stalled", "amber"),
    "one waits for a retry": ((_DOWNLOADING, _RETRYING), "Retrying", "amber"),
    "all wait": ((_QUEUED,), "Waiting", "amber"),
    "one failed while others run": ((_FAILED, _DOWNLOADING, _STALLED), "Failed", "red"),
    "paused": ((_PAUSED, _COMPLETE), "Paused", "grey"),
}


def _picture(syncs: Sequence[Any], queues: Sequence[Any] = ()) -> Picture:
    return picture.read(syncs, queues, NOW)


@pytest.mark.parametrize("case", _STATES)
def test_the_colour_of_several(case: str) -> None:
    syncs, word, colour = _STATES[case]
    state = _picture([as_object(sync) for sync in syncs]).whole.state
    assert (state.word, str(state.colour)) == (word, colour)


def test_the_whole_sums_up_what_is_to_be_had() -> None:
    cancelled = downloading("gone", 1, 9_000)
    cancelled["status"]["phase"] = "Cancelled"
    found = _picture([downloading("a", 1_000, 2_000, 40), downloading("b", 0, 2_000, 60), cancelled]).whole
    assert (found.bytes.text, found.bytes.percent_text) == ("1.0GB / 4.0GB", "25.0%")
    assert found.speed is not None and found.speed.text == "100MB/s"
    assert found.eta is not None and found.eta.seconds == 30
    assert (found.complete_text, found.title) == ("0 of 2 models", "(25%) modelsync")


def test_time_left_is_the_least_while_the_size_of_some_is_unknown() -> None:
    found = _picture([downloading("a", 1_000, 2_000, 100), as_object(_QUEUED)]).whole
    assert found.eta is not None and found.eta.text == "≥ 10s"


def test_a_queue_in_which_nothing_runs_has_no_time_left() -> None:
    waiting = downloading("a")
    waiting["status"]["phase"] = "Queued"
    assert _picture([waiting]).whole.eta is None


def test_nothing_to_be_done_has_a_plain_title() -> None:
    assert _picture([as_object(_COMPLETE)]).whole.title == "modelsync"


def test_groups_are_by_name_and_else_by_namespace() -> None:
    grouped = as_object(a_sync("a").in_namespace("one"), group="vision")
    same = as_object(a_sync("b").in_namespace("two"), group="vision")
    alone = as_object(a_sync("c").in_namespace("two"))
    found = _picture([alone, grouped, same]).groups
    assert [(group.name, group.namespaces, group.rows) for group in found] == [
        ("two", ("two",), ("two/c",)),
        ("vision", ("one", "two"), ("one/a", "two/b")),
    ]


def _queue(name: str = "default", spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "system"}, "spec": spec or {}, "status": status}


def test_a_queue_names_three_and_counts_the_rest() -> None:
    figures: dict[str, Any] = {"active": 5, "waiting": 2, "complete": 7, "failed": 0, "cancelled": 1}
    queue = _queue(
        spec={"maxActive": 8},
        running=["team/a", "team/b", "team/c"],
        oldestWaitSince=ago(75).isoformat(),
        **figures,
    )
    (found,) = _picture([], [queue]).queues
    assert found.running_text == "team/a, team/b, team/c +2 more"
    assert (found.slots_used, found.slots, found.oldest_wait_seconds) == (5, 8, 75)
    assert (found.counts.total, found.state.word, found.admits) == (15, "Active", True)


_CLOSED: dict[str, tuple[dict[str, Any], str]] = {
    "suspended": (_queue(spec={"suspend": True}), "the queue is suspended (spec.suspend)"),
    "without slots": (_queue(spec={"maxActive": 0}), "the queue has no slots (spec.maxActive is 0)"),
    "disabled": (
        _queue(
            conditions=[{"type": "Ready", "status": "False", "reason": "DownloadsDisabled", "message": "no"}]
        ),
        "no",
    ),
}


@pytest.mark.parametrize("case", _CLOSED)
def test_a_queue_that_admits_nothing_says_why(case: str) -> None:
    queue, message = _CLOSED[case]
    (found,) = _picture([as_object(_QUEUED)], [queue]).queues
    assert (found.admits, found.message, found.state.word) == (False, message, "Waiting")


def test_a_queue_that_is_not_there_is_shown_all_the_same() -> None:
    sync = as_object(_QUEUED.in_queue("gpu"))
    sync["status"]["queue"] = {
        "name": "gpu",
        "reason": QueueReason.QUEUE_NOT_FOUND,
        "since": ago(9).isoformat(),
    }
    (found,) = _picture([sync]).queues
    assert (found.name, found.exists, found.oldest_wait_seconds) == ("gpu", False, 9)


def test_a_queue_that_the_caller_may_not_see_is_not_called_missing() -> None:
    (found,) = _picture([downloading()]).queues
    assert (found.exists, found.slots, found.running_text) == (True, None, "team/llama")


def test_what_needs_somebody_comes_first() -> None:
    order = [
        _COMPLETE,
        _CANCELLED,
        _PAUSED,
        a_sync("new"),
        _QUEUED,
        _DOWNLOADING,
        _RETRYING,
        _FAILED,
        _STALLED,
    ]
    found = [row.badge.word for row in _picture([as_object(sync) for sync in order]).rows]
    assert found == [
        "Stalled", "Failed", "Retrying", "Downloading", "Queued", "New", "Paused", "Cancelled", "Complete",
    ]  # fmt: skip


_SYNCS = st.lists(
    st.tuples(
        st.sampled_from(
            ["Queued", "Downloading", "Complete", "Failed", "Cancelled", "Paused", "Other", None]
        ),
        st.integers(0, 10**6),
        st.none() | st.integers(0, 10**6),
        st.none() | st.integers(0, 10**4),
        st.sampled_from(["one", "two", None]),
        st.sampled_from(["default", "gpu"]),
    ),
    max_size=8,
)


@settings(max_examples=50, deadline=None)
@given(_SYNCS)
def test_sums_are_those_of_their_parts(syncs: list[Any]) -> None:
    made = []
    for number, (phase, done, total, speed, group, queue) in enumerate(syncs):
        sync = downloading(f"s{number}", done, total, speed)
        sync["spec"] |= {"queue": queue} | ({} if group is None else {"group": group})
        sync["status"]["phase"] = phase
        made.append(sync)
    found = _picture(made, [_queue()])
    assert sum(group.counts.total for group in found.groups) == found.whole.counts.total == len(made)
    assert sorted(name for group in found.groups for name in group.rows) == sorted(map(_name, found.rows))
    for part in ("done", "total"):
        parts = sum(getattr(group.bytes, part) or 0 for group in found.groups)
        assert (getattr(found.whole.bytes, part) or 0) == parts
        rows = [row for row in found.rows if row.phase != "Cancelled" and row.bytes.total is not None]
        assert parts == sum(getattr(row.bytes, part) or 0 for row in rows)
    speeds = [group.speed.bytes_per_second for group in found.groups if group.speed is not None]
    assert sum(speeds) == (found.whole.speed.bytes_per_second if found.whole.speed is not None else 0)
    ones: list[Any] = [found.whole, *found.groups, *found.queues]
    for one in ones:
        counts = one.counts
        parts = [getattr(counts, name) for name in type(counts).model_fields if name != "total"]
        assert counts.total == sum(parts)
        share = getattr(one, "bytes", None)
        assert share is None or share.percent is None or 0 <= share.percent <= 100
    assert found.dump()


def _name(row: Row) -> str:
    return f"{row.namespace}/{row.name}"


def test_the_network_is_what_all_workers_carry_by_node_and_in_total() -> None:
    syncs = [
        downloading("a", speed=40, node="one", network=(45 * MB, 100_000)),
        downloading("b", speed=2, node="one", network=(3 * MB, 20_000)),
        downloading("c", speed=1, node="two", network=(1 * MB, 5_000)),
        downloading("d", speed=7, node="three"),
        downloading("e", speed=7, network=(1 * MB, 5_000)),
        as_object(_COMPLETE),
    ]
    found = _picture(syncs)
    rates = [
        (node.name, node.syncs, node.network and node.network.text) for node in picture.nodes(found.rows)
    ]
    assert rates == [
        ("one", 2, "↓ 48.0MB/s  ↑ 120KB/s"),
        ("three", 1, None),
        ("two", 1, "↓ 1.0MB/s  ↑ 5.0KB/s"),
    ]
    assert found.whole.network is not None and found.whole.network.text == "↓ 50.0MB/s  ↑ 130KB/s"
    assert _picture([downloading(node="three")]).whole.network is None


@pytest.mark.parametrize("change", [{"phase": "Failed"}, {"phase": "Verifying"}, {"phase": "Paused"}])
def test_a_network_is_shown_only_while_bytes_come(change: dict[str, str]) -> None:
    sync = downloading(network=(45 * MB, 100_000))
    assert _picture([sync]).whole.network is not None
    sync["status"] |= change
    assert _picture([sync]).whole.network is None


def test_a_network_is_shown_before_there_is_a_speed() -> None:
    # A speed needs 1.5 s of bytes, the counters of a device only two looks.
    [row] = _picture([downloading(speed=None, network=(45 * MB, 100_000))]).rows
    assert row.speed is None and row.network is not None
