"""The target directory: links, foreign files, full and read-only volumes."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.origins.content import hexdigest, noise
from dev.origins.files.web import WebOrigin
from dev.origins.serving.messages import objects
from modelsync.api import exitcodes, protocol
from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Resolved
from modelsync.worker.common import volume_errors
from modelsync.worker.common.failures import Failure
from modelsync.worker.storage.safe_directory import Tree
from tests.worker.syncs import CHUNK, Sync, sha256

BIG = noise(4 * CHUNK)
FILES = {"model.bin": BIG, "sub/config.json": b"{}"}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def origin() -> Iterator[WebOrigin]:
    with WebOrigin(FILES) as server:
        yield server


def refused(sync: Sync) -> Failure:
    with pytest.raises(Failure) as caught:
        sync.run()
    return caught.value


LINKS = {
    "the target": "model",
    "a directory": "model/sub",
    "a file": "model/model.bin",
    "our own directory": "model/.modelsync",
}


@pytest.mark.parametrize("place", LINKS.values(), ids=LINKS.keys())
def test_a_link_in_the_way_is_refused_and_what_it_points_to_stays(
    origin: WebOrigin, tmp_path: Path, place: str
) -> None:
    outside, volume = tmp_path / "outside", tmp_path / "volume"
    outside.mkdir()
    (outside / "canary").write_text("alive")
    (volume / place).parent.mkdir(parents=True)
    (volume / place).symlink_to(outside if place != "model/model.bin" else outside / "canary")
    failure = refused(Sync(origin, volume))
    assert failure.reason in (Reason.UNSAFE_PATH, Reason.VOLUME_NOT_WRITABLE)
    assert [path.name for path in outside.iterdir()] == ["canary"]
    assert (outside / "canary").read_text() == "alive"


def test_a_walk_takes_no_parent_and_no_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    with Tree.open(tmp_path) as tree:
        with pytest.raises(ValueError, match="component"):
            tree.below("a/../b")
        with pytest.raises(OSError):
            tree.below("link/etc")
        assert tree.regular("link") is None


def test_removing_removes_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "canary").touch()
    (tmp_path / "tree/inner").mkdir(parents=True)
    (tmp_path / "tree/inner/link").symlink_to(outside)
    with Tree.open(tmp_path) as tree:
        tree.remove("tree")
    assert not (tmp_path / "tree").exists() and (outside / "canary").exists()


@pytest.mark.parametrize("content", [b"another size", noise(len(BIG), "mine")], ids=["size", "bytes"])
def test_a_foreign_file_is_never_overwritten(origin: WebOrigin, tmp_path: Path, content: bytes) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "model.bin").write_bytes(content)
    failure = refused(Sync(origin, tmp_path))
    assert failure.reason is Reason.VOLUME_NOT_WRITABLE
    assert '"model.bin"' in failure.message and "subPath" in failure.message
    assert (target / "model.bin").read_bytes() == content


def test_files_beside_ours_stay(origin: WebOrigin, tmp_path: Path) -> None:
    target = tmp_path / "model"
    (target / "sub").mkdir(parents=True)
    for path in ("mine", "sub/mine"):
        (target / path).write_text("mine")
    Sync(origin, tmp_path).run()
    assert Sync(origin, tmp_path).published() == ["mine", "model.bin", "sub/config.json", "sub/mine"]
    assert (target / "sub/mine").read_text() == "mine"


@pytest.mark.parametrize("digests", [True, False], ids=["with digests", "without digests"])
def test_a_foreign_file_with_the_same_bytes_is_used(origin: WebOrigin, tmp_path: Path, digests: bool) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "model.bin").write_bytes(BIG)
    manifest = Sync(origin, tmp_path, digests=digests).run()
    assert origin.log.sent("model.bin") == (0 if digests else len(BIG))
    assert manifest.files[0].sha256 == sha256(BIG)


def test_a_second_sync_reuses_what_is_right_and_fixes_what_is_not(origin: WebOrigin, tmp_path: Path) -> None:
    Sync(origin, tmp_path).run()
    damaged = bytearray(BIG)
    damaged[5] ^= 1
    (tmp_path / "model/model.bin").write_bytes(damaged)
    before = origin.log.sent()
    again = Sync(origin, tmp_path, uid="uid-2")
    again.run()
    assert again.read("model.bin") == BIG
    assert origin.log.sent() - before == len(BIG)
    assert again.state.progress().bytes_reused == 2


def test_a_new_modelsync_goes_on_from_what_a_deleted_one_left(origin: WebOrigin, tmp_path: Path) -> None:
    first = Sync(origin, tmp_path, uid="uid-1", connections=1)
    origin.files |= objects({"sub/config.json": b""})
    first.source = first.list_source()
    first.source.files[1] = type(first.source.files[1])(path="sub/config.json", size=2, locator="missing")
    refused(first)
    origin.files |= objects({"sub/config.json": b"{}"})
    second = Sync(origin, tmp_path, uid="uid-2")
    second.run()
    assert second.state.progress().bytes_reused == len(BIG)


def test_a_source_that_is_not_as_pinned_fails_before_the_first_byte(
    origin: WebOrigin, tmp_path: Path
) -> None:
    failure = refused(Sync(origin, tmp_path, resolved=Resolved(revision="r1", manifest_digest="sha256:00")))
    assert failure.reason is Reason.SOURCE_CHANGED
    assert not origin.log


def test_nothing_matched_is_reported(origin: WebOrigin, tmp_path: Path) -> None:
    assert refused(Sync(origin, tmp_path, allow=("*.gguf",))).reason is Reason.NOTHING_MATCHED


VOLUMES = {
    "too small": ("size=128k", True, Reason.INSUFFICIENT_STORAGE, "128KB|131KB|grow"),
    "too small for a file of unknown size": ("size=128k", False, Reason.INSUFFICIENT_STORAGE, "grow"),
    "too few inodes": ("size=64m,nr_inodes=9", True, Reason.INSUFFICIENT_STORAGE, "inodes"),
    "read-only": ("ro", True, Reason.VOLUME_NOT_WRITABLE, "read-write"),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a tmpfs")
@pytest.mark.parametrize(("options", "sized", "reason", "fix"), VOLUMES.values(), ids=VOLUMES.keys())
def test_a_volume_that_cannot_take_the_files_says_so(
    origin: WebOrigin, tmp_path: Path, options: str, sized: bool, reason: Reason, fix: str
) -> None:
    if "inodes" in options:
        origin.files |= objects({str(number): b"x" for number in range(20)})
    words, code = in_own_mount(origin, tmp_path, options, sized=sized)
    assert words.reason is reason
    assert code == exitcodes.BY_REASON[reason]
    assert any(word in words.message for word in fix.split("|"))


def in_own_mount(
    origin: WebOrigin, directory: Path, options: str, *, sized: bool
) -> tuple[protocol.TerminationReport, int]:
    """Run a worker on a tmpfs that only its own mount namespace sees."""
    volume = directory / "volume"
    volume.mkdir()
    (directory / "request.json").write_text(Sync(origin, volume).request().dump_json())
    files = [
        (path, each.content.size if sized else None, hexdigest(each.content, "sha256"))
        for path, each in origin.files.items()
    ]
    (directory / "listing.json").write_text(json.dumps({"url": origin.url, "files": files}))
    paths = [str(directory / name) for name in ("request.json", "listing.json", "volume", "termination")]
    command = f'mount -t tmpfs -o {options} tmpfs "$3" && exec "$0" -m tests.worker.subject "$@" 0 ""'
    done = subprocess.run(
        ["unshare", "--mount", "--", "sh", "-c", command, sys.executable, *paths],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}"},
        timeout=60,
        check=False,
    )
    report = (directory / "termination").read_bytes()
    return protocol.TerminationReport.model_validate_json(report), done.returncode


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_no_failure_of_the_disk(number: int) -> None:
    found = volume_errors.failure(OSError(number, os.strerror(number)), "opening a staging file")
    assert found.reason is Reason.INTERNAL_ERROR and found.retryable
    assert "ulimit -n" in found.message and "volume" not in found.message
