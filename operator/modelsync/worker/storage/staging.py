"""Where an attempt keeps unfinished files, and how it takes over those of a dead one.

    .modelsync/lock                       held while a worker lives
    .modelsync/<uid>/staging/<attempt>/   journal and staging files of one process
    .modelsync/accounts                   what the sync received, over all attempts (`byte_counts`)
    .modelsync/manifest.json              what was published
    .modelsync/outdated.json              while files are published, what else may be there (`outdated`)

What is there is used only if the worker's own user made it: who owns a directory can put another file in
place of a verified one at any moment, and who wrote a journal vouches for bytes that no checksum may judge.

The lock only saves work; safety rests on each process having a staging directory of its own name. A process
that gets the lock renames a dead one's directory to its own name and goes on in it. Where locks do nothing
(some network file systems) nothing is taken over, and a process whose directory was taken away notices and
ends.
"""

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import secrets
import stat
import threading
import time
import weakref
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from modelsync.api import naming
from modelsync.api.reasons import Reason
from modelsync.worker.common import open_files, volume_errors
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.model import RemoteFile
from modelsync.worker.progress import byte_counts
from modelsync.worker.storage import filesystem, mount_info
from modelsync.worker.storage.journal import Journal
from modelsync.worker.storage.safe_directory import Tree

_log = logging.getLogger(__name__)

STAGING = "staging"
_LOCK = "lock"
OUTDATED = "outdated.json"
"""See `outdated`."""
OUTDATED_TEMPORARY = "outdated.new"
TEMPORARY = "manifest.new"
"""A file that is about to replace another one."""
_FILES = {_LOCK, naming.MANIFEST_FILE, OUTDATED, OUTDATED_TEMPORARY, TEMPORARY, byte_counts.NAME}
"""Of the directory of modelsync's state; all else in it is a uid's."""
STALE_SECONDS = 3600.0
"""Without working locks, a staging directory counts as dead when it has not changed for so long."""


def key_of(file: RemoteFile) -> str:
    """Name of a file's content in a staging directory: other bytes never share it."""
    named = [file.path, str(file.size), *file.marks]
    named += sorted(f"{digest.algorithm}={digest.value}" for digest in file.digests)
    return hashlib.sha256("\0".join(named).encode()).hexdigest()[:40]


class Sized(Protocol):
    """A file on its way."""

    handle: open_files.Handle
    size: int | None


def _missing(copy: Sized) -> int:
    """Bytes of a file whose blocks are not taken yet."""
    return max(0, (copy.size or 0) - os.fstat(copy.handle.descriptor).st_blocks * 512)


