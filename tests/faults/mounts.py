"""Mounts that no other process sees."""

import ctypes
import os

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
"""unshare(2), mount(2)."""


def own() -> None:
    """Give this process a mount namespace of its own, as `unshare --mount --propagation=private` does.

    Raises OSError; it takes root.
    """
    library = ctypes.CDLL(None, use_errno=True)
    failed = library.unshare(CLONE_NEWNS) or library.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
