"""What people read of one ModelSync, in every state and of every version."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.api.modelsync_status import LastFailure, ProgressStatus, QueueStatus
from modelsync.api.reasons import Phase, QueueReason, Reason
from modelsync.reading import reason_texts, rows
from modelsync.reading.values import EtaState
from tests.builders import MB, NOW, a_sync, ago
from tests.reading.objects import as_object, downloading, in_phase

_BADGES: dict[str, tuple[Any, str, str]] = {
    "an object that the operator has not seen": (a_sync(), "New", "grey"),
    "in its queue": (in_phase(Phase.QUEUED, Reason.QUEUED), "Queued", "yellow"),
    "between two attempts": (in_phase(Phase.QUEUED, Reason.BACKING_OFF), "Retrying", "amber"),
    "held up by its volume": (in_phase(Phase.QUEUED, Reason.VOLUME_NOT_FOUND), "Blocked", "amber"),
    "starting": (in_phase(Phase.QUEUED, Reason.STARTING), "Queued", "yellow"),
    "listing": (in_phase(Phase.DOWNLOADING, Reason.RESOLVING), "Downloading", "blue"),
    "downloading": (in_phase(Phase.DOWNLOADING, Reason.DOWNLOADING), "Downloading", "blue"),
    "stalled": (in_phase(Phase.DOWNLOADING, Reason.DOWNLOAD_STALLED), "Stalled", "amber"),
    "made to wait by its origin": (in_phase(Phase.DOWNLOADING, Reason.RATE_LIMITED), "Waiting", "amber"),
    "verifying": (in_phase(Phase.VERIFYING, Reason.VERIFYING), "Verifying", "blue"),
    "complete": (in_phase(Phase.COMPLETE, Reason.SYNCED), "Complete", "green"),
    "failed": (in_phase(Phase.FAILED, Reason.ACCESS_DENIED), "Failed", "red"),
    "cancelled": (in_phase(Phase.CANCELLED, Reason.CANCELLED), "Cancelled", "black"),
    "paused": (in_phase(Phase.PAUSED, Reason.PAUSED), "Paused", "grey"),
}


@pytest.mark.parametrize("case", _BADGES)
def test_a_badge_is_a_word_and_a_colour(case: str) -> None:
    sync, word, colour = _BADGES[case]
    badge = rows.read(as_object(sync), NOW).badge
    assert (badge.word, str(badge.colour), len(badge.icon)) == (word, colour, 1)


def test_a_phase_of_a_newer_operator_is_shown_by_its_own_word() -> None:
    sync = as_object(a_sync())
    sync["status"] = {"phase": "Mirroring", "conditions": [{"type": "Ready", "reason": "Mirrored"}]}
    row = rows.read(sync, NOW)
    assert (row.badge.word, row.badge.colour, row.reason, row.remedy) == (
        "Mirroring",
        "grey",
        "Mirrored",
        None,
    )


def test_a_download_shows_bytes_files_speed_and_time_left() -> None:
    row = rows.read(downloading(), NOW)
    assert (row.bytes.text, row.bytes.percent, row.bytes.percent_text) == ("1.8GB / 4.7GB", 38.2, "38.2%")
    assert (row.files.text, row.files.current) == ("4/30", "model-00005.safetensors")
    assert row.speed is not None and row.speed.text == "42.0MB/s"
    assert row.eta is not None and (row.eta.text, row.eta.seconds) == ("1m 10s", 70)
    assert row.attempt is not None and row.attempt.text == "attempt 1 of 6"
    assert (row.source, row.target) == ("hf://org/model@main", "pvc/models:llama")


_ETAS: dict[str, tuple[dict[str, Any], str | None]] = {
    "steady": ({}, "1m 10s"),
    "no speed yet": ({"speed": None}, "calculating"),
    "standing still": ({"speed": 0}, None),
    "of unknown size": ({"total": None}, None),
    "of unknown size and speed": ({"total": None, "speed": None}, None),
    "longer than a day": ({"done": 0, "total": 9_000_000}, "> 1 day"),
    "nothing left": ({"done": 4_700}, "0s"),
    "more done than there is": ({"done": 5_000}, "0s"),
}


@pytest.mark.parametrize("case", _ETAS)
def test_time_left_is_absent_rather_than_silly(case: str) -> None:
    fields, text = _ETAS[case]
    eta = rows.read(downloading(**fields), NOW).eta
    assert (None if eta is None else eta.text) == text


@pytest.mark.parametrize(
    ("what", "change"),
    {
        "figures that nobody renewed": {"observedTime": ago(61).isoformat()},
        "a stage in which nothing comes": {"stage": "Checking"},
    }.items(),
)
def test_no_speed_is_shown_without_bytes_that_come(what: str, change: dict[str, Any]) -> None:
    sync = downloading()
    sync["status"]["progress"] |= change
    row = rows.read(sync, NOW)
    assert (row.speed, row.eta) == (None, None), what


def test_all_is_done_only_when_all_is_done() -> None:
    sync = downloading()
    sync["status"]["progress"] |= {"bytesDone": 9_999, "bytesTotal": 10_000}
    assert rows.read(sync, NOW).bytes.percent_text == "99.9%"


def test_an_estimate_is_marked() -> None:
    sync = downloading()
    sync["status"]["progress"]["estimated"] = True
    shown = rows.read(sync, NOW).bytes
    assert (shown.text, shown.percent_text, shown.estimated) == ("1.8GB / ~4.7GB", "~38.2%", True)


def test_one_that_waits_says_where_why_and_since_when() -> None:
    queue = QueueStatus(name="gpu", position=3, reason=QueueReason.CONCURRENCY_LIMIT, since=ago(90))
    row = rows.read(as_object(in_phase(Phase.QUEUED, Reason.QUEUED, queue=queue)), NOW)
    assert row.place is not None
    assert row.place.text == "3rd in the queue gpu: all slots of the queue are taken"
    assert (row.place.wait_seconds, row.remedy) == (90, None)
    assert row.place.remedy == "Wait, raise the SyncQueue's maxActive, or raise spec.priority."


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1st"), (2, "2nd"), (11, "11th"), (13, "13th"), (22, "22nd")]
)
def test_a_place_is_an_ordinal(number: int, text: str) -> None:
    queue = QueueStatus(name="gpu", position=number, reason=QueueReason.DUPLICATE)
    place = rows.read(as_object(in_phase(Phase.QUEUED, Reason.QUEUED, queue=queue)), NOW).place
    assert place is not None and place.text.startswith(f"{text} in the queue gpu: another ModelSync ")


_ATTEMPTS: dict[str, tuple[Phase, Reason, int, int | None, str | None]] = {
    "none yet": (Phase.QUEUED, Reason.QUEUED, 0, None, None),
    "the first": (Phase.DOWNLOADING, Reason.DOWNLOADING, 1, None, "attempt 1 of 6"),
    "the next after two failures": (Phase.QUEUED, Reason.BACKING_OFF, 2, 2, "attempt 3 of 6"),
    "one that made progress counts from 1 again": (
        Phase.DOWNLOADING,
        Reason.DOWNLOADING,
        9,
        None,
        "attempt 1 of 6",
    ),
    "the last of all": (Phase.FAILED, Reason.NETWORK_ERROR, 6, 6, "attempt 6 of 6"),
    "failed at once": (Phase.FAILED, Reason.NOT_FOUND, 1, 1, "attempt 1 of 6"),
    "complete": (Phase.COMPLETE, Reason.SYNCED, 2, None, None),
}


@pytest.mark.parametrize("case", _ATTEMPTS)
def test_an_attempt_is_one_of_so_many(case: str) -> None:
    phase, reason, started, failures, text = _ATTEMPTS[case]
    attempt = rows.read(as_object(in_phase(phase, reason, attempts=started, failures=failures)), NOW).attempt
    assert (None if attempt is None else attempt.text) == text


def test_a_failure_names_its_remedy_and_the_command() -> None:
    row = rows.read(as_object(in_phase(Phase.FAILED, Reason.ACCESS_DENIED, "401 of the Hub")), NOW)
    assert row.remedy is not None and (row.reason, row.message) == ("AccessDenied", "401 of the Hub")
    assert row.remedy.text == reason_texts.SOURCE[Reason.ACCESS_DENIED][1].replace("`", "")
    assert row.remedy.command == "kubectl modelsync retry llama -n team"


def test_between_attempts_it_is_the_last_failure_that_counts() -> None:
    last = LastFailure(reason=Reason.NETWORK_ERROR, message="no route", time=NOW, attempt=1)
    sync = in_phase(Phase.QUEUED, Reason.BACKING_OFF, "attempt 1 failed", last_failure=last, attempts=1)
    row = rows.read(as_object(sync), NOW)
    assert row.remedy is not None and row.reason == "NetworkError"
    assert row.remedy.text == reason_texts.ORIGIN[Reason.NETWORK_ERROR][1].replace("`", "")
    assert row.remedy.command == "kubectl modelsync retry llama -n team"


def test_a_complete_one_has_a_duration_and_no_remedy() -> None:
    done = ProgressStatus(bytes_total=5 * MB, bytes_done=5 * MB, bytes_network=5 * MB, percent=100)
    sync = in_phase(
        Phase.COMPLETE, Reason.SYNCED, progress=done, start_time=ago(100), completion_time=ago(40)
    )
    row = rows.read(as_object(sync), NOW)
    assert (row.duration_seconds, row.remedy, row.finished) == (60, None, True)
    assert (row.bytes.percent, row.speed, row.eta, row.files.current) == (100.0, None, None, None)


def test_a_name_of_the_source_cannot_move_the_cursor() -> None:
    sync = downloading()
    sync["status"]["progress"]["currentFile"] = "a\x1b[2Jb\nc"
    assert rows.read(sync, NOW).files.current == "a�[2Jb c"


def test_a_query_of_an_address_is_not_shown() -> None:
    sync = as_object(a_sync())
    sync["spec"]["source"] = {"http": {"files": [{"url": "https://host/model.bin?signature=secret"}]}}
    assert rows.read(sync, NOW).source == "https://host/model.bin"


def test_files_that_the_operator_names_have_bars() -> None:
    sync = downloading()
    sync["status"]["progress"]["activeFiles"] = [
        {"path": "a", "bytesDone": 1, "bytesTotal": 4},
        {"path": "b", "bytesDone": 9, "bytesTotal": 4},
        {"path": "c", "bytesDone": 9},
        {"path": 5},
        "b",
    ]
    bars = rows.read(sync, NOW).file_bars
    assert [(bar.path, bar.bytes.percent) for bar in bars] == [("a", 25.0), ("b", 100.0), ("c", None)]
    sync["status"]["phase"] = "Failed"
    assert rows.read(sync, NOW).file_bars == ()


_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
_FIELDS = [
    ("metadata", "namespace"), ("metadata", "creationTimestamp"), ("spec", "source"), ("spec", "target"),
    ("spec", "priority"), ("spec", "bandwidthLimit"), ("spec", "backoffLimit"), ("spec", "queue"),
    ("status", "phase"), ("status", "conditions"), ("status", "progress"), ("status", "queue"),
    ("status", "lastFailure"), ("status", "attempts"), ("status", "startTime"), ("status", "display"),
    ("status", "nextRetryTime"), ("status", "worker"),
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(_FIELDS), _JSON)
def test_no_field_of_another_type_takes_the_screen_away(field: tuple[str, str], value: Any) -> None:
    sync = downloading()
    sync[field[0]][field[1]] = value
    row = rows.read(sync, NOW)
    assert row.dump()
    assert row.eta is None or row.eta.state in set(EtaState)


@settings(max_examples=40, deadline=None)
@given(_JSON)
def test_no_object_at_all_takes_the_screen_away(value: Any) -> None:
    for sync in (value, {"status": value}, {"status": {"progress": value, "phase": "Downloading"}}):
        assert rows.read(sync, NOW).badge.word


@settings(max_examples=60, deadline=None)
@given(st.integers(-(2**60), 2**60), st.integers(-(2**60), 2**60), st.integers(-5, 2**60))
def test_shares_and_times_stay_within_bounds(done: int, total: int, speed: int) -> None:
    sync = downloading()
    sync["status"]["progress"] |= {"bytesDone": done, "bytesTotal": total, "bytesPerSecond": speed}
    row = rows.read(sync, NOW)
    assert row.bytes.percent is None or 0 <= row.bytes.percent <= 100
    assert row.eta is None or row.eta.seconds is None or row.eta.seconds >= 0
    assert row.speed is None or row.speed.bytes_per_second >= 0
