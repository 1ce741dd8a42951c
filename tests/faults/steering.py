"""What the hooks around a worker's operations do: strike, count, or record."""

import contextlib
import os
import pickle
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.operations import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens at some calls of one name."""

    name: str
    """Of the system call."""
    do: str
    """kill: before the call; tear: after half of its data; fail: with `number`; lose: as `fail`, and the
    kernel drops what was not synced, as it does when a sync meets a bad block; full: as `fail`, once `budget`
    bytes were written; sleep: for `seconds` before the call."""
    first: int = 1
    last: int = 1 << 60
    """It strikes from the first to the last call of that name."""
    place: str = ""
    """Part of the file's path; any when empty."""
    number: int = 0
    budget: int = 0
    seconds: float = 0.0


class Faults:
    """Strikes where faults say so. Used under the lock of the operations."""

    def __init__(self, faults: list[Fault], last_will: Callable[[], None] = lambda: None) -> None:
        self._faults = faults
        self._last_will = last_will
        """What is done before a kill."""
        self._seen = [0] * len(faults)
        self._written = [0] * len(faults)
        self._unsynced: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def __call__(self, operation: Operation, act: Callable[[], Any]) -> Any:
        """Make the call, unless a fault says otherwise."""
        self._note(operation)
        for index, fault in enumerate(self._faults):
            if fault.name != operation.name or (fault.place and fault.place not in operation.place):
                continue
            self._seen[index] += 1
            if fault.do == "full":
                return self._into_the_full(index, operation, act)
            if fault.first <= self._seen[index] <= fault.last:
                self._strike(fault, operation)
        result = act()
        if operation.name in ("fsync", "fdatasync"):
            self._unsynced.pop(_identity(operation.descriptor), None)
        return result

    def _note(self, operation: Operation) -> None:
        """Remember what a failing sync would lose."""
        if operation.name == "pwrite":
            written = (operation.offset, len(operation.data))
            self._unsynced.setdefault(_identity(operation.descriptor), []).append(written)
        elif operation.name == "syncfs":
            self._unsynced.clear()

    def _strike(self, fault: Fault, operation: Operation) -> None:
        match fault.do:
            case "kill" | "tear":
                if fault.do == "tear":
                    with contextlib.suppress(OSError):  # half a page cannot be written past the cache
                        _partly(operation, len(operation.data) // 2)
                self._last_will()
                os.kill(os.getpid(), signal.SIGKILL)
            case "lose":
                _zero(operation.descriptor, self._unsynced.pop(_identity(operation.descriptor), []))
                raise OSError(fault.number, os.strerror(fault.number))
            case "fail":
                raise OSError(fault.number, os.strerror(fault.number))
            case "sleep":
                time.sleep(fault.seconds)

    def _into_the_full(self, index: int, operation: Operation, act: Callable[[], Any]) -> Any:
        """Write what still fits: a short write first, as the kernel does, then no space."""
        fault, size = self._faults[index], len(operation.data)
        room = fault.budget - self._written[index]
        if room <= 0:
            raise OSError(fault.number, os.strerror(fault.number))
        self._written[index] += min(room, size)
        if room >= size:
            return act()
        return _partly(operation, room)


def _identity(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def _zero(descriptor: int, ranges: list[tuple[int, int]]) -> None:
    """Put zeros there, also through a descriptor that is for reading."""
    if ranges:
        writable = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY)
        for offset, size in ranges:
            os.pwritev(writable, [bytes(size)], offset)
        os.close(writable)


def _partly(operation: Operation, count: int) -> int:
    data = memoryview(operation.data)[:count]
    if operation.name == "pwrite":
        return os.pwritev(operation.descriptor, [data], operation.offset)
    return os.writev(operation.descriptor, [data])


class Counting:
    """Counts the calls by name and kind of file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.places: list[tuple[str, str]] = []

    def __call__(self, operation: Operation, act: Callable[[], Any]) -> Any:
        """Make the call and remember it."""
        self.places.append((operation.name, operation.place))
        return act()

    def save(self) -> None:
        """Leave what was counted."""
        self._path.write_bytes(pickle.dumps(self.places))


@dataclass(frozen=True, slots=True)
class Step:
    """One change as a recording holds it; objects are numbers, the target's root is 0."""

    name: str
    object: int
    """What was written, synced, made, moved or removed."""
    directory: int = -1
    entry: str = ""
    other_directory: int = -1
    other_entry: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass(slots=True)
class Recording:
    """The changes of one or more runs."""

    steps: list[Step] = field(default_factory=list)
    known: dict[tuple[int, int], int] = field(default_factory=dict)
    """Number of each object, by device and inode."""
    next: int = 0

    @classmethod
    def read(cls, path: Path) -> "Recording":
        """What an earlier run left; an empty one when it left nothing."""
        found = pickle.loads(path.read_bytes()) if path.exists() else cls()
        assert isinstance(found, Recording)
        return found


class Recorder:
    """Writes down every change below a directory, with its data. Used under the lock of the operations.

    Files are distinguished by numbers of our own, because a file system gives a removed file's inode to the
    next. A recording goes on where that of an earlier run on the same directory ended.
    """

    def __init__(self, root: Path, path: Path, faults: list[Fault]) -> None:
        self._path = path
        self._recording = Recording.read(path)
        self.steps, self.known = self._recording.steps, self._recording.known
        self._faults = Faults(faults, self.save)
        if not self.known:
            self._learn(root)

    def _learn(self, root: Path) -> None:
        """Number what is there already, in an order that `powerloss.State` repeats."""
        for path in [root, *sorted(root.rglob("*"))]:
            found = path.lstat()
            self._number(found)

    def _number(self, found: os.stat_result) -> int:
        number = self._recording.next
        self._recording.next += 1
        self.known[found.st_dev, found.st_ino] = number
        return number

    def save(self) -> None:
        """Leave the recording."""
        self._path.write_bytes(pickle.dumps(self._recording))

    def _of(self, descriptor: int) -> int:
        if descriptor < 0:
            return -1
        found = os.fstat(descriptor)
        return self.known.get((found.st_dev, found.st_ino), -1)

    def _at(self, directory: int, entry: str) -> os.stat_result | None:
        try:
            return os.stat(entry, dir_fd=directory, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _at_number(self, directory: int, entry: str) -> int:
        found = self._at(directory, entry)
        return -1 if found is None else self.known.get((found.st_dev, found.st_ino), -1)

    def __call__(self, operation: Operation, act: Callable[[], Any]) -> Any:
        """Make the call, unless a fault says otherwise, and write it down."""
        return self._faults(operation, lambda: self._recorded(operation, act))

    def _recorded(self, operation: Operation, act: Callable[[], Any]) -> Any:
        if self._of(operation.descriptor) < 0:
            return act()
        match operation.name:
            case "open" | "mkdir" | "symlink" | "link":
                return self._made(operation, act)
            case "rename" | "unlink" | "rmdir":
                return self._moved(operation, act)
            case _:
                return self._changed(operation, act)

    def _made(self, operation: Operation, act: Callable[[], Any]) -> Any:
        there = self._at(operation.descriptor, operation.path)
        result = act()
        made = self._at(operation.descriptor, operation.path)
        assert made is not None
        directory = self._of(operation.descriptor)
        if there is None:
            number = self._number(made)
            name = "mkdir" if operation.name == "mkdir" else "create"
            self.steps.append(Step(name, number, directory=directory, entry=operation.path))
        elif operation.flags & os.O_TRUNC:
            number = self.known[made.st_dev, made.st_ino]
            self.steps.append(Step("ftruncate", number))
        return result

    def _moved(self, operation: Operation, act: Callable[[], Any]) -> Any:
        number = self._at_number(operation.descriptor, operation.path)
        step = Step(
            operation.name,
            number,
            directory=self._of(operation.descriptor),
            entry=operation.path,
            other_directory=self._of(operation.other_descriptor),
            other_entry=operation.other_path,
        )
        result = act()
        self.steps.append(step)
        return result

    def _changed(self, operation: Operation, act: Callable[[], Any]) -> Any:
        number, offset = self._of(operation.descriptor), operation.offset
        if operation.name == "write":
            appending = os.fstat(operation.descriptor).st_size
            offset = max(appending, os.lseek(operation.descriptor, 0, os.SEEK_CUR))
        result = act()
        count = result if operation.name in ("write", "pwrite") else 0
        self.steps.append(Step(operation.name, number, offset=offset, data=bytes(operation.data[:count])))
        return result
