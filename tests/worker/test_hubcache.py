"""`layout: HuggingFaceCache` against the real huggingface_hub: each uses what the other wrote."""

import errno
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import scan_cache_dir

from dev.origins.faults import ALWAYS, ANY, Status
from dev.origins.hub import HubServer, Repository, Synthetic
from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Verification
from modelsync.worker.common.failures import Failure
from tests.worker.hubs import HubSync, library

SIZE = 3_000_000
FILES: dict[str, bytes | Synthetic] = {
    "config.json": b'{"a": 1}',
    "onnx/deep/model.onnx": Synthetic(SIZE, seed=4),
    "model.safetensors": Synthetic(SIZE, seed=3),
    "copy/config.json": b'{"a": 1}',
    "empty": b"",
}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(Repository("org/model", FILES)) as server:
        server.add(Repository("org/model", {"train.csv": b"1,2\n"}, kind="dataset"))
        yield server


def commit_of(hub: HubServer) -> str:
    return hub.state.repositories["model", "org/model"].sha


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def expected(hub: HubServer) -> dict[str, str]:
    commit = hub.state.repositories["model", "org/model"].find("main")
    assert commit is not None
    return {path: file.sha256 for path, file in commit.files.items()}


def tree(repository: Path) -> dict[str, str]:
    """Every path of a cached repository that both sides write, with a link's text or the bytes' digest."""
    found = {}
    for path in repository.rglob("*"):
        name = path.relative_to(repository).as_posix()
        if name.partition("/")[0] in ("blobs", "refs", "snapshots") and not (
            path.is_dir() and not path.is_symlink()
        ):
            found[name] = (
                os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
            )
    return found


SCAN = """
import json
from huggingface_hub import scan_cache_dir
found = scan_cache_dir()
print(json.dumps({
    "warnings": [str(each) for each in found.warnings],
    "incomplete": len(found.incomplete_files),
    "repositories": sorted(
        [each.repo_type, each.repo_id, each.nb_files, sorted(each.refs)] for each in found.repos
    ),
}))
"""
SNAPSHOT = "from huggingface_hub import snapshot_download; print(snapshot_download('org/model'))"


def test_the_library_uses_what_we_write_without_a_network(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path)
    manifest = sync.run()
    assert [entry.path for entry in manifest.files] == sorted(FILES)
    folder = Path(library(sync.home, SNAPSHOT))
    assert folder == sync.home / "hub" / "models--org--model" / "snapshots" / commit_of(hub)
    assert hashes(folder) == expected(hub)
    one = library(
        sync.home,
        "from huggingface_hub import hf_hub_download, try_to_load_from_cache as find;"
        "name = ('org/model', 'onnx/deep/model.onnx'); path = hf_hub_download(*name);"
        "assert path == find(*name); print(path)",
    )
    assert Path(one).stat().st_size == SIZE


def test_the_librarys_own_tools_find_nothing_to_complain_of(hub: HubServer, tmp_path: Path) -> None:
    HubSync(hub, tmp_path).run()
    HubSync(hub, tmp_path, dataset=True, uid="uid-2").run()
    found = json.loads(library(tmp_path / "home", SCAN))
    assert found["warnings"] == []
    assert found["incomplete"] == 0
    # Two of the five files have the same bytes, so there is one blob.
    assert found["repositories"] == [
        ["dataset", "org/model", 1, ["main"]],
        ["model", "org/model", len(FILES) - 1, ["main"]],
    ]


def test_the_librarys_command_finds_all_checksums_right(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path)
    sync.run()
    program = (
        "import sys; sys.argv = ['hf', 'cache', 'verify', 'org/model'];"
        "from huggingface_hub.cli.hf import main; main()"
    )
    output = library(sync.home, program, HF_HUB_OFFLINE="0", HF_ENDPOINT=hub.url)
    assert f"checked: {len(FILES)}" in output


def test_we_write_the_same_paths_links_and_bytes_as_the_library(hub: HubServer, tmp_path: Path) -> None:
    ours, theirs = HubSync(hub, tmp_path), tmp_path / "theirs"
    ours.run()
    library(theirs, SNAPSHOT, HF_HUB_OFFLINE="0", HF_ENDPOINT=hub.url)
    assert tree(ours.home / "hub/models--org--model") == tree(theirs / "hub/models--org--model")


