"""`kubectl modelsync watch` in a terminal on the real cluster, for a user who may edit one namespace."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from dev import kube
from dev.origins.hub import HubServer
from tests.e2e.page_server import SECONDS
from tests.e2e.sources import hub_source
from tests.kubectl.pseudo_terminal import PseudoTerminal


@pytest.fixture
def kubeconfig(token: str, tmp_path: Path) -> str:
    """Of the user alone."""
    document = json.loads(kube.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    (login,) = document["users"]
    login["user"] = {"token": token}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


def test_keys_of_the_live_screen_steer_downloads_and_leaving_it_stops_none(
    space: str, hub: HubServer, kubeconfig: str
) -> None:
    def read(name: str) -> Any:
        return kube.get("modelsync", name, space)

    def no_worker() -> bool:
        return not kube.get("pods", namespace=space)

    # At this rate neither ends by itself before the test is over.
    source = hub_source(hub, "org/model", size=60_000_000, rate=100_000)
    kube.apply(kube.sync("llama", space, source))
    words = [sys.executable, "-m", "modelsync", "watch", "--kubeconfig", kubeconfig, "-n", space]
    with PseudoTerminal(words, columns=150, lines=30) as terminal:
        terminal.shows("1 ModelSync ", "↓ Downloading", "live")
        terminal.press("j")
        terminal.shows("▸ llama", f"{space}/llama Downloading for")
        terminal.press("l")
        terminal.shows(f"limit of {space}/llama")
        terminal.press("50M\r")
        terminal.shows(f"{space}/llama limited", "limit 50MB/s")
        assert read("llama")["spec"]["bandwidthLimit"] == "50M"
        terminal.press("p")
        terminal.shows(f"{space}/llama paused", "‖ Paused")
        assert read("llama")["spec"]["suspend"] is True
        kube.eventually(no_worker, SECONDS, "the worker has ended")
        terminal.press("u")
        terminal.shows(f"{space}/llama resumed", "↓ Downloading")
        assert read("llama")["spec"]["suspend"] is False

        kube.apply(kube.sync("unwanted", space, source))
        terminal.shows("2 ModelSyncs", "unwanted")
        terminal.press("/unwanted\r")
        terminal.shows("1 of 2 match", "▸ unwanted", "↓ Downloading")
        terminal.press("c")
        terminal.shows(f"Cancel {space}/unwanted?")
        terminal.press("n")
        terminal.shows("Nothing was changed.")
        assert read("unwanted")["spec"]["cancel"] is False
        terminal.press("c")
        terminal.shows(f"Cancel {space}/unwanted?")
        terminal.press("y")
        terminal.shows(f"{space}/unwanted cancelled", "⊘ Cancelled")
        assert read("unwanted")["spec"]["cancel"] is True

        attempts = read("llama")["status"]["attempts"]
        terminal.press("\x1bq")
        assert terminal.code() == 0
        assert terminal.is_whole and "the downloads go on" in terminal.text
    assert read("llama")["status"]["phase"] == "Downloading"
    hub.rate = None
    kube.wait_for("llama", space, kube.phase_is("Complete"), SECONDS, "Complete")
    assert read("llama")["status"]["attempts"] == attempts
