"""Progress as bars, lines and JSON: honest figures, nothing that a terminal would obey."""

import dataclasses
import io
import json
import subprocess
import sys

import pytest
import rich.console

from modelsync.api.protocol import FileProgress, Progress, Retrying
from modelsync.api.reasons import Layer, Stage
from modelsync.cli import bars, screens
from modelsync.cli.screens import Reading


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def reading(done: int, *, stage: Stage = Stage.DOWNLOADING, path: str = "model.bin") -> Reading:
    progress = Progress(
        bytes_total=1_200_000_000, bytes_done=done, files_total=3, files_done=1, bytes_per_second=100_000_000
    )
    file = FileProgress(path=path, bytes_done=done, bytes_total=1_000_000_000)
    return Reading(stage=stage, progress=progress, files=[file])


def test_lines_come_at_a_change_of_stage_and_every_5_seconds() -> None:
    out, clock = io.StringIO(), Clock()
    screen = screens.LineScreen(out, clock)
    screen.show(reading(0, stage=Stage.RESOLVING))
    for second in range(11):
        clock.now = float(second)
        screen.show(reading(second * 97_500_000))
    screen.show(reading(975_000_000, stage=Stage.VERIFYING))
    assert out.getvalue().splitlines() == [
        "Looking up files...",
        "Download progress: 488MB/1.2GB ~ 40.6%, 100MB/s",
        "Download progress: 975MB/1.2GB ~ 81.3%, 100MB/s",
        "Verifying...",
    ]


def test_figures_that_the_engine_does_not_report_say_where_they_are_from() -> None:
    out, clock = io.StringIO(), Clock()
    screen = screens.LineScreen(out, clock)
    for layer, retries in ((Layer.FILES, 0), (Layer.NETWORK, 1), (Layer.ENGINE, 2)):
        clock.now += 5
        found = reading(round(clock.now) * 1_000_000)
        progress = found.progress.replace(layer=layer)
        screen.show(dataclasses.replace(found, progress=progress, retries=retries))
    assert [line.partition("MB/s")[2] for line in out.getvalue().splitlines()] == [
        ", by file sizes",
        ", by network counters, 1 retry",
        ", 2 retries",
    ]


def test_no_line_repeats_when_nothing_comes() -> None:
    out, clock = io.StringIO(), Clock()
    screen = screens.LineScreen(out, clock)
    for second in range(60):
        clock.now = float(second)
        screen.show(reading(1000))
    assert len(out.getvalue().splitlines()) == 1


def test_json_is_a_document_a_line_each_second() -> None:
    out, clock = io.StringIO(), Clock()
    screen = screens.JsonScreen(out, io.StringIO(), clock)
    for tenth in range(21):
        clock.now = tenth / 10
        screen.show(reading(tenth))
    documents = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [document["progress"]["bytesDone"] for document in documents] == [0, 10, 20]
    assert documents[0]["secondsLeft"] == 12
    assert documents[0]["files"] == [{"path": "model.bin", "bytesDone": 0, "bytesTotal": 1_000_000_000}]


def drawn(*readings: Reading, width: int = 100) -> str:
    out = io.StringIO()
    console = rich.console.Console(
        file=out, force_terminal=True, width=width, no_color=True, legacy_windows=False
    )
    screen = bars.BarScreen(console)
    for each in readings:
        screen.show(each)
    screen.close()
    return out.getvalue()


def test_no_time_left_is_shown_before_a_speed_is_known() -> None:
    out = io.StringIO()
    unknown = dataclasses.replace(reading(0), progress=Progress(bytes_total=100))
    screens.JsonScreen(out, io.StringIO(), Clock()).show(unknown)
    document = json.loads(out.getvalue())
    assert "secondsLeft" not in document and "bytesPerSecond" not in document["progress"]
    assert "B/s" not in drawn(unknown)


def test_bars_show_the_total_and_each_file() -> None:
    text = drawn(reading(975_000_000))
    assert "Downloading 1/3 files" in text
    assert "975MB/1.2GB ~ 81.3%  100MB/s  3s" in text
    assert "model.bin" in text
    assert "975MB/1.0GB" in text


def test_a_file_that_is_done_loses_its_bar() -> None:
    text = drawn(reading(1, path="first.bin"), reading(2, path="second.bin"))
    assert "first.bin" not in text[text.rindex("second.bin") :]


@pytest.mark.parametrize("path", ["a\x1b[2Jb", "[red]a[/red]", "[/]", "line\nbreak"])
def test_a_hostile_name_is_only_text(path: str) -> None:
    text = drawn(reading(1, path=path))
    assert "\x1b[2J" not in text
    assert "line\nbreak" not in text
    if path.startswith("["):
        assert path in text


def test_a_stream_that_is_no_terminal_gets_lines() -> None:
    out, err = io.StringIO(), io.StringIO()
    assert isinstance(screens.screen_for(as_json=False, out=out, err=err), screens.LineScreen)
    assert isinstance(screens.screen_for(as_json=True, out=out, err=err), screens.JsonScreen)


def test_a_program_that_reads_json_does_not_wait_for_rich() -> None:
    code = "import sys, modelsync.cli.pull; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_wait_that_the_origin_asks_for_is_shown_once_as_a_line_and_all_the_time_elsewhere() -> None:
    out, clock = io.StringIO(), Clock()
    screen = screens.LineScreen(out, clock)
    for second in range(3):
        again = Retrying(cause="hub limits.", tries=0, most=6, next_seconds=250.0 - second, asked=True)
        found = dataclasses.replace(reading(0, stage=Stage.RESOLVING), retrying=again)
        screen.show(found)
        assert screens.remarks(found) == [f"waiting 4m {10 - second}s as the origin asks"]
    screen.show(reading(0, stage=Stage.RESOLVING))
    assert out.getvalue().splitlines() == [
        "Looking up files...",
        "Waiting 4m 10s as the origin asks: hub limits.",
    ]
    written = io.StringIO()
    screens.JsonScreen(written, io.StringIO(), clock).show(found)
    assert json.loads(written.getvalue())["retrying"]["asked"] is True
