"""The target directory, walked without ever following a link.

Another pod that shares the volume may plant a symbolic link, or put one in place of a directory between two
of our calls. So no path below the target is ever given to the kernel as a whole: each component is opened
relative to the descriptor of its parent, with O_NOFOLLOW.
"""

import contextlib
import errno
import itertools
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from modelsync.worker.common import open_files, volume_errors

MOST_NAMES = 1_000_000
"""Of a directory of ours: a sync has 200,000 files, each perhaps twice. So many names take 100 MB."""
_AT_ONCE = 10_000
"""Names that are removed before the next ones are read."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Tree:
    """A directory and what is below it. Close it, or use it in a `with` block."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def open(cls, root: Path, sub_path: str = "") -> "Tree":
        """The target `sub_path` of the volume at `root`; missing directories are made."""
        with volume_errors.guarded(f"opening {root}"):
            base = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if not sub_path:
            return cls(base)
        with cls(base) as whole, volume_errors.guarded(f"opening the directory {sub_path}"):
            return cls(whole._walk(sub_path.split("/"), create=True))

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back; harmless when done twice."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def below(self, path: str) -> "Tree":
        """A directory below, made when missing; raises OSError."""
        return Tree(self._walk(path.split("/"), create=True))

    @contextlib.contextmanager
    def parent(self, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """The descriptor of a file's directory, and the file's name in it; raises OSError."""
        *directories, name = path.split("/")
        descriptor = self._walk(directories, create=create)
        try:
            yield descriptor, name
        finally:
            os.close(descriptor)

    def stat(self, path: str) -> os.stat_result | None:
        """What is at a path, itself and not what it links to; None when nothing does."""
        try:
            with self.parent(path) as (directory, name):
                return lying(directory, name)
        except FileNotFoundError:
            return None

    def regular(self, path: str) -> os.stat_result | None:
        """As `stat`, but None for all but regular files."""
        found = self.stat(path)
        return found if found is not None and stat.S_ISREG(found.st_mode) else None

    def link(self, path: str) -> str | None:
        """What a symbolic link says, unfollowed; None when there is no link. Raises OSError."""
        try:
            with self.parent(path) as (directory, name):
                return os.readlink(name, dir_fd=directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise

    def above(self) -> "Tree":
        """The directory that holds this one; raises OSError. A directory's own `..` is no link."""
        return Tree(os.open("..", _DIRECTORY, dir_fd=self.descriptor))

    def open_file(self, path: str) -> int:
        """A descriptor to read a regular file; raises as `open_files.existing`."""
        with self.parent(path) as (directory, name):
            return open_files.existing(directory, name)

    def names(self) -> list[str]:
        """What is directly in this directory, in order; raises OSError, also for more than MOST_NAMES."""
        found = self._some(MOST_NAMES + 1)
        if len(found) > MOST_NAMES:
            raise OSError(errno.EOVERFLOW, f"more than {MOST_NAMES} names in a directory of modelsync's")
        return sorted(found)

    def remove(self, name: str) -> None:
        """Remove a file or a directory with all below it; links are removed, not followed."""
        found = self.stat(name)
        if found is None:
            return
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(name, dir_fd=self.descriptor)
            return
        with Tree(self._walk([name], create=False)) as inner:
            inner._empty()
        os.rmdir(name, dir_fd=self.descriptor)

    def remove_below(self, path: str) -> None:
        """As `remove`, durably, for a path; nothing when its directory is missing. Raises OSError."""
        with contextlib.suppress(FileNotFoundError), self.parent(path) as (directory, name):
            with Tree(os.dup(directory)) as folder:
                folder.remove(name)
            os.fsync(directory)

    def _empty(self) -> None:
        """Remove all that is below. What is deeper is moved up first, so that no depth takes more
        descriptors or stack than another."""
        while found := self._some(_AT_ONCE):
            for name in found:
                if self._is_directory(name):
                    self._flatten(name)
                    os.rmdir(name, dir_fd=self.descriptor)
                else:
                    os.unlink(name, dir_fd=self.descriptor)

    def _flatten(self, name: str) -> None:
        """Empty a directory: its files go, its directories move beside it."""
        with Tree(self._walk([name], create=False)) as inner:
            while found := inner._some(_AT_ONCE):
                for each in found:
                    if inner._is_directory(each):
                        beside = secrets.token_hex(16)
                        os.rename(each, beside, src_dir_fd=inner.descriptor, dst_dir_fd=self.descriptor)
                    else:
                        os.unlink(each, dir_fd=inner.descriptor)

    def _is_directory(self, name: str) -> bool:
        found = lying(self.descriptor, name)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def _some(self, most: int) -> list[str]:
        with os.scandir(self.descriptor) as entries:
            return [entry.name for entry in itertools.islice(entries, most)]

    def _walk(self, components: list[str], *, create: bool) -> int:
        current = os.dup(self.descriptor)
        try:
            for component in components:
                following = _enter(current, component, create=create)
                os.close(current)
                current = following
        except BaseException:
            os.close(current)
            raise
        return current


def lying(directory: int, name: str) -> os.stat_result | None:
    """What is in a directory under a name, itself and not what it links to; None when nothing does."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _enter(directory: int, component: str, *, create: bool) -> int:
    if component in ("", ".", "..") or "/" in component:
        raise ValueError(f"not a component of a path: {component!r}")
    try:
        return os.open(component, _DIRECTORY, dir_fd=directory)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(component, dir_fd=directory)
        os.fsync(directory)
    return os.open(component, _DIRECTORY, dir_fd=directory)
