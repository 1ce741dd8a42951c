"""What the volume's errors mean, in the closed vocabulary of reasons.

A full disk, an exhausted quota, a lack of inodes and a read-only mount need different acts of a user, and
the kernel distinguishes them by errno; this is the one place that translates.
"""

import errno
import os

from modelsync.api.reasons import Reason
from modelsync.worker.common import open_files
from modelsync.worker.common.failures import Failure

TOO_MANY_FILES = {errno.EMFILE, errno.ENFILE}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_VANISHED = {errno.ENOENT, errno.ESTALE, errno.ENOTEMPTY, errno.EEXIST}
"""Only who removes what a worker made a moment ago, or makes what it removed, causes these: a second worker
where locks are."""


def failure(error: OSError, doing: str) -> Failure:
    """The failure that a file system's error means."""
    if error.errno == errno.ENOSPC:
        text = f"The volume is full ({doing}). Free space or inodes on it, or grow the PersistentVolumeClaim."
        return Failure(Reason.INSUFFICIENT_STORAGE, text)
    if error.errno == errno.EDQUOT:
        text = f"The volume's quota is used up ({doing}). Free space on it or raise the quota."
        return Failure(Reason.INSUFFICIENT_STORAGE, text)
    why = error.strerror or type(error).__name__
    if error.errno in TOO_MANY_FILES:
        return too_many_files(error, doing)
    if error.errno in _READ_ONLY:
        whom = f"the worker's user {os.getuid()} or a group of {sorted({os.getgid(), *os.getgroups()})}"
        fix = f"It must be mounted read-write and be writable for {whom} (spec.podTemplate.securityContext)."
        return Failure(Reason.VOLUME_NOT_WRITABLE, f"The volume refused {doing}: {why}. {fix}")
    if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP):
        text = f"The volume cannot do what a sync takes ({doing}: {why}). Use block storage, NFS or CephFS."
        return Failure(Reason.VOLUME_NOT_WRITABLE, text)
    if isinstance(error, open_files.Unusable | IsADirectoryError):
        text = f"Something that modelsync did not make has the name of one of its files ({doing})."
        return Failure(Reason.UNSAFE_PATH, f"{text} Remove it from the volume.")
    if error.errno == errno.EOVERFLOW:
        return Failure(Reason.UNSAFE_PATH, f"There are {why} ({doing}). Remove them from the volume.")
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        text = f"A link or a file stands where a directory is needed ({doing}). Remove it from the volume."
        return Failure(Reason.UNSAFE_PATH, text)
    if error.errno in _VANISHED:
        text = f"A file vanished or appeared ({doing}): another worker or program writes this target."
        return Failure(Reason.TARGET_BUSY, f"{text} It is tried again.")
    text = f"The volume failed {doing}: {why}. Check the volume and its node."
    return Failure(Reason.VOLUME_NOT_WRITABLE, text)


def too_many_files(error: OSError, doing: str) -> Failure:
    """Neither the volume nor the network is to blame where the process, or its machine, may open no more."""
    text = (
        f"There are as many open files as the limit allows ({doing}: {error.strerror}). Raise it (ulimit -n)."
    )
    return Failure(Reason.INTERNAL_ERROR, text)


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
