"""What is asked of the volume's file system: free space, links, reserving and syncing."""

import ctypes
import errno
import os

from modelsync.api.common import display
from modelsync.api.reasons import Reason
from modelsync.worker.common import open_files
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.volume_errors import guarded

_UNABLE = {errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}
"""How file systems report that they have no links; EPERM is vfat's and CIFS' (symlink(2))."""
_PROBE = "probe"
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


MANY = 32
"""Finished files from which on one call syncs all of them."""


def check_space(directory: int, missing_bytes: int, missing_files: int) -> None:
    """Refuse what cannot fit; raises Failure with InsufficientStorage.

    `directory` is a descriptor on the volume. Checked before the first byte, because a transfer of hours
    that ends with a full disk helps nobody.
    """
    with guarded("asking for free space"):
        space = os.fstatvfs(directory)
    free = space.f_bavail * space.f_frsize
    if missing_bytes > free:
        text = (
            f"The volume has {display.size(free)} free but {display.size(missing_bytes)} are still to be"
            " written. Free space on it or grow the PersistentVolumeClaim."
        )
        raise Failure(Reason.INSUFFICIENT_STORAGE, text)
    if space.f_files and missing_files > space.f_favail:
        text = (
            f"The volume has {space.f_favail} free inodes but {missing_files} files are still to be written."
            " Remove files from it or use a volume with more inodes."
        )
        raise Failure(Reason.INSUFFICIENT_STORAGE, text)


def check_links(directory: int) -> None:
    """Refuse a volume without symbolic links, which a cache's names are; raises Failure.

    A Windows share or vfat would fail after all is fetched. That files can be renamed, the journal has shown.
    """
    with guarded("trying a link"):
        if _PROBE in os.listdir(directory):  # of a worker that was killed just here
            os.unlink(_PROBE, dir_fd=directory)
        try:
            os.symlink("nowhere", _PROBE, dir_fd=directory)
        except OSError as error:
            if error.errno not in _UNABLE:
                raise
            text = "The volume supports no symbolic links, which HuggingFaceCache needs. Use Directory in"
            raise Failure(Reason.VOLUME_NOT_WRITABLE, f"{text} spec.target.layout.") from error
        os.unlink(_PROBE, dir_fd=directory)


def reserve(descriptor: int, start: int, end: int) -> bool:
    """Take the blocks of [start, end) of a file; False where the file system cannot. Raises OSError.

    Not os.posix_fallocate: glibc's writes a byte into every block where the file system lacks support,
    which takes hours for a large file on NFS.
    """
    given = ctypes.c_longlong(start), ctypes.c_longlong(end - start)
    if _libc().fallocate(descriptor, 0, *given) == 0:
        return True
    number = ctypes.get_errno()
    if number not in _UNSUPPORTED:
        raise OSError(number, os.strerror(number))
    return False


def sync_file(directory: int, name: str) -> None:
    """Bring one file to the disk; raises OSError."""
    descriptor = open_files.existing(directory, name)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(directory: int) -> bool:
    """Bring all that was written to this file system to the disk (syncfs(2)), or return that it cannot be
    done.

    Raises OSError for what could not be written: since Linux 5.8 the kernel reports it.
    """
    libc = _libc()
    if not hasattr(libc, "syncfs"):
        return False
    if libc.syncfs(directory):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return True


def _libc() -> ctypes.CDLL:
    """The C library, for the calls that `os` does not have."""
    return ctypes.CDLL(None, use_errno=True)
