"""Gives the machine its kernel settings back.

A kubelet sets a few system wide settings when it starts (it wants the machine to reboot after an
oops, which a developer may not). They are noted before the first cluster starts and restored when
the last one is gone, since clusters share them.
"""

import contextlib
import json
import pathlib

from dev.cluster import layout

# What setupKernelTunables in Kubernetes' pkg/kubelet/cm/container_manager_linux.go writes.
_SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
_PROC = pathlib.Path("/proc/sys")


def note() -> None:
    """Write down the settings, unless another cluster has already changed them."""
    if not _file().exists():
        values = {name: (_PROC / name).read_text() for name in _SETTINGS if (_PROC / name).exists()}
        partial = _file().with_suffix(".partial")
        partial.write_text(json.dumps(values))
        partial.replace(_file())


def restore() -> None:
    """Write the noted settings back, if no cluster is left."""
    others = [path for path in _file().parent.iterdir() if path.is_dir()]
    if others or not _file().exists():
        return
    for name, value in json.loads(_file().read_text()).items():
        with contextlib.suppress(OSError):
            (_PROC / name).write_text(value)
    _file().unlink()


def _file() -> pathlib.Path:
    return layout.cache_folder() / "cluster" / "kernel-settings.json"
