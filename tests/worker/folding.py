"""A volume that ignores case and Unicode form: asked for under any name of the same form, the
same file answers. Stands in for ext4's casefold, vfat and CIFS, which no test machine mounts."""

import os
from typing import Any

import pytest

from modelsync.worker.common import names

_CALLS = ("open", "stat", "mkdir", "unlink", "rmdir", "readlink")


def fold(patch: pytest.MonkeyPatch) -> None:
    """Let all names meet that such a volume takes for one."""
    for name in _CALLS:
        patch.setattr(os, name, _folding(getattr(os, name)))
    rename = os.rename

    def renaming(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        there = _there(source, src_dir_fd), _there(target, dst_dir_fd)
        rename(*there, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    patch.setattr(os, "rename", renaming)


def _folding(call: Any) -> Any:
    def folded(path: Any, *given: Any, dir_fd: int | None = None, **more: Any) -> Any:
        if dir_fd is not None:
            path = _there(path, dir_fd)
        return call(path, *given, dir_fd=dir_fd, **more)

    return folded


def _there(name: str, directory: int) -> str:
    """The name under which something of the same form is in a directory."""
    if "/" in name or name.startswith("."):
        return name
    form = names.folded(name)
    return next((each for each in os.listdir(directory) if names.folded(each) == form), name)