class Staging:
    """The staging directory of this process. Close it in the end."""

    def __init__(
        self,
        target: Tree,
        uid: str,
        *,
        stop: threading.Event,
        wait_seconds: float = 15.0,
        fresh: bool = False,
    ) -> None:
        """Lock the target and take over what a dead process left; raises Failure or Interrupted.

        With `fresh`, what this uid fetched before counts as there before.
        """
        self.name = f"{secrets.token_hex(8)}"
        self._uid = _component(uid)
        with volume_errors.guarded(f"writing {naming.STATE_DIR}"):
            self.state = target.below(naming.STATE_DIR)
            self._lock = open_lock(self.state)
        _acquire(self._lock, stop, wait_seconds)
        with volume_errors.guarded(f"writing {naming.STATE_DIR}"):
            mount = mount_info.mount(self.state.descriptor)
            self._exclusive = mount_info.locks_reach_all_nodes(mount) and locks_work(self.state)
            self._check_names()
            self.directory = self._take_over()
            self.owner = os.fstat(self.directory.descriptor).st_uid
            """User id of what this process makes, as the file system shows it."""
            self.accounts = byte_counts.Accounts(
                self.state.descriptor, self._uid, fresh=fresh, owner=self.owner
            )
            # Counted before it is believed: a kill between the two costs bytes, and no truth.
            self.journal = Journal(self.directory.descriptor, self.accounts.flush, self.owner)
        self._sizing = threading.Lock()
        self._sized: weakref.WeakSet[Sized] = weakref.WeakSet()
        self.reserves = mount_info.reserves(mount)
        """Whether a file's blocks are reserved before it is written."""
        self.direct = mount_info.direct_writes(mount)
        """Whether files here are better written past the page cache."""

    def _check_names(self) -> None:
        """Refuse directories where the last step would meet them; raises OSError."""
        for name in (naming.MANIFEST_FILE, OUTDATED, OUTDATED_TEMPORARY, TEMPORARY):
            found = self.state.stat(name)
            if found is not None and stat.S_ISDIR(found.st_mode):
                raise IsADirectoryError(errno.EISDIR, name)

    def _take_over(self) -> Tree:
        """This process's directory: a dead one's of the same user where there is one, else a new one.

        Directories of other uids are of ModelSyncs that are gone (the operator admits one a target), so
        their bytes serve a ModelSync that was made again.
        """
        own = self.state.below(f"{self._uid}/{STAGING}")
        with own:
            made = own.below(self.name)
            if not self._exclusive:
                return made
            with made:
                # Not the process's own user id: NFS, CIFS and other drivers may give files another one.
                owner = os.fstat(made.descriptor).st_uid
            dead = self._dead()
            usable = sorted(each for each in dead if each.owner == owner)
            if usable:
                last = usable[-1]
                os.rmdir(self.name, dir_fd=own.descriptor)
                with self._staging(last.uid) as source:
                    os.rename(last.name, self.name, src_dir_fd=source.descriptor, dst_dir_fd=own.descriptor)
            self._discard([each for each in dead if each not in usable[-1:]])
            taken = own.below(self.name)
            if os.fstat(taken.descriptor).st_uid != owner:
                raise open_files.Unusable
            return taken

    def _dead(self) -> list["_Dead"]:
        """The directories of all other processes, those that cannot be looked into left out."""
        found: list[_Dead] = []
        for uid in sorted({self._uid, *self._uids()}):
            with contextlib.suppress(*_PASSED_BY), self._staging(uid) as staging:
                for name in staging.names():
                    with contextlib.suppress(*_PASSED_BY):
                        if (uid, name) != (self._uid, self.name):
                            found.append(_Dead(*_used(staging, name), uid=uid, name=name))
        return found

    def _discard(self, dead: Iterable["_Dead"]) -> None:
        for each in dead:
            with self._staging(each.uid) as staging:
                _remove(staging, each.name)

    def _uids(self) -> list[str]:
        return [name for name in self.state.names() if name not in _FILES and not name.startswith(".")]

    def _staging(self, uid: str) -> Tree:
        with self.state.parent(f"{uid}/{STAGING}/x") as (directory, _):
            return Tree(os.dup(directory))

    def create(self, name: str) -> int:
        """A descriptor of a new staging file, to read and write; raises OSError."""
        try:
            return open_files.create(self.directory.descriptor, name)
        except IsADirectoryError:
            self.directory.remove(name)
            return open_files.create(self.directory.descriptor, name)

    def open(self, name: str) -> int:
        """A descriptor of a staging file that this or an earlier process made, to read and write; raises as
        `open_files.own`."""
        return open_files.own(self.directory.descriptor, name, self.owner, os.O_RDWR)

    def own(self, name: str) -> os.stat_result | None:
        """A staging file that this or an earlier process made; None for all else. Raises OSError."""
        found = self.directory.stat(name)
        return found if found is not None and open_files.is_own(found, self.owner) else None

    def check_owned(self) -> None:
        """Raise Failure with TargetBusy when another process took this directory over."""
        here = os.fstat(self.directory.descriptor)
        found = self.state.stat(f"{self._uid}/{STAGING}/{self.name}")
        if found is None or (found.st_ino, found.st_dev) != (here.st_ino, here.st_dev):
            raise Failure(
                Reason.TARGET_BUSY,
                "Another worker took over this target directory. Check that no other ModelSync and no"
                " `modelsync pull` writes to it.",
            )

    def prune(self, files: Iterable[RemoteFile]) -> None:
        """Remove staging files that are of no use for these files."""
        there = [name for name in self.directory.names() if "." in name and not name.startswith("journal")]
        keys = set(map(key_of, files)) if there else set()
        for name in there:
            if name.partition(".")[0] not in keys:
                self.directory.remove(name)

    def journaled(self, files: Iterable[RemoteFile]) -> dict[str, int]:
        """How many bytes of each file, by key, are there already; files without any are left out."""
        there = set(self.directory.names())
        found: dict[str, int] = {}
        if not self.journal.entries:
            return found
        for key in map(key_of, files):
            entry = self.journal.entries.get(key)
            if entry is not None and entry.ranges.total and f"{key}.{entry.generation}" in there:
                found[key] = entry.ranges.total
        return found

    def allocated(self) -> int:
        """Bytes of the volume that staging files hold already."""
        directory = self.directory.descriptor
        return sum(
            os.stat(name, dir_fd=directory, follow_symlinks=False).st_blocks * 512
            for name in self.directory.names()
        )

    def check_space(self, copy: "Sized") -> None:
        """Refuse a file whose size was just learned if it does not fit beside all others of this kind that
        are on their way; raises Failure."""
        with volume_errors.guarded("looking at staging files"), self._sizing:
            self._sized.add(copy)
            missing = sum(map(_missing, self._sized))
        filesystem.check_space(self.directory.descriptor, missing, 0)

    def sweep(self) -> None:
        """After publishing: remove this attempt's directory and those of dead ones."""
        self.journal.close()
        if self._exclusive:
            for uid in self._uids():
                _remove(self.state, uid)
            return
        with self._staging(self._uid) as staging:
            staging.remove(self.name)
            for name in staging.names():
                found = staging.stat(name)
                if found is not None and time.time() - found.st_mtime > STALE_SECONDS:
                    _remove(staging, name)

    def close(self) -> None:
        """Close the journal and release the lock."""
        self.journal.close()
        self.accounts.close()
        self.directory.close()
        os.close(self._lock)
        self.state.close()


