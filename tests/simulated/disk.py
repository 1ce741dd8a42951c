"""Files of which each 997th byte is kept: a file of 200 MiB costs 200 KiB, and a byte in a wrong place shows.

Descriptors are real ones, of /dev/null, so that whatever closes them late closes nothing else. A write past
the page cache must be aligned in memory, in the file and in its length, as the kernel wants it.
"""

import contextlib
import ctypes
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from modelsync.worker.common import open_files
from modelsync.worker.storage.journal import Entry
from tests.simulated.world import World

STEP = 997
_DESCRIPTORS = "/proc/self/fd/"
PAGE = 4096


def sample(data: memoryview, position: int) -> bytes:
    """What is kept of bytes at a position."""
    return bytes(data[-position % STEP :: STEP])


def samples(position: int) -> int:
    """How many bytes are kept of those before a position."""
    return -(-position // STEP)


def put(view: memoryview, position: int, kept: bytes) -> None:
    """Set the bytes that are kept in memory that stands for this position; `kept` is the whole file's."""
    view[-position % STEP :: STEP] = kept[samples(position) : samples(position + len(view))]


def digest(kept: bytes, size: int) -> str:
    """The checksum of a file, over what is kept of it and its size."""
    return hashlib.sha256(b"%d " % size + kept).hexdigest()


class Sum:
    """Computes that checksum of bytes as they pass, each file at one speed."""

    def __init__(self, disk: "Disk") -> None:
        self._disk = disk
        self._kept = bytearray()
        self._size = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._disk.world.sleep(len(data) / self._disk.hash_speed)
        self._kept += sample(memoryview(data), self._size)
        self._size += len(data)
        self._disk.hashed += len(data)

    def hexdigest(self) -> str:
        return digest(bytes(self._kept), self._size)


@dataclass(slots=True)
class File:
    """A file's size, what is kept of its bytes, and which are written."""

    size: int = 0
    kept: bytearray = field(default_factory=bytearray)


def _described(file: File) -> SimpleNamespace:
    return SimpleNamespace(st_mode=stat.S_IFREG | 0o644, st_nlink=1, st_uid=0, st_size=file.size)


class Disk:
    """Stands in for `os` where the worker reads and writes staging files."""

    def __init__(self, world: World, *, speed: float, hash_speed: float, short: float = 0.0) -> None:
        """Bytes per second; `short` is the share of writes that write a part only."""
        self.world, self.speed, self.hash_speed, self.short = world, speed, hash_speed, short
        self.files: dict[str, File] = {}
        self.hashed = 0
        self._opened: dict[int, tuple[File, bool]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, name: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if name.startswith(_DESCRIPTORS):
            file = self._opened[int(name.removeprefix(_DESCRIPTORS))][0]
        elif flags & os.O_EXCL and name in self.files:
            raise FileExistsError(errno.EEXIST, name)
        elif name not in self.files and not flags & os.O_CREAT:
            raise FileNotFoundError(errno.ENOENT, name)
        else:
            file = self.files.setdefault(name, File())
        number = os.open(os.devnull, os.O_RDWR)
        self._opened[number] = file, bool(flags & os.O_DIRECT)
        return number

    def close(self, number: int) -> None:
        self._opened.pop(number, None)
        os.close(number)

    def unlink(self, name: str, *, dir_fd: int | None = None) -> None:
        del self.files[name]

    def fstat(self, number: int) -> SimpleNamespace:
        return _described(self._opened[number][0])

    def stat(self, name: str, *, dir_fd: int, follow_symlinks: bool) -> SimpleNamespace:
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, name)
        return _described(self.files[name])

    def ftruncate(self, number: int, size: int) -> None:
        file = self._opened[number][0]
        file.size = size
        file.kept = file.kept[: samples(size)].ljust(samples(size), b"\0")

    def fsync(self, number: int) -> None:
        self.world.sleep(0.005)

    fdatasync = fsync

    def pwrite(self, number: int, data: memoryview, position: int) -> int:
        file, direct = self._opened[number]
        if direct:
            address = ctypes.addressof(ctypes.c_char.from_buffer(data))
            assert not (address | position | len(data)) % PAGE, "a direct write that is not aligned"
        if self.short and len(data) > 1 and self.world.random.random() < self.short:
            data = data[: self.world.random.randrange(1, len(data))]
        kept = sample(data, position)
        self.world.sleep(len(data) / self.speed)
        if file.size < position + len(data):
            file.size = position + len(data)
            file.kept = file.kept.ljust(samples(file.size), b"\0")
        file.kept[samples(position) : samples(position + len(data))] = kept
        return len(data)

    def pread(self, number: int, count: int, position: int) -> bytes:
        file = self._opened[number][0]
        count = max(0, min(count, file.size - position))
        self.world.sleep(count / self.speed)
        data = bytearray(count)
        put(memoryview(data), position, bytes(file.kept))
        return bytes(data)


class _Journal:
    def __init__(self, entries: dict[str, Entry]) -> None:
        self.entries = entries

    @contextlib.contextmanager
    def proving(self) -> Iterator[None]:
        yield

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


class Staging:
    """A staging directory on such a disk; its journal speaks of what an earlier attempt left."""

    reserves = False

    def __init__(self, *, direct: bool, entries: dict[str, Entry]) -> None:
        self.direct = direct
        self.journal = _Journal(entries)
        self.directory = SimpleNamespace(descriptor=-1)

    def create(self, name: str) -> int:
        return open_files.create(-1, name)

    def open(self, name: str) -> int:
        return open_files.own(-1, name, None, os.O_RDWR)

    def journaled(self, _: object) -> dict[str, int]:
        return {}
