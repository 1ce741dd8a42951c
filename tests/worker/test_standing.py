"""A commit or digest that is whole on the volume is Complete without a request; all else asks the origin."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dev.origins.files.web import WebOrigin
from dev.origins.hub import HubServer, Repository, Synthetic
from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Layout, Resolved, Verification
from modelsync.worker.common.failures import Failure
from tests.worker.hubs import HubSync
from tests.worker.syncs import Sync
from tests.worker.test_outdated import FIRST, SECOND, Killed, killed_at, moved
from tests.worker.test_pull import pull

FILES: dict[str, bytes | Synthetic] = {
    "config.json": b"{}",
    "copy/config.json": b"{}",
    "deep/empty": b"",
    "model.safetensors": Synthetic(300_000, seed=3),
}


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.001)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(Repository("org/model", FILES)) as server:
        yield server


def commit_of(hub: HubServer) -> str:
    return hub.state.repositories["model", "org/model"].sha


def away(hub: HubServer, sync: HubSync) -> HubSync:
    """The same sync as another process runs it, with the Hub unreachable."""
    return replace(sync, hub=Away(hub), uid="uid-2")  # type: ignore[arg-type]


class Away:
    """A Hub whose port nobody listens at."""

    def __init__(self, hub: HubServer) -> None:
        self.url = "http://127.0.0.1:9"
        self.bytes_sent = hub.bytes_sent


@pytest.mark.parametrize("verification", Verification)
@pytest.mark.parametrize("layout", Layout)
def test_a_commit_that_is_whole_asks_nobody(
    hub: HubServer, tmp_path: Path, layout: Layout, verification: Verification
) -> None:
    sync = HubSync(hub, tmp_path, revision=commit_of(hub), layout=layout, verification=verification)
    first = sync.run()
    asked = len(hub.log.entries(listener="hub"))
    second = replace(sync, uid="uid-2")
    assert second.run().files == first.files
    assert len(hub.log.entries(listener="hub")) == asked
    progress = second.state.progress()
    assert progress.bytes_done == progress.bytes_total == 300_004
    assert (progress.files_done, progress.bytes_network) == (4, 0)
    assert progress.bytes_reused == (300_004 if layout is Layout.DIRECTORY else 300_002)
    assert away(hub, sync).run().files == first.files


def _damaged(path: Path) -> None:
    path.write_bytes(b"[]" if path.stat().st_size == 2 else bytes(path.stat().st_size))


def _cut(path: Path) -> None:
    path.write_bytes(b"")


def _gone(path: Path) -> None:
    path.unlink()


CHANGES: dict[str, Callable[[Path], None]] = {"damaged": _damaged, "cut": _cut, "gone": _gone}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("path", ["config.json", "model.safetensors"])
def test_one_wrong_byte_is_fetched_again_and_without_the_hub_it_is_no_success(
    hub: HubServer, tmp_path: Path, layout: Layout, path: str, change: Callable[[Path], None]
) -> None:
    sync = HubSync(hub, tmp_path, revision=commit_of(hub), layout=layout)
    sync.run()
    folder = sync.home
    if layout is Layout.HUGGING_FACE_CACHE:
        folder = sync.home / "hub/models--org--model/snapshots" / commit_of(hub)
    change((folder / path).resolve())
    with pytest.raises(Failure) as caught:
        away(hub, sync).run()
    assert caught.value.reason is Reason.NETWORK_ERROR
    sync.run()
    assert away(hub, sync).run().files


def test_sizes_alone_do_not_prove_checksums_later(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path, revision=commit_of(hub), verification=Verification.SIZE)
    sync.run()
    with pytest.raises(Failure):
        replace(away(hub, sync), verification=Verification.CHECKSUM).run()


ASKED: dict[str, dict[str, object]] = {
    "a branch": {"revision": "main"},
    "another commit": {"revision": "0" * 40},
    "a prefix of the commit": {"revision": "7162ac7"},
    "other patterns": {"allow": ("*.json",)},
    "another repository": {"repository": "org/other"},
    "another layout": {"layout": Layout.HUGGING_FACE_CACHE},
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_what_is_not_exactly_what_is_there_asks_the_hub(
    hub: HubServer, tmp_path: Path, asked: dict[str, object]
) -> None:
    sync = HubSync(hub, tmp_path, revision=commit_of(hub), layout=Layout.DIRECTORY)
    sync.run()
    with pytest.raises(Failure) as caught:
        replace(away(hub, sync), **asked).run()  # type: ignore[arg-type]
    assert caught.value.reason is Reason.NETWORK_ERROR


def test_a_digest_that_is_whole_asks_nobody_whatever_names_it(hub: HubServer, tmp_path: Path) -> None:
    """A branch of a cache must name the commit, too."""
    sync = HubSync(hub, tmp_path)
    digest = sync.run().digest
    resolved = Resolved(revision=commit_of(hub), manifest_digest=digest)
    assert replace(away(hub, sync), resolved=resolved).run().digest == digest
    (sync.home / "hub/models--org--model/refs/main").write_text("0" * 40)
    with pytest.raises(Failure):
        replace(away(hub, sync), resolved=resolved).run()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_a_manifest_of_another_user_proves_nothing(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path, revision=commit_of(hub), layout=Layout.DIRECTORY)
    sync.run()
    os.chown(sync.home / ".modelsync/manifest.json", 4321, 4321)
    with pytest.raises(Failure):
        away(hub, sync).run()


def test_a_volume_that_cannot_be_written_is_enough(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an init container may mount it; and another worker holds the lock."""
    sync = HubSync(hub, tmp_path, revision=commit_of(hub), layout=Layout.DIRECTORY)
    first = sync.run()
    opened = os.open

    def refusing(path: str, flags: int, *given: Any, **more: Any) -> int:
        if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, "Read-only file system")
        return opened(path, flags, *given, **more)

    with open(sync.home / ".modelsync/lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        monkeypatch.setattr(os, "open", refusing)
        assert away(hub, sync).run().files == first.files


def test_a_link_in_place_of_the_state_is_refused(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path, revision=commit_of(hub), layout=Layout.DIRECTORY)
    sync.run()
    (sync.home / ".modelsync").rename(tmp_path / "elsewhere")
    (sync.home / ".modelsync").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Failure) as caught:
        away(hub, sync).run()
    assert caught.value.reason is Reason.UNSAFE_PATH


