"""What the volume answers, in the words of the closed vocabulary.

A full disk, an exhausted quota, a lack of inodes and a read-only mount need different acts of a user, and
the kernel tells them apart by errno; this is the one place that translates.
"""

import ctypes
import errno
import os

from modelsync.api import display
from modelsync.api.reasons import Reason
from modelsync.worker import files
from modelsync.worker.failures import Failure

_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_VANISHED = {errno.ENOENT, errno.ESTALE, errno.ENOTEMPTY, errno.EEXIST}
"""Only who removes what a worker made a moment ago, or makes what it removed, causes these: a second worker
where locks lie."""
_UNABLE = {errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}
"""How file systems tell that they have no links; EPERM is vfat's and CIFS' (symlink(2))."""
_PROBE = "probe"
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def failure(error: OSError, doing: str) -> Failure:
    """The failure that a file system's error means."""
    if error.errno == errno.ENOSPC:
        text = f"The volume is full ({doing}). Free space or inodes on it, or grow the PersistentVolumeClaim."
        return Failure(Reason.INSUFFICIENT_STORAGE, text)
    if error.errno == errno.EDQUOT:
        text = f"The volume's quota is used up ({doing}). Free space on it or raise the quota."
        return Failure(Reason.INSUFFICIENT_STORAGE, text)
    told = error.strerror or type(error).__name__
    if error.errno in (errno.EMFILE, errno.ENFILE):
        text = f"There are as many open files as the limit allows ({doing}: {told}). Raise it (ulimit -n)."
        return Failure(Reason.INTERNAL_ERROR, text)
    if error.errno in _READ_ONLY:
        whom = f"the worker's user {os.getuid()} or a group of {sorted({os.getgid(), *os.getgroups()})}"
        mend = f"It must be mounted read-write and be writable for {whom} (spec.podTemplate.securityContext)."
        return Failure(Reason.VOLUME_NOT_WRITABLE, f"The volume refused {doing}: {told}. {mend}")
    if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP):
        text = f"The volume cannot do what a sync takes ({doing}: {told}). Use block storage, NFS or CephFS."
        return Failure(Reason.VOLUME_NOT_WRITABLE, text)
    if isinstance(error, files.Unusable | IsADirectoryError):
        text = (
            f"Something else than a file of modelsync lies in its place ({doing}). Remove it from the volume."
        )
        return Failure(Reason.UNSAFE_PATH, text)
    if error.errno == errno.EOVERFLOW:
        return Failure(Reason.UNSAFE_PATH, f"There are {told} ({doing}). Remove them from the volume.")
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        text = f"A link or a file stands where a directory is needed ({doing}). Remove it from the volume."
        return Failure(Reason.UNSAFE_PATH, text)
    if error.errno in _VANISHED:
        text = f"A file vanished or appeared ({doing}): another worker or program writes this target."
        return Failure(Reason.TARGET_BUSY, f"{text} It is tried again.")
    text = f"The volume failed {doing}: {told}. Check the volume and its node."
    return Failure(Reason.VOLUME_NOT_WRITABLE, text)


class guarded:
    """Turn OSErrors of the block into Failures."""

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            raise failure(error, self._doing) from error


def check_space(directory: int, missing_bytes: int, missing_files: int) -> None:
    """Refuse what cannot fit; raises Failure with InsufficientStorage.

    `directory` is a descriptor on the volume. Told before the first byte, because a transfer of hours
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

    A Windows share or vfat would tell after all is fetched. That files can be renamed, the journal has shown.
    """
    with guarded("trying a link"):
        if _PROBE in os.listdir(directory):  # of a worker that was killed just here
            os.unlink(_PROBE, dir_fd=directory)
        try:
            os.symlink("nowhere", _PROBE, dir_fd=directory)
        except OSError as error:
            if error.errno not in _UNABLE:
                raise
            text = "The volume holds no symbolic links, which HuggingFaceCache takes. Use Directory in"
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
    descriptor = files.existing(directory, name)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(directory: int) -> bool:
    """Bring all that was written to this file system to the disk (syncfs(2)), or tell that it cannot be done.

    Raises OSError for what could not be written: since Linux 5.8 the kernel tells.
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
