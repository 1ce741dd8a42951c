"""A target equals its manifest: what an earlier revision or a wider filter left goes, and nothing else."""

import contextlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.origins.content import noise
from dev.origins.files.web import WebOrigin
from dev.origins.serving.messages import objects
from modelsync.api.protocol import WorkRequest
from modelsync.api.reasons import Stage
from modelsync.api.source import sources
from modelsync.api.source.transfer import Resolved, Verification
from modelsync.worker.attempt import planning
from modelsync.worker.common.failures import Failure
from modelsync.worker.publishing import outdated
from modelsync.worker.publishing.manifests import Published
from tests.worker.syncs import Sync

OLD = {f"model-{number}-of-3.safetensors": noise(6000, f"old {number}") for number in (1, 2, 3)}
NEW = {f"model-{number}-of-2.safetensors": noise(6000, f"new {number}") for number in (1, 2)}
BOTH = {"config.json": b"{}", "tokenizer/vocab.txt": b"a"}
FIRST = {**OLD, **BOTH, "extra/deep/notes.md": b"notes"}
SECOND = {**NEW, **BOTH}
SHARD = "model-2-of-3.safetensors"


@pytest.fixture
def origin() -> Iterator[WebOrigin]:
    with WebOrigin(FIRST) as server:
        yield server


def moved(origin: WebOrigin, files: dict[str, bytes]) -> WebOrigin:
    """The origin with other files."""
    origin.files = objects(files)
    return origin


def folders(root: Path) -> list[str]:
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_dir())
    return sorted(path for path in found if not path.startswith(".modelsync"))


@pytest.mark.parametrize("verification", Verification)
def test_the_files_of_the_last_revision_go_and_empty_directories_with_them(
    origin: WebOrigin, tmp_path: Path, verification: Verification
) -> None:
    Sync(origin, tmp_path, verification=verification).run()
    sync = Sync(moved(origin, SECOND), tmp_path, verification=verification)
    sync.run()
    assert sync.published() == sorted(SECOND)
    assert folders(tmp_path / "model") == ["tokenizer"]
    state = sorted(path.name for path in (tmp_path / "model/.modelsync").iterdir())
    assert state == ["accounts", "lock", "manifest.json"]


def test_a_narrower_filter_removes_and_a_wider_one_fetches(origin: WebOrigin, tmp_path: Path) -> None:
    Sync(origin, tmp_path).run()
    narrow = Sync(origin, tmp_path, allow=("*.json",))
    narrow.run()
    assert narrow.published() == ["config.json"]
    wide = Sync(origin, tmp_path)
    wide.run()
    assert wide.published() == sorted(FIRST)


def _changed(path: Path) -> None:
    path.write_bytes(noise(6000, "changed"))


def _longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def _linked(path: Path) -> None:
    path.rename(path.parent.parent / "outside")
    path.symlink_to("../outside")


def _a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "mine").write_bytes(b"mine")


