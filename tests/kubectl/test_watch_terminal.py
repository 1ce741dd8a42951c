"""`watch` in a terminal: what it draws, what its keys do, and how it leaves the terminal."""

import signal
import sys
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelsync.cli import main
from modelsync.kubectl import problems
from tests.kubectl import clusters
from tests.kubectl.pseudo_terminal import PseudoTerminal
from tests.web.fake_cluster import FakeCluster, a_sync

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[31mno\u202e\r\n"


def _hostile() -> dict[str, object]:
    sync = a_sync("team", "hostile", "Failed", group=HOSTILE)
    ready = {"type": "Ready", "status": "False", "reason": HOSTILE, "message": HOSTILE}
    sync["status"] |= {"conditions": [ready], "display": {"source": HOSTILE, "target": HOSTILE}}
    return sync


def test_the_screen_lives_acts_and_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    with clusters.serving(tmp_path) as served:
        served.call(lambda cluster: cluster.put(a_sync("team", "llama", "Downloading"), _hostile()))
        words = [sys.executable, "-m", "modelsync", "watch", "--kubeconfig", served.kubeconfig]
        with PseudoTerminal(words) as terminal:
            terminal.shows("namespace team", "llama", "↓ Downloading", "live", "q quit")
            served.call(lambda cluster: cluster.put(a_sync("team", "later", "Verifying")))
            terminal.shows("later", "◌ Verifying")
            terminal.press("/llama\r")
            terminal.until(lambda text: "later" not in text and "1 of 3 match" in text, "the filter")
            terminal.press("p")
            terminal.shows("team/llama paused")
            assert served.cluster.syncs["team", "llama"]["spec"]["suspend"] is True
            terminal.press("c")
            terminal.shows("Cancel team/llama?")
            terminal.press("n")
            terminal.shows("Nothing was changed.")
            assert "cancel" not in served.cluster.syncs["team", "llama"]["spec"]
            terminal.press("\x1b")
            terminal.shows("3 ModelSyncs", "hostile")
            terminal.resize(50, 14)
            text = terminal.until(
                lambda text: "? help  q quit" in text and "SPEED" not in text, "the new size"
            )
            assert len(text.splitlines()) <= 14
            served.call(_go_away)
            terminal.shows("no contact for", "figures of", "llama")
            served.call(_come_back)
            terminal.shows("live", "llama")
            terminal.press("q")
            assert terminal.code() == 0
            assert terminal.is_whole and terminal.settings == terminal.before
            assert "the downloads go on" in terminal.text
            assert not any(byte in terminal.raw for byte in (b"\x1b]", b"\x07", "\u202e".encode()))


def _go_away(cluster: FakeCluster) -> None:
    cluster.away = True
    cluster.end_watches()


def _come_back(cluster: FakeCluster) -> None:
    cluster.away = False


def _complete_and_go_away(cluster: FakeCluster) -> None:
    cluster.put(a_sync("team", "llama", "Complete"))
    _go_away(cluster)


_PROGRAM = """
import sys
from modelsync.kubectl.watch.terminal import Terminal
with Terminal() as terminal:
    while terminal.ended_by is None:
        terminal.draw([(("drawn", "red"),)])
        for key in terminal.wait(60):
            if key == "x":
                raise RuntimeError("broken")
sys.exit(128 + terminal.ended_by)
"""
_WAYS_OUT: dict[str, tuple[str | int, int]] = {
    "an exception": ("x", 1),
    "Ctrl-C": ("\x03", 128 + signal.SIGINT),
    "SIGTERM": (signal.SIGTERM, 128 + signal.SIGTERM),
    "SIGHUP": (signal.SIGHUP, 128 + signal.SIGHUP),
}


@pytest.mark.parametrize("way", _WAYS_OUT)
def test_every_way_out_gives_the_terminal_back(way: str) -> None:
    cause, code = _WAYS_OUT[way]
    with PseudoTerminal([sys.executable, "-c", _PROGRAM], NO_COLOR="1") as terminal:
        terminal.shows("drawn")
        assert not terminal.settings[3] & termios.ECHO
        if isinstance(cause, str):
            terminal.press(cause)
        else:
            terminal.send(cause)
        assert terminal.code() == code
        assert terminal.is_whole and terminal.settings == terminal.before
        assert b"\x1b[31m" not in terminal.raw, "NO_COLOR was set"


def test_without_a_terminal_it_prints_lines(tmp_path: Path) -> None:
    with clusters.serving(tmp_path) as served:
        served.call(lambda cluster: cluster.put(a_sync("team", "llama", "Queued")))
        served.cluster.on_watch = _complete_and_go_away
        result = CliRunner().invoke(main.cli, ["watch", "--kubeconfig", served.kubeconfig])
    assert isinstance(result.exception, problems.CommandError)
    words = [line.split()[:2] for line in result.stdout.splitlines()]
    assert words == [["NAME", "STATUS"], ["llama", "Queued"], ["llama", "Complete"]]
    assert "\x1b" not in result.stdout