def test_what_a_killed_worker_left_goes_all_the_same(tmp_path: Path) -> None:
    """Killed after the manifest, before the shards of the last revision were removed."""
    with WebOrigin(FIRST) as origin:
        Sync(origin, tmp_path).run()
        sync = Sync(moved(origin, SECOND), tmp_path)
        steps = iter(range(99))
        while not (tmp_path / "model/.modelsync/manifest.json").read_text().count("of-2"):
            with killed_at(sync, next(steps)), pytest.raises(Killed):
                sync.run()
            sync = Sync(origin, tmp_path)
        assert len(sync.published()) > len(SECOND)
        listed = (tmp_path / "model/.modelsync/manifest.json").read_text()
        asked = len(origin.log)
        sync.expected_digest = listed.partition('"digest": "')[2][:71]
        sync.run()
        assert sync.published() == sorted(SECOND)
        assert len(origin.log) == asked
        assert sorted(os.listdir(tmp_path / "model/.modelsync")) == ["accounts", "lock", "manifest.json"]


def test_a_pull_of_what_is_there_needs_no_hub(hub: HubServer, tmp_path: Path) -> None:
    to = ("--to", tmp_path / "model")
    first = pull(f"hf://org/model@{commit_of(hub)}", *to, HF_ENDPOINT=hub.url)
    assert first.returncode == 0, first.stderr
    digest = first.stdout.split()[-1]
    for given in ((f"hf://org/model@{commit_of(hub)}",), ("hf://org/model", "--expected-digest", digest)):
        again = pull(*given, *to, HF_ENDPOINT="http://127.0.0.1:9")
        assert again.returncode == 0, again.stderr
        assert "reused" in again.stdout and digest in again.stdout
