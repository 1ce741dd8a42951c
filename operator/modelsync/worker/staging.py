"""Where an attempt keeps unfinished files, and how it takes over those of a dead one.

    .modelsync/lock                       held while a worker lives
    .modelsync/<uid>/staging/<attempt>/   journal and staging files of one process
    .modelsync/accounts                   what the sync received, over all attempts (`accounts`)
    .modelsync/manifest.json              what was published

The lock only saves work; safety rests on each process having a staging directory of its own name. A process
that gets the lock renames a dead one's directory to its own name and goes on in it. Where locks do nothing
(some network file systems) nothing is taken over, and a process whose directory was taken away notices and
ends.
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterable

from modelsync.api import naming
from modelsync.api.reasons import Reason
from modelsync.worker import accounts, mounts, volume
from modelsync.worker.failures import Failure, Interrupted
from modelsync.worker.journal import Journal
from modelsync.worker.model import RemoteFile
from modelsync.worker.tree import Tree

STAGING = "staging"
_LOCK = "lock"
STALE_SECONDS = 3600.0
"""Without working locks, a staging directory counts as dead when it has not changed for so long."""


def key_of(file: RemoteFile) -> str:
    """Name of a file's content in a staging directory: other bytes never share it."""
    told = [file.path, str(file.size), *file.marks]
    told += sorted(f"{digest.algorithm}={digest.value}" for digest in file.digests)
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:40]


class Staging:
    """The staging directory of this process. Close it in the end."""

    def __init__(
        self,
        target: Tree,
        uid: str,
        *,
        stop: threading.Event,
        wait_seconds: float = 15.0,
        anew: bool = False,
    ) -> None:
        """Lock the target and take over what a dead process left; raises Failure or Interrupted.

        With `anew`, what this uid fetched before counts as there before.
        """
        self.name = f"{secrets.token_hex(8)}"
        self._uid = _component(uid)
        with volume.guarded(f"writing {naming.STATE_DIR}"):
            self.state = target.below(naming.STATE_DIR)
            self._lock = open_lock(self.state)
        _acquire(self._lock, stop, wait_seconds)
        with volume.guarded(f"writing {naming.STATE_DIR}"):
            mount = mounts.mount(self.state.descriptor)
            self._exclusive = mounts.locks_reach_all_nodes(mount) and locks_work(self.state)
            self.directory = self._take_over()
            self.accounts = accounts.Accounts(self.state.descriptor, self._uid, anew=anew)
            # Counted before it is believed: a kill between the two costs bytes, and no truth.
            self.journal = Journal(self.directory.descriptor, self.accounts.flush)
        self.reserves = mounts.reserves(mount)
        """Whether a file's blocks are reserved before it is written."""
        self.direct = mounts.direct_writes(mount)
        """Whether files here are better written past the page cache."""

    def _take_over(self) -> Tree:
        """This process's directory: a dead one's where there is one, else a new one.

        Directories of other uids are of ModelSyncs that are gone (the operator admits one a target), so
        their bytes serve a ModelSync that was made anew.
        """
        found: list[tuple[int, str, str]] = []
        for uid in sorted({self._uid, *self._uids()}):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._staging(uid) as staging:
                found += [(_used(staging, name), uid, name) for name in staging.names()]
        own = self.state.below(f"{self._uid}/{STAGING}")
        with own:
            if self._exclusive and found:
                *others, (_, uid, name) = sorted(found)
                with self._staging(uid) as source:
                    os.rename(name, self.name, src_dir_fd=source.descriptor, dst_dir_fd=own.descriptor)
                self._discard([(uid, name) for _, uid, name in others])
            return own.below(self.name)

    def _discard(self, dead: list[tuple[str, str]]) -> None:
        for uid, name in dead:
            with self._staging(uid) as staging:
                staging.remove(name)

    def _uids(self) -> list[str]:
        kept = {_LOCK, naming.MANIFEST_FILE, accounts.NAME}
        return [name for name in self.state.names() if name not in kept and not name.startswith(".")]

    def _staging(self, uid: str) -> Tree:
        with self.state.parent(f"{uid}/{STAGING}/x") as (directory, _):
            return Tree(os.dup(directory))

    def check_owned(self) -> None:
        """Raise Failure with TargetBusy when another process took this directory over."""
        here = os.fstat(self.directory.descriptor)
        found = self.state.stat(f"{self._uid}/{STAGING}/{self.name}")
        if found is None or (found.st_ino, found.st_dev) != (here.st_ino, here.st_dev):
            raise Failure(Reason.TARGET_BUSY, "Another worker took over this target directory.")

    def prune(self, keys: set[str]) -> None:
        """Remove staging files that are of no use for these keys."""
        for name in self.directory.names():
            if "." in name and name.partition(".")[0] not in keys and not name.startswith("journal"):
                self.directory.remove(name)

    def journaled(self, files: Iterable[RemoteFile]) -> dict[str, int]:
        """How many bytes of each file, by key, are there already; files without any are left out."""
        there = set(self.directory.names())
        found: dict[str, int] = {}
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

    def sweep(self) -> None:
        """After publishing: remove this attempt's directory and those of dead ones."""
        self.journal.close()
        if self._exclusive:
            for uid in self._uids():
                self.state.remove(uid)
            return
        with self._staging(self._uid) as staging:
            staging.remove(self.name)
            for name in staging.names():
                found = staging.stat(name)
                if found is not None and time.time() - found.st_mtime > STALE_SECONDS:
                    staging.remove(name)

    def close(self) -> None:
        """Close the journal and release the lock."""
        self.journal.close()
        self.accounts.close()
        self.directory.close()
        os.close(self._lock)
        self.state.close()


def _component(uid: str) -> str:
    if not uid or "/" in uid or uid.startswith(".") or uid in (_LOCK, naming.MANIFEST_FILE, accounts.NAME):
        raise Failure(Reason.INVALID_SPEC, "The work request's uid cannot be the name of a directory.")
    return uid


def _used(staging: Tree, name: str) -> int:
    with Tree(staging._walk([name], create=False)) as inner:
        return sum(found.st_blocks for each in inner.names() if (found := inner.stat(each)))


def open_lock(state: Tree) -> int:
    """A descriptor of the target's lock file, made when missing; raises OSError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(_LOCK, flags, 0o644, dir_fd=state.descriptor)


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
