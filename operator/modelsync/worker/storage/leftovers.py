"""Unfinished files of ModelSyncs that are gone, as a volume shows them.

A worker that is stopped leaves its staging files for the next one, since it cannot know whether its ModelSync
is paused or deleted. The next worker of the same directory takes them over, of any ModelSync, and removes
what it did not need. Where none follows, a person decides: a volume does not show whether a ModelSync with
this uid still exists. So this lists, and removes only what was named.
"""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from modelsync.api import naming
from modelsync.worker.storage import mount_info, staging
from modelsync.worker.storage.safe_directory import Tree

_DEEPEST = 128
"""Directories below each other that are looked into; a path of a target has 1,024 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """The staging files of one ModelSync in one directory."""

    directory: str
    """The target directory, relative to the volume's root; "" for the root."""
    uid: str
    size: int
    """Bytes of the volume that the files hold, reserved ones included."""
    changed: datetime
    """When a file was written last."""


class InUse(Exception):
    """A worker writes, or may write, in this directory."""


def find(root: Path) -> Iterator[Leftover]:
    """What is below a volume's root or a part of it, by directory and uid; links are not followed.

    Raises OSError when the root cannot be read; directories below it that cannot be read are passed by.
    """
    with Tree.open(root) as whole:
        for path, names, _, descriptor in _walked(whole.descriptor):
            if naming.STATE_DIR not in names:
                continue
            names.remove(naming.STATE_DIR)
            directory = "" if path == "." else path.removeprefix("./")
            with contextlib.suppress(OSError), _below(descriptor, naming.STATE_DIR) as state:
                yield from [_measured(state, directory, uid) for uid in _uids(state)]


def remove(root: Path, leftover: Leftover) -> None:
    """Remove the staging files; raises InUse, or OSError. The target's lock is held meanwhile."""
    path = f"{leftover.directory}/{naming.STATE_DIR}".lstrip("/")
    with Tree.open(root) as whole, _below(whole.descriptor, path) as state, _locked(state) as exclusive:
        age = time.time() - leftover.changed.timestamp()
        if not exclusive and age < staging.STALE_SECONDS:
            raise InUse
        with _below(state.descriptor, leftover.uid) as own:
            own.remove(staging.STAGING)
        with contextlib.suppress(OSError):  # somebody else's files are beside it
            os.rmdir(leftover.uid, dir_fd=state.descriptor)


def _walked(directory: int) -> Iterator[tuple[str, list[str], list[str], int]]:
    """As os.fwalk, in order, down to a depth that needs neither its stack nor its descriptors."""
    for path, names, others, descriptor in os.fwalk(".", dir_fd=directory):
        names.sort()
        yield path, names, others, descriptor
        if path.count("/") >= _DEEPEST:
            names.clear()


@contextlib.contextmanager
def _below(directory: int, path: str) -> Iterator[Tree]:
    """A directory that exists; raises OSError. Not `Tree.below`, which makes it."""
    with Tree(os.dup(directory)) as tree, tree.parent(f"{path}/x") as (descriptor, _):
        yield Tree(descriptor)


def _uids(state: Tree) -> list[str]:
    return [name for name in state.names() if _is_directory(state, f"{name}/{staging.STAGING}")]


def _is_directory(tree: Tree, path: str) -> bool:
    try:
        found = tree.stat(path)
    except OSError:  # a file or a link stands where a directory should
        return False
    return found is not None and stat.S_ISDIR(found.st_mode)


def _measured(state: Tree, directory: str, uid: str) -> Leftover:
    size, changed = 0, 0.0
    with _below(state.descriptor, f"{uid}/{staging.STAGING}") as own:
        for _, _, names, descriptor in _walked(own.descriptor):
            for each in (".", *names):
                found = os.stat(each, dir_fd=descriptor, follow_symlinks=False)
                size += 0 if each == "." else found.st_blocks * 512
                changed = max(changed, found.st_mtime)
    return Leftover(directory=directory, uid=uid, size=size, changed=datetime.fromtimestamp(changed, UTC))


@contextlib.contextmanager
def _locked(state: Tree) -> Iterator[bool]:
    """Hold the target's lock; whether that keeps every worker out. Raises InUse while one holds it."""
    lock = staging.open_lock(state)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        reach = mount_info.locks_reach_all_nodes(mount_info.mount(state.descriptor))
        yield reach and staging.locks_work(state)
    except BlockingIOError:
        raise InUse from None
    finally:
        os.close(lock)