def _component(uid: str) -> str:
    if not uid or "/" in uid or uid.startswith(".") or uid in _FILES:
        raise Failure(Reason.INVALID_SPEC, "The work request's uid cannot be the name of a directory.")
    return uid


class _Dead(NamedTuple):
    """What a process left; ordered by how much."""

    blocks: int
    owner: int
    uid: str
    name: str


_PASSED_BY = (FileNotFoundError, NotADirectoryError, PermissionError)
"""What is not there as our directories are, or is another user's and closed to us."""


def _used(staging: Tree, name: str) -> tuple[int, int]:
    """Blocks that the files in a directory hold, and whose the directory is."""
    with Tree(staging._walk([name], create=False)) as inner:
        blocks = sum(found.st_blocks for each in inner.names() if (found := inner.stat(each)))
        return blocks, os.fstat(inner.descriptor).st_uid


def _remove(tree: Tree, name: str) -> None:
    """Remove what a dead process left; another user's that is closed to us stays."""
    try:
        tree.remove(name)
    except PermissionError:
        _log.warning("%r in %s belongs to another user and cannot be removed", name, naming.STATE_DIR)


def open_lock(state: Tree) -> int:
    """A descriptor of the target's lock file, made when missing; raises OSError."""
    return open_files.shared(state.descriptor, _LOCK)


def _acquire(lock: int, stop: threading.Event, wait_seconds: float) -> None:
    """Take the lock; a predecessor that is just ending gets `wait_seconds` to do so."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                text = "Another worker is writing this target directory. It is tried again when that ends."
                raise Failure(Reason.TARGET_BUSY, text) from None
        except OSError:
            return  # the file system has no locks: `locks_work` finds the same
        if stop.wait(0.2):
            raise Interrupted


def locks_work(state: Tree) -> bool:
    """Whether a second descriptor is kept from the lock that this process holds."""
    second = open_lock(state)
    try:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    else:
        return False
    finally:
        os.close(second)
