"""What to write of a status, and how urgent it is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.api import modelsync_status as api
from modelsync.api.conditions import Condition
from modelsync.api.reasons import Phase, QueueReason, Reason
from modelsync.api.source import transfer
from modelsync.api.worker_pod.status import WorkerStatus
from modelsync.core import status_patch
from tests.builders import NOW, a_failure, ago

VALUES = st.recursive(
    st.integers() | st.text(max_size=3) | st.booleans() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


def apply_merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply_merge_patch(result.get(key), value)
    return result


@given(OBJECTS, OBJECTS)
def test_a_patch_makes_the_new_of_the_old(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert apply_merge_patch(old, status_patch.merge_patch(old, new)) == new


@given(OBJECTS)
def test_an_equal_object_needs_no_patch(value: dict[str, Any]) -> None:
    assert status_patch.merge_patch(value, value) == {}


def test_a_patch_holds_nothing_that_stays() -> None:
    old = {"a": 1, "b": {"c": 1, "d": 2}, "e": [1]}
    new = {"a": 1, "b": {"c": 1, "d": 3}, "e": [1], "f": {}}
    assert status_patch.merge_patch(old, new) == {"b": {"d": 3}, "f": {}}


def ready(**fields: Any) -> tuple[Condition, ...]:
    return (
        Condition(
            **{
                "type": "Ready",
                "status": "False",
                "reason": "Queued",
                "message": "m",
                "last_transition_time": NOW,
                **fields,
            }
        ),
    )


def waiting(**fields: Any) -> api.QueueStatus:
    return api.QueueStatus(
        **{"name": "default", "position": 1, "reason": QueueReason.CONCURRENCY_LIMIT, "since": NOW, **fields}
    )


BASE = api.ModelSyncStatus(
    phase=Phase.QUEUED, attempts=1, observed_generation=1, queue=waiting(), conditions=ready()
)


@pytest.mark.parametrize(
    ("change", "urgent"),
    [
        pytest.param({"phase": Phase.FAILED}, True, id="phase"),
        pytest.param({"attempts": 2}, True, id="attempt"),
        pytest.param({"failures": 1}, True, id="failures"),
        pytest.param({"last_failure": a_failure()}, True, id="failure"),
        pytest.param({"observed_generation": 2}, True, id="generation"),
        pytest.param({"resolved": transfer.Resolved(revision="r")}, True, id="resolved"),
        pytest.param({"worker": WorkerStatus(pod_name="p")}, True, id="worker"),
        pytest.param({"conditions": ready(reason=Reason.DOWNLOADING)}, True, id="reason of a condition"),
        pytest.param({"conditions": ready(status="True")}, True, id="status of a condition"),
        pytest.param({"conditions": ()}, True, id="a condition that goes"),
        pytest.param({"queue": waiting(reason=QueueReason.SUSPENDED)}, True, id="why it waits"),
        pytest.param({"queue": None}, True, id="that it waits no more"),
        pytest.param({"queue": waiting(position=2)}, False, id="position"),
        pytest.param({"progress": api.ProgressStatus(bytes_done=1)}, False, id="progress"),
        pytest.param({"display": api.Display(speed="1B/s")}, False, id="texts"),
        pytest.param({"conditions": ready(message="other")}, False, id="a message alone"),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_a_transition_is_what_people_and_programs_wait_for(change: dict[str, Any], urgent: bool) -> None:
    assert status_patch.is_transition(BASE, BASE.replace(**change)) == urgent


def test_a_transition_time_alone_is_none() -> None:
    assert not status_patch.is_transition(BASE, BASE.replace(conditions=ready(last_transition_time=ago(9))))
