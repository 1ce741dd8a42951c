"""The one place where files on the volume are opened.

Another Pod of the claim may put anything under any name, also between two of our calls: a link to somebody
else's file, a pipe that nobody reads, a device, a directory. So what modelsync writes is always a new file,
and what it finds is opened without waiting, is a regular file, and, where only modelsync has business, has
one name and was made by the worker's own user. `safe_directory` opens the directories.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

_ALWAYS = os.O_NOFOLLOW | os.O_CLOEXEC


class Unusable(OSError):
    """Under the name is no file that may be used: a link, a pipe, a device, or another's file."""

    def __init__(self) -> None:
        super().__init__(errno.EEXIST, "something else has this place")


class Handle:
    """A descriptor that closes when its last user lets go: its number is never reused under a writer."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)


def new(directory: int, name: str, flags: int = os.O_RDWR, mode: int = 0o666) -> int:
    """A descriptor of a new file; raises FileExistsError where anything is, and other OSErrors."""
    return os.open(name, flags | os.O_CREAT | os.O_EXCL | _ALWAYS, mode, dir_fd=directory)


def create(directory: int, name: str, flags: int = os.O_RDWR, mode: int = 0o666) -> int:
    """A descriptor of a new file in place of what is under the name, which is unlinked and never written.

    Raises OSError, and IsADirectoryError for a directory, which stays.
    """
    try:
        return new(directory, name, flags, mode)
    except FileExistsError:
        os.unlink(name, dir_fd=directory)
    return new(directory, name, flags, mode)


def existing(directory: int, name: str, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a regular file, no matter who made it.

    Raises FileNotFoundError, IsADirectoryError, Unusable for all else that is no file, and other OSErrors.
    """
    # Looked at before it is opened, as opening is an act for some devices; and after, as it may be swapped.
    _check(os.stat(name, dir_fd=directory, follow_symlinks=False))
    descriptor = os.open(name, flags | os.O_NONBLOCK | _ALWAYS, dir_fd=directory)
    try:
        _check(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def own(directory: int, name: str, owner: int | None, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a regular file that has no second name and belongs to this user (None takes any).

    Raises as `existing`, and Unusable for another's file.
    """
    descriptor = existing(directory, name, flags)
    if not is_own(os.fstat(descriptor), owner):
        os.close(descriptor)
        raise Unusable
    return descriptor


def is_own(found: os.stat_result, owner: int | None) -> bool:
    """Whether a regular file has no second name, by which others may write it, and belongs to this user."""
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and owner in (None, found.st_uid)


def shared(directory: int, name: str) -> int:
    """A descriptor of a file that many open and none writes, made when missing; raises as `existing`.

    Another user may have made it, with a umask that lets others only read. That is enough to lock it, but on
    NFS, whose locks need the right to write: there it is as a volume without locks.
    """
    try:
        return _opened(directory, name)
    except FileNotFoundError:
        pass
    try:
        return new(directory, name)
    except FileExistsError:  # another one was faster
        return _opened(directory, name)


def _opened(directory: int, name: str) -> int:
    try:
        return existing(directory, name, os.O_RDWR)
    except PermissionError:
        return existing(directory, name)


@contextlib.contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """A descriptor that is closed after the block."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def again(descriptor: int, flags: int) -> int:
    """Another descriptor of the very file that is open, with other flags; raises OSError."""
    return os.open(f"/proc/self/fd/{descriptor}", flags | os.O_CLOEXEC)


def _check(found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise Unusable
