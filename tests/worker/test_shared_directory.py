"""A directory that several users share: the next one continues, as far as its rights allow."""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.origins.content import noise
from dev.origins.files.web import WebOrigin
from dev.origins.serving.messages import objects
from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure, Interrupted
from tests.worker.syncs import Sync

GROUP = 4400
FIRST = {"config.json": b"{}", "deep/er/model.bin": noise(300_000), "old.bin": b"old"}
SECOND = {"config.json": b"[]", "deep/er/model.bin": noise(200_000, "new")}


@contextlib.contextmanager
def acting_as(user: int, umask: int = 0o002) -> Iterator[None]:
    """Be another user of the group, in all threads, with nobody's further rights."""
    groups, before = os.getgroups(), os.umask(umask)
    os.setgroups([GROUP])
    os.setegid(GROUP)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        os.umask(before)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A group's directory, as `chgrp` and `chmod 2775` make one; pytest's own are closed to others."""
    directory = Path(tempfile.mkdtemp())
    with contextlib.suppress(PermissionError):
        os.chown(directory, 0, GROUP)
    directory.chmod(0o2775)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def origin() -> Iterator[WebOrigin]:
    with WebOrigin(FIRST) as server:
        yield server


def moved(origin: WebOrigin, files: dict[str, bytes]) -> None:
    origin.files = objects(files)


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o027, 0o077], ids=oct)
def test_the_umask_decides_on_the_mode_of_every_file(origin: WebOrigin, tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        Sync(origin, tmp_path).run()
    finally:
        os.umask(before)
    made = [path for path in (tmp_path / "model").rglob("*")]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made}
    files = {path.name for path in made if path.is_file()}
    assert {"lock", "accounts", "manifest.json", "config.json"} <= files
    assert modes == {name: (0o666 if name in files else 0o777) & ~umask for name in modes}


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")
def test_the_next_user_of_a_groups_directory_goes_on(origin: WebOrigin, shared: Path) -> None:
    with acting_as(1001):
        Sync(origin, shared).run()
    moved(origin, SECOND)
    with acting_as(1002):
        sync = Sync(origin, shared, uid="uid-2")
        sync.run()
        assert {path: sync.read(path) for path in sync.published() if path != "old.bin"} == SECOND
        again = Sync(origin, shared)
        again.run()
        assert again.state.progress().bytes_network == 0
    with acting_as(1001):
        Sync(origin, shared).run()


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")
@pytest.mark.parametrize("looked", [False, True], ids=["at once", "after it found all right"])
def test_the_next_user_removes_what_the_last_ones_revision_left(
    origin: WebOrigin, shared: Path, looked: bool
) -> None:
    with acting_as(1001):
        Sync(origin, shared).run()
    with acting_as(1002):
        if looked:
            Sync(origin, shared).run()
        moved(origin, SECOND)
        sync = Sync(origin, shared)
        sync.run()
        assert sync.published() == sorted(SECOND)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")
def test_the_next_user_takes_the_place_of_one_who_was_stopped(origin: WebOrigin, shared: Path) -> None:
    with acting_as(1001):
        sync = Sync(origin, shared)
        sync.stop.set()
        with pytest.raises(Interrupted):
            sync.run()
    with acting_as(1002):
        sync = Sync(origin, shared, uid="uid-2")
        sync.run()
        assert sync.published() == sorted(FIRST)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")
def test_a_lock_that_others_may_only_read_keeps_them_out_while_it_is_held(
    origin: WebOrigin, shared: Path
) -> None:
    """As older versions made it, and as a umask of 022 does."""
    with acting_as(1001):
        Sync(origin, shared).run()
    lock = shared / "model/.modelsync/lock"
    lock.chmod(0o644)
    held = os.open(lock, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with acting_as(1002), pytest.raises(Failure) as caught:
        Sync(origin, shared).run()
    os.close(held)
    assert caught.value.reason is Reason.TARGET_BUSY
    with acting_as(1002):
        Sync(origin, shared).run()
