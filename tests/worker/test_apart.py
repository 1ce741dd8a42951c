"""Names that differ in case or form only: tried on the volume, and refused only where they meet."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dev.origins.files.web import WebOrigin
from dev.origins.hub import HubServer, Repository
from dev.origins.serving.messages import objects
from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Layout
from modelsync.worker.common.failures import Failure
from tests.worker import folding
from tests.worker.hubs import HubSync
from tests.worker.syncs import ListSource, Sync, files_in, listed
from tests.worker.test_pull import pull

TWINS = {
    "case": ("README.md", "readme.md"),
    "directories": ("Img/a.png", "img/a.png"),
    "form": ("caf\u00e9.txt", "cafe\u0301.txt"),
    "a file and a directory": ("Data", "data/x"),
    "three": ("x", "X/y", "X/Y"),
}


def sync_of(origin: WebOrigin, volume: Path, *paths: str, ignore: tuple[str, ...] = ()) -> Sync:
    """A sync of files that hold their own paths."""
    origin.files = objects({str(number): path.encode() for number, path in enumerate(paths)})
    listing = [replace(listed(path, path.encode()), locator=str(number)) for number, path in enumerate(paths)]
    return Sync(origin, volume, source=ListSource(origin.url, listing), ignore=ignore)


@pytest.fixture
def origin() -> Iterator[WebOrigin]:
    with WebOrigin() as server:
        yield server


@pytest.mark.parametrize("paths", TWINS.values(), ids=TWINS)
def test_a_volume_that_keeps_names_apart_gets_all_of_them(
    origin: WebOrigin, tmp_path: Path, paths: tuple[str, ...]
) -> None:
    sync = sync_of(origin, tmp_path, *paths, "other")
    sync.run()
    assert {path: sync.read(path).decode() for path in sync.published()} == {
        path: path for path in (*paths, "other")
    }


@pytest.mark.parametrize("paths", TWINS.values(), ids=TWINS)
def test_a_volume_where_they_meet_refuses_them_before_the_first_byte(
    origin: WebOrigin, tmp_path: Path, paths: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    folding.fold(monkeypatch)
    with pytest.raises(Failure, match=r"differ in case or form only.*spec\.ignorePatterns") as caught:
        sync_of(origin, tmp_path, *paths, "other").run()
    assert caught.value.reason is Reason.UNSAFE_PATH
    assert not origin.log
    one = sync_of(origin, tmp_path, *paths, "other", ignore=paths[1:])
    one.run()
    assert one.published() == sorted([paths[0], "other"])


def test_such_a_volume_gets_all_else_and_a_new_case_in_place_of_the_old(
    origin: WebOrigin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folding.fold(monkeypatch)
    for name in ("README.md", "Readme.md"):
        origin.files = objects(dict.fromkeys((name, "A/one", "a/two"), b"same"))
        sync = Sync(origin, tmp_path)
        sync.run()
        assert sorted(map(str.casefold, sync.published())) == ["a/one", "a/two", "readme.md"]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(Repository("org/twins", {"README.md": b"1", "readme.md": b"2"})) as server:
        yield server


def test_a_cache_and_a_pull_get_them_too(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path / "cache", repository="org/twins", layout=Layout.HUGGING_FACE_CACHE)
    sync.run()
    (snapshot,) = (sync.home / "hub/models--org--twins/snapshots").iterdir()
    assert files_in(snapshot) == ["README.md", "readme.md"]
    done = pull("hf://org/twins", "--endpoint", hub.url, "--to", tmp_path / "pulled")
    assert done.returncode == 0, done.stderr
    assert files_in(tmp_path / "pulled") == ["README.md", "readme.md"]
