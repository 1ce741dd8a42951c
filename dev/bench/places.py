"""Where the files of a run go: memory, the disk, a disk that is held to a rate, a disk of any size."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dev.bench.cases import SLOW_RATE, Volume
from dev.bench.measure import BenchError

MEMORY = Path("/dev/shm")
THROTTLE = Path("/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device")
"""Version 1's root group holds all writers, the kernel's write-back included; version 2's has no limit."""


class Unavailable(Exception):
    """This machine lacks what a case needs; the message says what."""


@contextlib.contextmanager
def volume(kind: Volume, scratch: Path, needed: int) -> Iterator[Path]:
    """A folder on the volume of a case, with room for `needed` bytes."""
    if kind is Volume.MEMORY:
        with _memory(scratch, needed) as folder:
            yield folder
    elif kind is Volume.DISK:
        with tempfile.TemporaryDirectory(prefix="target-", dir=scratch) as name:
            yield Path(name)
    else:
        slow = kind is Volume.SLOW
        with _loop_disk(scratch, needed + needed // 4 + (256 << 20), SLOW_RATE if slow else 0) as folder:
            yield folder


@contextlib.contextmanager
def _memory(scratch: Path, needed: int) -> Iterator[Path]:
    """A folder in a tmpfs; on the disk where there is none of that size."""
    space = os.statvfs(MEMORY) if MEMORY.is_dir() else None
    fits = space is not None and space.f_bavail * space.f_frsize > needed * 1.2
    with tempfile.TemporaryDirectory(prefix="modelsync-bench-", dir=MEMORY if fits else scratch) as name:
        yield Path(name)


@contextlib.contextmanager
def _loop_disk(scratch: Path, size: int, rate: int) -> Iterator[Path]:
    """An ext4 on a loop device over a sparse file; the kernel holds the device's writes to `rate`."""
    if os.geteuid() != 0:
        raise Unavailable("a disk of its own needs root")
    if rate and not THROTTLE.exists():
        raise Unavailable(f"{THROTTLE} is missing (cgroup version 1)")
    with contextlib.ExitStack() as undo:
        image, folder = scratch / "disk.img", scratch / "disk"
        undo.callback(image.unlink, missing_ok=True)
        with image.open("wb") as file:
            file.truncate(size)
        eager = "lazy_itable_init=0,lazy_journal_init=0" if rate else "lazy_itable_init=1"
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=64", "-E", eager, str(image))
        device = _run("losetup", "--find", "--show", str(image)).strip()
        undo.callback(_run, "losetup", "--detach", device)
        folder.mkdir()
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        _run("mount", device, str(folder))
        undo.callback(_run, "umount", str(folder))
        if rate:
            number = os.stat(device).st_rdev
            name = f"{os.major(number)}:{os.minor(number)}"
            THROTTLE.write_text(f"{name} {rate}")
            undo.callback(THROTTLE.write_text, f"{name} 0")
        yield folder


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout
