"""Every change that a worker makes to its volume, seen and steered call by call.

A tracer counts calls a thread, not a process, and sees the same call at another number in each run; here all
changing calls of the process pass one place, under one lock, in the order in which they really happened. So
"kill before the 17th rename" is one place in the program, and a recording of a run is a sequence that can be
replayed up to any point. Only the call is steered: the system call behind it is the real one.

The worker changes its volume through `os` and through file objects on descriptors; both lead here. A
run under strace shows that no other changing call reaches the volume (`tests/faults/test_operations.py`).
"""

import builtins
import ctypes
import errno
import io
import os
import stat
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, Protocol

_CREATING = os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One changing call, before it is made."""

    name: str
    """Of the system call: open, write, pwrite, ftruncate, fallocate, fsync, fdatasync, rename, unlink, …"""
    nth: int
    """Its number among the calls of this name, from 1."""
    descriptor: int = -1
    """Of the file that is changed, or of the directory of `path`."""
    path: str = ""
    offset: int = 0
    """Where data goes, or the size that is set."""
    data: bytes | memoryview = b""
    flags: int = 0
    other_descriptor: int = -1
    other_path: str = ""
    """Where a rename leads to."""

    @property
    def place(self) -> str:
        """Path of the file as the kernel names it, for messages and to distinguish files."""
        try:
            held = os.readlink(f"/proc/self/fd/{self.descriptor}")
        except OSError:
            held = "?"
        return f"{held}/{self.path}" if self.path else held


class Hook(Protocol):
    """What stands around each operation."""

    def __call__(self, operation: Operation, act: Callable[[], Any]) -> Any:
        """Make the call by `act()`, or raise, or end the process."""


class _Steered:
    """The calls of `os`, led through a hook."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._lock = threading.RLock()
        self._counts: Counter[str] = Counter()
        self._real = {name: getattr(os, name) for name in (*_SIMPLE, *_PLACED, *_MOVING, "open", *_WRITING)}

    def install(self) -> None:
        for name in _SIMPLE:
            setattr(os, name, self._simple(name))
        for name in _PLACED:
            setattr(os, name, self._placed(name))
        for name in _MOVING:
            setattr(os, name, self._moving(name))
        os.open = self._open  # type: ignore[assignment]
        os.write, os.pwrite = self._write, self._pwrite
        builtins.open = _opener(builtins.open)
        ctypes.CDLL = self._library  # type: ignore[assignment,misc]

    def _pass(self, act: Callable[[], Any], **fields: Any) -> Any:
        with self._lock:
            self._counts[fields["name"]] += 1
            return self._hook(Operation(nth=self._counts[fields["name"]], **fields), act)

    def _simple(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(descriptor: int, size: int = 0) -> Any:
            given = (descriptor, size) if name == "ftruncate" else (descriptor,)
            return self._pass(lambda: real(*given), name=name, descriptor=descriptor, offset=size)

        return call

    def _placed(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(path: str, *given: Any, dir_fd: int | None = None, **more: Any) -> Any:
            return self._pass(
                lambda: real(path, *given, dir_fd=dir_fd, **more),
                name=name,
                path=os.fspath(path),
                descriptor=-1 if dir_fd is None else dir_fd,
            )

        return call

    def _moving(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(
            source: str, target: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
        ) -> Any:
            return self._pass(
                lambda: real(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd),
                name="rename",
                path=os.fspath(source),
                descriptor=-1 if src_dir_fd is None else src_dir_fd,
                other_path=os.fspath(target),
                other_descriptor=-1 if dst_dir_fd is None else dst_dir_fd,
            )

        return call

    def _open(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        def act() -> int:
            descriptor: int = self._real["open"](path, flags, mode, dir_fd=dir_fd)
            return descriptor

        if not flags & _CREATING:
            return act()
        descriptor = -1 if dir_fd is None else dir_fd
        opened: int = self._pass(act, name="open", path=os.fspath(path), descriptor=descriptor, flags=flags)
        return opened

    def _write(self, descriptor: int, data: Any) -> int:
        real = self._real["write"]
        written: int = self._pass(
            lambda: real(descriptor, data), name="write", descriptor=descriptor, data=_bytes(data)
        )
        return written

    def _pwrite(self, descriptor: int, data: Any, offset: int) -> int:
        real = self._real["pwrite"]
        written: int = self._pass(
            lambda: real(descriptor, data, offset),
            name="pwrite",
            descriptor=descriptor,
            data=_bytes(data),
            offset=offset,
        )
        return written

    def _library(self, name: str | None, **options: Any) -> Any:
        return _Library(_REAL_LIBRARY(name, **options), self._pass)


_SIMPLE = ("fsync", "fdatasync", "ftruncate")
_PLACED = ("unlink", "rmdir", "mkdir", "truncate", "symlink", "link")
_MOVING = ("rename", "replace")
_WRITING = ("write", "pwrite")
_REAL_LIBRARY = ctypes.CDLL


class _Library:
    """The C library, for the calls that `os` does not have: fallocate and syncfs."""

    def __init__(self, real: Any, steer: Callable[..., Any]) -> None:
        self._real, self._steer = real, steer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def fallocate(self, descriptor: int, mode: int, offset: Any, length: Any) -> int:
        """As fallocate(2): -1 and errno on failure."""

        def act() -> int:
            if self._real.fallocate(descriptor, mode, offset, length):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
            return 0

        end = offset.value + length.value
        return self._as_the_library(
            lambda: self._steer(act, name="fallocate", descriptor=descriptor, offset=end)
        )

    def syncfs(self, descriptor: int) -> int:
        """As syncfs(2): -1 and errno on failure."""

        def act() -> int:
            if self._real.syncfs(descriptor):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
            return 0

        return self._as_the_library(lambda: self._steer(act, name="syncfs", descriptor=descriptor))

    def _as_the_library(self, call: Callable[[], int]) -> int:
        """An answer as the C library gives it."""
        try:
            return call()
        except OSError as error:
            ctypes.set_errno(error.errno or errno.EIO)
            return -1


class _Raw(io.FileIO):
    """A file object's lowest layer that writes through `os.write`."""

    def write(self, data: Any, /) -> int:
        return os.write(self.fileno(), data)


def _opener(real: Callable[..., IO[Any]]) -> Any:
    """`open`, with descriptors of files opened for writing led through `os.write`."""

    def call(file: Any, mode: str = "r", *given: Any, **more: Any) -> IO[Any]:
        if not isinstance(file, int) or "w" not in mode or not stat.S_ISREG(os.fstat(file).st_mode):
            return real(file, mode, *given, **more)
        buffered = io.BufferedWriter(_Raw(file, "w"))
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding="utf-8")

    return call


def _bytes(data: Any) -> memoryview:
    return memoryview(data).cast("B")


def install(hook: Hook) -> None:
    """Lead all changing calls of this process through the hook, until it ends."""
    _Steered(hook).install()