def test_what_the_library_wrote_completes_without_a_transfer(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path)
    library(sync.home, SNAPSHOT, HF_HUB_OFFLINE="0", HF_ENDPOINT=hub.url)
    sent = hub.bytes_sent()
    manifest = sync.run()
    assert hub.bytes_sent() == sent
    progress = sync.state.progress()
    assert progress.bytes_total == sum(entry.size for entry in manifest.files)
    contents = {entry.sha256: entry.size for entry in manifest.files}
    assert progress.bytes_reused == sum(contents.values()), "content under two paths is there once"
    assert {entry.verified_by for entry in manifest.files} == {"sha256", "git-sha1"}


def test_bytes_that_two_files_share_are_fetched_once(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path, allow=("*config.json",))
    sync.run()
    progress = sync.state.progress()
    assert (progress.files_done, progress.bytes_done, progress.bytes_total) == (2, 16, 16)
    assert progress.bytes_network == 8


def _damaged(blob: Path) -> None:
    blob.write_bytes(b"x" * blob.stat().st_size)


def _cut(blob: Path) -> None:
    blob.write_bytes(blob.read_bytes()[:-1])


def _moved_to_the_shared_store(blob: Path) -> None:
    store = blob.parents[2] / "blobs" / "ab" / ("ab" * 32)
    store.parent.mkdir(parents=True)
    blob.rename(store)
    blob.symlink_to(Path("../..") / store.relative_to(blob.parents[2]))


def _linked_to_the_outside(blob: Path) -> None:
    outside = blob.parents[4] / "outside"
    blob.rename(outside)
    blob.symlink_to(outside)


def _gone(blob: Path) -> None:
    blob.unlink()


STATES: dict[str, tuple[Callable[[Path], None], bool]] = {
    "other bytes": (_damaged, True),
    "cut short": (_cut, True),
    "gone": (_gone, True),
    "in the cache's shared store": (_moved_to_the_shared_store, False),
    "a link to the outside": (_linked_to_the_outside, True),
}


@pytest.mark.parametrize(("change", "fetched"), STATES.values(), ids=STATES)
def test_a_blob_in_any_state_ends_right(
    hub: HubServer, tmp_path: Path, change: Callable[[Path], None], fetched: bool
) -> None:
    sync = HubSync(hub, tmp_path)
    sync.run()
    repository = sync.home / "hub/models--org--model"
    change(repository / "blobs" / expected(hub)["model.safetensors"])
    sync.run()
    assert hashes(repository / "snapshots" / commit_of(hub)) == expected(hub)
    assert sync.state.progress().bytes_network == (SIZE if fetched else 0)


def test_files_in_a_snapshot_instead_of_links_are_used(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path)
    sync.run()
    repository = sync.home / "hub/models--org--model"
    pointer = repository / "snapshots" / commit_of(hub) / "model.safetensors"
    blob = pointer.resolve()
    pointer.unlink()
    blob.rename(pointer)
    sync.run()
    assert sync.state.progress().bytes_network == 0
    assert not pointer.is_symlink()


def test_a_foreign_file_in_the_snapshot_is_refused_and_stays(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path)
    pointer = sync.home / "hub/models--org--model/snapshots" / commit_of(hub) / "config.json"
    pointer.parent.mkdir(parents=True)
    pointer.write_text("mine")
    with pytest.raises(Failure, match="does not overwrite") as caught:
        sync.run()
    assert caught.value.reason is Reason.VOLUME_NOT_WRITABLE
    assert pointer.read_text() == "mine"
    assert hub.bytes_sent("model.safetensors") == 0


def test_a_directory_in_place_of_the_ref_is_refused_before_the_first_byte(
    hub: HubServer, tmp_path: Path
) -> None:
    ref = tmp_path / "home/hub/models--org--model/refs/main"
    (ref / "other").mkdir(parents=True)
    with pytest.raises(Failure) as caught:
        (sync := HubSync(hub, tmp_path)).run()
    assert caught.value.reason is Reason.VOLUME_NOT_WRITABLE and "refs/main" in caught.value.message
    assert not sync.state.progress().bytes_network


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_sizes_alone_do_not_take_the_bytes_of_another_user(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path, verification=Verification.SIZE)
    sync.run()
    blob = (sync.home / "hub/models--org--model/snapshots" / commit_of(hub) / "config.json").resolve()
    right = blob.read_bytes()
    for content, taken in ((right, 0), (bytes(len(right)), len(right))):
        blob.write_bytes(content)
        os.chown(blob, 1234, 1234)
        sync.run()
        assert blob.read_bytes() == right
        assert sync.state.progress().bytes_network == taken


