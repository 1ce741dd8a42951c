"""Events of both APIs as lines."""

from modelsync.reading import events
from tests.builders import NOW, ago

_ABOUT = {"kind": "ModelSync", "namespace": "team", "name": "llama"}
_CORE = {
    "type": "Warning",
    "reason": "NetworkError",
    "message": "no\nroute",
    "count": 3,
    "lastTimestamp": NOW.isoformat(),
    "involvedObject": _ABOUT,
}
_NEWER = {
    "type": "Normal",
    "reason": "Downloading",
    "note": "attempt 1 downloads",
    "eventTime": ago(5).isoformat(),
    "regarding": _ABOUT,
}


def test_events_are_lines_the_oldest_first() -> None:
    older, newer = events.read([_CORE, _NEWER])
    assert (older.reason, older.message, older.warning, older.count) == (
        "Downloading", "attempt 1 downloads", False, 1,
    )  # fmt: skip
    assert (newer.message, newer.warning, newer.count, newer.time) == ("no route", True, 3, NOW)
    assert (newer.namespace, newer.name) == ("team", "llama")


def test_an_event_of_any_shape_is_a_line() -> None:
    (line,) = events.read([{"series": 5, "message": None, "count": "x"}])
    assert (line.time, line.reason, line.message, line.count) == (None, "", "", 1)
