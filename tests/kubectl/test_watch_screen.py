"""The screen of `watch` as text: what it says at 80 columns, and that it fits any size."""

from dataclasses import replace
from typing import Any

import pytest

from modelsync.api.reasons import Phase, Reason
from modelsync.kubectl.watch import layout, readings, state
from modelsync.kubectl.watch.feed import News
from modelsync.kubectl.watch.state import Contact, Mode, State
from modelsync.reading import picture
from tests.builders import NOW
from tests.reading.objects import as_object, downloading, in_phase


def _syncs() -> list[dict[str, Any]]:
    failed = in_phase(Phase.FAILED, Reason.ACCESS_DENIED, "no access", name="gated", attempts=1)
    waits = as_object(in_phase(Phase.QUEUED, Reason.QUEUED, name="waits"))
    waits["status"]["queue"] = {"name": "default", "position": 3, "reason": "SlotsTaken"}
    done = [as_object(in_phase(Phase.COMPLETE, Reason.SYNCED, name=f"done-{one:02}")) for one in range(30)]
    return [downloading("llama", network=(45_200_000, 120_000)), as_object(failed), waits, *done]


_QUEUE = {"metadata": {"name": "default"}, "spec": {"maxActive": 2}, "status": {"active": 1, "waiting": 1}}


def _begun(queues: int = 1, syncs: int | None = None) -> State:
    there = [
        {**_QUEUE, "metadata": {"name": "default" if not one else f"queue-{one}"}} for one in range(queues)
    ]
    shown = picture.read(_syncs()[:syncs], there, NOW)
    return state.begun(shown, "namespace team", everywhere=False)


def _lines(now: State, width: int = 80, height: int = 24) -> list[str]:
    return ["".join(text for text, _ in line) for line in layout.screen(now, width, height)]


def test_eighty_columns_show_all_that_matters() -> None:
    lines = _lines(_begun())
    assert lines[0].startswith("modelsync  namespace team  33 ModelSyncs") and lines[0].endswith(" live")
    assert "38.2%  1.8GB / 4.7GB  42.0MB/s" in lines[1] and "30 of 33 models complete" in lines[1]
    assert lines[2] == "queues  default Failed 1/2 slots, 1 waiting, 1 failed"
    assert lines[3] == "speed   42.0MB/s in 1 download    network ↓ 45.2MB/s  ↑ 120KB/s"
    assert lines[5].split() == ["NAME", "STATUS", "PROGRESS", "SPEED", "ETA", "1-12", "of", "33"]
    assert lines[6].startswith("▸ gated    ✗ Failed")
    assert lines[7].rstrip() == "  llama    ↓ Downloading  ███░░░░░░░  38.2%  42.0MB/s   1m 10s"
    assert "◷ Queued       place 3" in lines[8]
    assert lines[-5:-2] == [
        "team/gated Failed (AccessDenied) for 30s: no access",
        "attempt 1 of 6",
        "Request access for the account, or use another token; then request a retry.",
    ]
    assert lines[-1].endswith("q quit") and len(lines) == 24


@pytest.mark.parametrize(("syncs", "said"), [(0, "0 ModelSyncs "), (1, "1 ModelSync "), (2, "2 ModelSyncs ")])
def test_the_title_counts(syncs: int, said: str) -> None:
    assert said in _lines(_begun(syncs=syncs))[0]


@pytest.mark.parametrize("height", [1, 2, 5, 11, 16, 60])
def test_every_size_is_kept_and_the_chosen_row_is_seen(height: int) -> None:
    begun = _begun(queues=12)
    away = replace(begun, contact=Contact(problem="no answer", age_seconds=35))
    states = [away, *(state.pressed(begun, key)[0] for key in "Gcl/?")]
    for width in (1, 10, 30, 79, 80, 100, 200):
        for now in states:
            lines = _lines(now, width, height)
            assert len(lines) <= height and max(map(len, lines)) <= width, (width, now.mode)
            if height >= 5 and width >= 10 and now.mode is not Mode.HELP:
                assert any(line.startswith("▸") for line in lines), (width, now.mode)


def test_what_the_api_server_said_last_stays_with_its_age() -> None:
    problem = "https://host gave no answer (refused)"
    lines = _lines(replace(_begun(), contact=Contact(problem=problem, age_seconds=35)))
    assert lines[0].endswith("no contact for 35s") and problem in lines[1]
    assert f"figures of {NOW:%H:%M:%S} UTC" in lines[1]
    assert any("llama" in line and "38.2%" in line for line in lines)


def test_the_files_of_the_chosen_one_have_bars_where_there_is_room() -> None:
    sync = downloading("llama")
    sync["status"]["progress"]["activeFiles"] = [
        {"path": f"model-{one}.gguf", "bytesDone": 1_000_000, "bytesTotal": 4_000_000} for one in range(5)
    ]
    now = state.begun(picture.read([sync], [], NOW), "namespace team", everywhere=False)
    bars = [line for line in _lines(now) if ".gguf" in line]
    assert bars[0] == "██░░░░░░░░  1.0MB / 4.0MB    model-0.gguf" and len(bars) == 3
    assert not any(".gguf" in line for line in _lines(now, height=16))


@pytest.mark.parametrize(("message", "shown"), [("Downloading", False), ("waits for the origin", True)])
def test_a_message_that_the_badge_says_already_is_left_out(message: str, shown: bool) -> None:
    sync = downloading("llama")
    sync["status"]["conditions"][0]["message"] = message
    now = state.begun(picture.read([sync], [], NOW), "namespace team", everywhere=False)
    assert any(f": {message}" in line for line in _lines(now)) is shown


def test_queues_that_do_not_fit_are_counted() -> None:
    line = _lines(_begun(queues=12))[2]
    assert line.startswith("queues  default Failed") and line.endswith("+11 more")


def test_rows_are_read_again_only_where_time_or_a_change_made_them_different() -> None:
    syncs = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in _syncs()}
    news = News(syncs=syncs, queues=[], problem=None, contact=0.0)
    memory = readings.Readings()
    first = {row.name: row for row in memory.picture(news, NOW, 0).rows}
    second = {row.name: row for row in memory.picture(news, NOW, 0).rows}
    assert second["gated"] is first["gated"] and second["llama"] is not first["llama"]
    changed = {**syncs, ("team", "gated"): {**syncs["team", "gated"], "status": {"phase": "Complete"}}}
    third = memory.picture(replace(news, syncs=changed), NOW, 0).rows
    assert {row.name: row.badge.word for row in third}["gated"] == "Complete"


def test_the_age_of_a_picture_is_that_of_the_last_answer() -> None:
    news = News(syncs={}, queues=[], problem="away", contact=0.0)
    memory = readings.Readings()
    assert (NOW - memory.picture(news, NOW, 35.0).time).total_seconds() == 35