def test_a_link_in_place_of_a_directory_is_refused_and_its_end_stays_empty(
    hub: HubServer, tmp_path: Path
) -> None:
    sync = HubSync(hub, tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    repository = sync.home / "hub/models--org--model"
    repository.mkdir(parents=True)
    (repository / "snapshots").symlink_to(outside)
    with pytest.raises(Failure) as caught:
        sync.run()
    assert caught.value.reason is Reason.UNSAFE_PATH
    assert list(outside.iterdir()) == []


def test_a_volume_without_links_is_refused_before_the_first_byte(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")  # as vfat and CIFS do, see symlink(2)

    monkeypatch.setattr(os, "symlink", refuse)
    with pytest.raises(Failure, match=r"supports no symbolic links.*Use Directory") as caught:
        HubSync(hub, tmp_path).run()
    assert caught.value.reason is Reason.VOLUME_NOT_WRITABLE
    assert hub.bytes_sent() == 0


def test_a_link_to_another_blob_is_set_right(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path)
    sync.run()
    snapshot = sync.home / "hub/models--org--model/snapshots" / commit_of(hub)
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to("/etc/hostname")
    sync.run()
    assert hashes(snapshot) == expected(hub)


def test_a_branch_that_moves_names_the_new_snapshot_and_the_old_one_goes(
    hub: HubServer, tmp_path: Path
) -> None:
    sync = HubSync(hub, tmp_path)
    sync.run()
    before = commit_of(hub)
    hub.state.repositories["model", "org/model"].commit({**FILES, "config.json": b'{"a": 2}'})
    sync.run()
    after = commit_of(hub)
    repository = sync.home / "hub/models--org--model"
    assert (repository / "refs/main").read_text() == after != before
    assert not (repository / "snapshots" / before).exists()
    assert (repository / "snapshots" / after / "config.json").read_bytes() == b'{"a": 2}'
    assert sync.state.progress().bytes_network == len(b'{"a": 2}')
    assert json.loads(library(sync.home, SCAN))["warnings"] == []


def test_whatever_step_fails_a_reader_finds_a_whole_revision(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    HubSync(hub, tmp_path / "first").run()
    before = expected(hub)
    new = {path: b"new" for path in ("config.json", "model.safetensors", "onnx/deep/model.onnx", "more")}
    hub.state.repositories["model", "org/model"].commit(new)
    rename, calls, fails_at = os.rename, itertools.count(), -1

    def failing(*given: Any, **more: Any) -> None:
        if next(calls) == fails_at:
            raise OSError(errno.EIO, "broken")
        rename(*given, **more)

    monkeypatch.setattr(os, "rename", failing)
    for fails_at in itertools.count():
        sync = HubSync(hub, tmp_path / str(fails_at))
        shutil.copytree(tmp_path / "first", sync.volume, symlinks=True)
        calls = itertools.count()
        try:
            sync.run()
            ended = True
        except Failure:
            ended = False
        home = sync.home / "hub"
        found = scan_cache_dir(home)
        assert (found.warnings, found.incomplete_files) == ([], frozenset()), fails_at
        folder = home / "models--org--model/snapshots" / (home / "models--org--model/refs/main").read_text()
        assert hashes(folder) in ([before] if not ended else []) + [expected(hub)], fails_at
        if ended:
            break
    assert fails_at > 6, "blobs, links, the ref and the manifest each had their turn"


def test_a_commit_as_revision_needs_no_ref(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path, revision=commit_of(hub))
    sync.run()
    assert not (sync.home / "hub/models--org--model/refs").exists()


def test_sizes_alone_take_a_blob_of_the_right_size(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path, verification=Verification.SIZE)
    sync.run()
    _damaged(sync.home / "hub/models--org--model/blobs" / expected(hub)["model.safetensors"])
    sync.run()
    assert sync.state.progress().bytes_network == 0


def test_an_attempt_that_fails_leaves_a_cache_without_complaints(hub: HubServer, tmp_path: Path) -> None:
    hub.strike("model.safetensors", Status(403), role=ANY, times=ALWAYS)
    with pytest.raises(Failure):
        HubSync(hub, tmp_path).run()
    found = json.loads(library(tmp_path / "home", SCAN))
    assert (found["warnings"], found["incomplete"]) == ([], 0)