def _touched(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def _copied_over(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)


STATES: dict[str, tuple[Callable[[Path], None], Verification, bool]] = {
    "same size, other bytes": (_changed, Verification.CHECKSUM, True),
    "same size, other bytes, sizes alone": (_changed, Verification.SIZE, True),
    "longer": (_longer, Verification.CHECKSUM, True),
    "a link to the outside": (_linked, Verification.CHECKSUM, True),
    "a directory": (_a_directory, Verification.CHECKSUM, True),
    "another time, same bytes": (_touched, Verification.CHECKSUM, False),
    "another time, sizes alone": (_touched, Verification.SIZE, True),
    "the same bytes written again": (_copied_over, Verification.CHECKSUM, False),
    "gone already": (Path.unlink, Verification.CHECKSUM, False),
}


@pytest.mark.parametrize(("change", "verification", "stays"), STATES.values(), ids=STATES)
def test_what_was_changed_since_stays(
    origin: WebOrigin,
    tmp_path: Path,
    change: Callable[[Path], None],
    verification: Verification,
    stays: bool,
) -> None:
    Sync(origin, tmp_path, verification=verification).run()
    own = tmp_path / "model/extra/own.txt"
    own.write_bytes(b"own")
    (tmp_path / "model/empty").mkdir()
    change(tmp_path / "model" / SHARD)
    for _ in range(2):
        sync = Sync(moved(origin, SECOND), tmp_path, verification=verification)
        sync.run()
    left = [path for path in sync.published() if path not in SECOND and not path.startswith(SHARD)]
    assert left == ["extra/own.txt"]
    assert (tmp_path / "model/empty").is_dir()
    assert os.path.lexists(tmp_path / "model" / SHARD) is stays
    if change is _linked:
        assert (tmp_path / "outside").read_bytes() == OLD[SHARD]


def test_a_file_that_was_there_before_modelsync_stays(origin: WebOrigin, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / SHARD).write_bytes(OLD[SHARD])
    Sync(origin, tmp_path).run()
    Sync(origin, tmp_path).run()  # which finds it in the manifest, too
    sync = Sync(moved(origin, SECOND), tmp_path)
    sync.run()
    assert sync.published() == sorted([*SECOND, SHARD])


def test_another_source_leaves_what_is_there(origin: WebOrigin, tmp_path: Path) -> None:
    """Several models that a person puts into one directory."""
    Sync(origin, tmp_path).run()
    other = Sync(moved(origin, SECOND), tmp_path, uid="uid-2")
    other.run()
    assert other.published() == sorted(FIRST | SECOND)


SOURCES = {
    "a model": {"huggingFace": {"repository": "org/name"}},
    "its data set": {"huggingFace": {"repository": "org/name", "repositoryType": "Dataset"}},
    "another model": {"huggingFace": {"repository": "org/other"}},
    "a bucket": {"s3": {"bucket": "models", "prefix": "a/"}},
    "the same name in another store": {
        "s3": {"bucket": "models", "prefix": "a/", "endpoint": "https://s3.example"}
    },
    "the same name in a third store": {
        "s3": {"bucket": "models", "prefix": "a/", "endpoint": "https://other.example"}
    },
    "another prefix": {"s3": {"bucket": "models", "prefix": "b/"}},
}


@pytest.mark.parametrize("before", SOURCES)
def test_only_the_same_source_takes_the_place_of_its_files(before: str) -> None:
    old = _request(SOURCES[before])
    written = planning.manifest(old, Resolved(revision="1"), (), Published(files={}, owner=0))
    listed = Published(files={}, owner=0, head=json.loads(written.dump_json()))
    assert [name for name in SOURCES if outdated.related(listed, _request(SOURCES[name]))] == [before]


def test_a_repositorys_other_revision_takes_the_place_of_its_files() -> None:
    old, new = (
        _request({"huggingFace": {"repository": "org/name", "revision": each}}) for each in ("a", "b")
    )
    written = planning.manifest(old, Resolved(revision="1"), (), Published(files={}, owner=0))
    assert outdated.related(Published(files={}, owner=0, head=json.loads(written.dump_json())), new)


def _request(source: dict[str, Any]) -> WorkRequest:
    return WorkRequest(
        uid="u",
        namespace="n",
        name="m",
        attempt=1,
        source=sources.Source.model_validate_json(json.dumps(source)),
    )


def test_names_that_meet_on_a_volume_without_case_are_one_file(
    origin: WebOrigin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new name's file is found under the old name too; a hard link stands for such a volume."""
    Sync(moved(origin, {"README.md": b"same"}), tmp_path).run()
    publish, there = os.rename, tmp_path / "model"

    def renaming(source: str, name: str, **more: Any) -> None:
        publish(source, name, **more)
        if name == "Readme.md":
            (there / "README.md").unlink()
            os.link(there / "Readme.md", there / "README.md")

    monkeypatch.setattr(os, "rename", renaming)
    Sync(moved(origin, {"Readme.md": b"same"}), tmp_path).run()
    assert (there / "README.md").read_bytes() == b"same"


FORGED = {
    "above": "../outside",
    "absolute": "{root}/outside",
    "through a link": "link/outside",
    "our own state": ".modelsync/lock",
    "a directory": "mine",
    "a file as a directory": "config.json/x",
    "nothing": "",
}


@pytest.mark.parametrize("record", ["manifest.json", "outdated.json"])
@pytest.mark.parametrize("path", FORGED.values(), ids=FORGED)
def test_a_forged_list_leads_nowhere(origin: WebOrigin, tmp_path: Path, path: str, record: str) -> None:
    Sync(moved(origin, SECOND), tmp_path).run()
    outside, target = tmp_path / "outside", tmp_path / "model"
    outside.write_bytes(b"")
    (target / "link").symlink_to("..")
    (target / "mine").mkdir()
    manifest = json.loads((target / ".modelsync/manifest.json").read_text())
    empty = {"path": path.format(root=tmp_path), "size": 0, "verifiedBy": "sha256"}
    empty["sha256"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    files = [*manifest["files"], empty] if record == "manifest.json" else [empty]
    text = json.dumps(manifest | {"files": files}, indent=1)
    head, _, _ = text.partition('"files": [')
    lines = ",\n".join(json.dumps(each) for each in files)
    (target / ".modelsync" / record).write_text(f'{head}"files": [\n{lines}\n]\n}}')
    sync = Sync(origin, tmp_path)
    sync.run()
    assert outside.exists() and (target / "mine").is_dir() and (target / ".modelsync/lock").exists()
    assert set(SECOND) <= set(sync.published())


HOSTILE: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a link to a file": lambda place: place.symlink_to("../../outside"),
    "a link to itself": lambda place: place.symlink_to(place.name),
    "a directory": Path.mkdir,
    "a line without end": lambda place: place.write_bytes(b"x" * 1_000_000),
    "lists within lists": lambda place: place.write_bytes(b"[" * 1_000_000),
}


@pytest.mark.parametrize("name", ["outdated.json", "outdated.new"])
@pytest.mark.parametrize("put", HOSTILE.values(), ids=HOSTILE)
def test_whatever_is_in_the_records_place_is_replaced_or_named(
    origin: WebOrigin, tmp_path: Path, put: Callable[[Path], object], name: str
) -> None:
    Sync(origin, tmp_path).run()
    (tmp_path / "outside").write_bytes(b"precious")
    put(tmp_path / "model/.modelsync" / name)
    sync = Sync(moved(origin, SECOND), tmp_path)
    if put is Path.mkdir:
        with pytest.raises(Failure, match="Remove it from the volume"):
            sync.run()
    else:
        sync.run()
        assert sync.published() == sorted(SECOND)
    assert (tmp_path / "outside").read_bytes() == b"precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
@pytest.mark.parametrize(("owner", "stays"), [(4321, False), (5432, True)], ids=["its writer's", "a third's"])
def test_another_users_manifest_vouches_for_that_users_files_only(
    origin: WebOrigin, tmp_path: Path, owner: int, stays: bool
) -> None:
    Sync(origin, tmp_path).run()
    os.chown(tmp_path / "model" / SHARD, owner, owner)
    os.chown(tmp_path / "model/.modelsync/manifest.json", 4321, 4321)
    Sync(moved(origin, SECOND), tmp_path).run()
    assert (tmp_path / "model" / SHARD).exists() is stays


class Killed(BaseException):
    """The worker is gone at this instant."""


@contextlib.contextmanager
def killed_at(sync: Sync, step: int) -> Iterator[None]:
    """While files are published, end the worker before a step of the file system."""
    steps = itertools.count()
    real = {name: getattr(os, name) for name in ("rename", "unlink", "rmdir")}

    def before(name: str) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            if sync.state.stage is Stage.PUBLISHING and next(steps) == step:
                raise Killed
            return real[name](*given, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in real:
            patch.setattr(os, name, before(name))
        yield


THIRD = {"model.safetensors": noise(6000, "third"), **BOTH}


@pytest.mark.parametrize("following", [SECOND, THIRD, FIRST], ids=["the same", "a third", "the first again"])
def test_whenever_a_worker_is_killed_the_next_one_makes_up_for_it(
    origin: WebOrigin, tmp_path: Path, following: dict[str, bytes]
) -> None:
    (tmp_path / "first").mkdir()
    Sync(origin, tmp_path / "first").run()
    (tmp_path / "first/model/own.txt").write_bytes(b"own")
    for step in itertools.count():
        volume = tmp_path / str(step)
        shutil.copytree(tmp_path / "first", volume, symlinks=True)
        sync = Sync(moved(origin, SECOND), volume)
        ended = True
        with killed_at(sync, step):
            try:
                sync.run()
            except Killed:
                ended = False
        again = Sync(moved(origin, following), volume)
        again.run()
        assert again.published() == sorted([*following, "own.txt"]), f"killed before step {step}"
        assert sorted(os.listdir(volume / "model/.modelsync")) == ["accounts", "lock", "manifest.json"]
        if ended:
            break
    assert step > 8


def test_what_cannot_be_removed_is_reported_and_tried_again(
    origin: WebOrigin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Sync(origin, tmp_path).run()
    unlink = os.unlink

    def refusing(name: str, **more: Any) -> None:
        if name == SHARD:
            raise PermissionError(1, "Operation not permitted")
        unlink(name, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refusing)
        sync = Sync(moved(origin, SECOND), tmp_path)
        sync.run()
    assert sync.published() == sorted([*SECOND, SHARD])
    assert "1 outdated files cannot be removed" in caplog.text and SHARD in caplog.text
    again = Sync(origin, tmp_path)
    again.run()
    assert again.published() == sorted(SECOND)


def test_a_failure_before_publishing_removes_nothing(origin: WebOrigin, tmp_path: Path) -> None:
    Sync(origin, tmp_path).run()
    sync = Sync(moved(origin, SECOND), tmp_path, expected_digest="sha256:" + "0" * 64)
    with pytest.raises(Failure):
        sync.run()
    assert sync.published() == sorted(FIRST)
