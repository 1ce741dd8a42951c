"""What the plugin prints, from rows to lines."""

from typing import Any

import click
import pytest

from modelsync.api.reasons import Phase, Reason
from modelsync.kubectl import options, tables
from modelsync.kubectl.verbs import get, status, top
from modelsync.reading import picture, reason_texts, rows
from modelsync.settings import environment
from tests.builders import NOW
from tests.reading.objects import as_object, downloading, in_phase


def _rows() -> list[Any]:
    failed = as_object(in_phase(Phase.FAILED, Reason.ACCESS_DENIED, "no access", name="gated", attempts=1))
    return [rows.read(one, NOW) for one in (downloading("llama-3-8b-instruct"), failed)]


def test_a_table_is_plain_and_fits_into_80_columns() -> None:
    lines = [click.unstyle(line) for line in get.Table(_rows(), wide=False, everywhere=False).lines()]
    assert lines == [
        "NAME                 STATUS       PROGRESS  AMOUNT         SPEED     ETA     AGE",
        "llama-3-8b-instruct  Downloading  38.2%     1.8GB / 4.7GB  42.0MB/s  1m 10s  100s",
        "gated                Failed                                                  100s",
    ]


def test_a_later_line_keeps_the_columns() -> None:
    table = get.Table(_rows()[:1], wide=False, everywhere=True)
    assert click.unstyle(table.line(_rows()[1])).startswith("team       gated                Failed ")


def test_a_wide_table_says_the_rest() -> None:
    (head, first, _) = get.Table(_rows(), wide=True, everywhere=False).lines()
    assert head.split()[-8:] == ["FILES", "QUEUE", "PLACE", "ATTEMPT", "NODE", "SOURCE", "TARGET", "REASON"]
    assert "4/30" in first and "1/6" in first and "hf://org/model@main" in first


def test_the_screen_of_one_says_what_to_do() -> None:
    failed = as_object(in_phase(Phase.FAILED, Reason.ACCESS_DENIED, "no access", attempts=1))
    text = click.unstyle("\n".join(status.screen(rows.read(failed, NOW), failed, NOW)))
    assert "Status:     Failed (AccessDenied)\nMessage:    no access" in text
    assert "Attempt:    attempt 1 of 6" in text
    remedy = reason_texts.SOURCE[Reason.ACCESS_DENIED][1]
    assert f"What to do: {remedy}" in text
    assert text.endswith("kubectl modelsync retry llama -n team")


def test_the_screen_of_a_download_has_its_figures() -> None:
    sync = downloading()
    sync["status"]["progress"]["activeFiles"] = [
        {"path": "model-00005.safetensors", "bytesDone": 500_000_000, "bytesTotal": 1_000_000_000},
        {"path": "tokenizer.json", "bytesDone": 700_000},
    ]
    text = click.unstyle("\n".join(status.screen(rows.read(sync, NOW), sync, NOW)))
    assert "  ████████░░░░░░░░  500MB / 1.0GB  model-00005.safetensors\n" in text
    assert "  ░░░░░░░░░░░░░░░░  700KB          tokenizer.json\n" in text
    assert "Progress:   █████████░░░░░░░░░░░░░░░  38.2%  1.8GB / 4.7GB" in text
    assert "Speed:      42.0MB/s, 1m 10s left" in text
    assert "Files:      4/30, now model-00005.safetensors" in text


def test_the_network_is_shown_by_node_and_in_total() -> None:
    syncs = [
        downloading("a", speed=40, node="one", network=(45_000_000, 100_000)),
        downloading("b", speed=7, node="two", network=(5_000_000, 20_000)),
    ]
    lines = list(top.screen(picture.read(syncs, [], NOW)))
    assert lines[0].split() == ["MODELSYNC", "SPEED", "PROGRESS", "ETA", "NODE"]
    assert [line.split() for line in lines[-4:]] == [
        ["NODE", "MODELSYNCS", "DOWN", "UP"],
        ["one", "1", "↓", "45.0MB/s", "↑", "100KB/s"],
        ["two", "1", "↓", "5.0MB/s", "↑", "20.0KB/s"],
        ["all", "nodes", "2", "↓", "50.0MB/s", "↑", "120KB/s"],
    ]


def test_where_nothing_runs_no_node_is_shown() -> None:
    assert len(list(top.screen(picture.read([], [], NOW)))) == 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0, "0s"), (119, "119s"), (120, "2m"), (7_200, "2h"), (200_000, "2d")]
)
def test_an_age_is_written_as_kubectl_writes_it(seconds: int | None, text: str) -> None:
    assert tables.age(seconds) == text


@pytest.mark.parametrize(("percent", "cells"), [(None, 0), (0, 0), (50, 12), (99.9, 23), (100, 24)])
def test_a_bar_is_full_only_at_the_end(percent: float | None, cells: int) -> None:
    assert tables.bar(percent).count("█") == cells


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [({}, False), ({"NO_COLOR": "1"}, True), ({"NO_COLOR": ""}, False), ({"TERM": "dumb"}, True)],
)
def test_colours_can_be_refused(variables: dict[str, str], wanted: bool) -> None:
    assert environment.no_color(variables) is wanted


@pytest.mark.parametrize(
    ("text", "wanted"), [("30s", 30), ("1.5m", 90), ("6h", 21_600), ("7d", 604_800), ("0", 0)]
)
def test_times_are_written_with_a_unit(text: str, wanted: float) -> None:
    assert options.seconds(text, "--timeout") == wanted
