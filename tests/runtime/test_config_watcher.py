"""The configuration's file while an operator runs, with real files as kubelet and people write them."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelsync.runtime.common import config_watcher
from modelsync.settings import invocation
from modelsync.settings.configuration import Configuration
from tests.settings import documents


class Mounted:
    """A ConfigMap's volume: a link to a directory of each version, swapped as the kubelet does it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.versions = folder, 0
        self.file = folder / "config.yaml"

    def write(self, content: bytes) -> None:
        self.versions += 1
        version = self.folder / f"..version-{self.versions}"
        version.mkdir()
        (version / "config.yaml").write_bytes(content)
        (self.folder / "..data_tmp").symlink_to(version.name)
        os.replace(self.folder / "..data_tmp", self.folder / "..data")
        if not self.file.is_symlink():
            self.file.symlink_to("..data/config.yaml")


class Watched:
    """A watcher of such a file, what it applied and what it reported."""

    def __init__(self, folder: Path, **said: str) -> None:
        self.mounted = Mounted(folder)
        self.mounted.write(documents.written())
        self.applied: list[Configuration] = []
        self.outcomes: list[config_watcher.Outcome] = []
        started = invocation.read(config=str(self.mounted.file), environment={}, **said)
        self.watcher = config_watcher.Watcher(
            started,
            started.over(documents.configured()),
            apply=self.applied.append,
            report=self.outcomes.append,
        )
        self.look()

    def look(self) -> None:
        """As time does, with nothing new in between."""
        self.watcher.look()
        self.watcher.look()

    def write(self, **fields: object) -> None:
        self.mounted.write(
            documents.written({name.replace("__", "."): value for name, value in fields.items()})
        )
        self.look()


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_the_document_of_the_start_changes_nothing(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    assert watched.applied == [] and watched.outcomes == [config_watcher.Outcome()]
    watched.look()
    assert len(watched.outcomes) == 1 and caplog.records == []


def test_a_change_acts_once_and_is_logged(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.write(log__level="debug", limits__statusWritesPerSecond=7)
    watched.look()
    (found,) = watched.applied
    assert (found.log.level, found.limits.status_writes_per_second) == ("debug", 7)
    assert "from now on: log.level, limits.statusWritesPerSecond" in caplog.text
    watched.write()
    assert watched.applied[-1] == documents.configured(), "what is left out has its default again"


def test_what_needs_a_restart_is_reported_and_waits(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.write(log__level="debug", worker__image="later", metrics__port=9090)
    (found,) = watched.applied
    assert (found.log.level, found.worker.image, found.metrics.port) == (
        "debug",
        documents.configured().worker.image,
        8080,
    )
    assert watched.outcomes[-1].restart == ("metrics.port", "worker.image")
    assert "after a restart of the operator: metrics.port, worker.image" in caplog.text
    watched.write(log__level="debug")
    assert watched.outcomes[-1] == config_watcher.Outcome(), "changed back"


def test_a_flag_of_the_log_stays(tmp_path: Path) -> None:
    watched = Watched(tmp_path, log_level="warning")
    watched.write(log__level="debug")
    assert watched.applied == []


def _directory(at: Mounted) -> None:
    at.file.unlink()
    at.file.mkdir()


GOOD = documents.written({"log.level": "debug"})
BAD: dict[str, Callable[[Mounted], object]] = {
    "an unknown field": lambda at: at.write(documents.written({"limits.bandwidth": 1})),
    "a bad value": lambda at: at.write(documents.written({"log.level": "loud"})),
    "empty": lambda at: at.write(b""),
    "half a document": lambda at: at.write(GOOD[: len(GOOD) // 3]),
    "a field twice": lambda at: at.write(GOOD + b"log: {}\n"),
    "not UTF-8": lambda at: at.write(b"\xff\xfe"),
    "the file gone": lambda at: at.file.unlink(),
    "the directory's link gone": lambda at: (at.folder / "..data").unlink(),
    "a directory in its place": _directory,
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_a_bad_document_keeps_what_runs_and_says_so_until_a_good_one_comes(
    watched: Watched, spoil: Callable[[Mounted], object], caplog: pytest.LogCaptureFixture
) -> None:
    spoil(watched.mounted)
    watched.look()
    watched.look()
    assert watched.applied == []
    (record,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    assert str(watched.mounted.file) in (watched.outcomes[-1].problem or "")
    assert "the one before stays" in record.getMessage() and len(watched.outcomes) == 2
    if watched.mounted.file.is_dir():
        watched.mounted.file.rmdir()
    watched.mounted.write(GOOD)
    watched.look()
    assert watched.outcomes[-1] == config_watcher.Outcome() and watched.applied[-1].log.level == "debug"


def test_a_file_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    watched, seen = Watched(tmp_path), []
    target = watched.mounted.file.resolve()
    for end in range(0, len(GOOD), 7):
        target.write_bytes(GOOD[:end])
        watched.watcher.look()
        seen.append(len(watched.outcomes))
    assert set(seen) == {1}, "each look found something else"
    target.write_bytes(GOOD.replace(b"\n", b"\r\n"))
    watched.look()
    assert watched.applied[-1].log.level == "debug", "CRLF is read too"
