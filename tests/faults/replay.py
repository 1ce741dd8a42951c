"""What a power cut can leave of a recorded run: the states that POSIX allows, drawn by seed.

Promised is only what was synced: data by a sync of the file, a name by a sync of its directory. Of the rest
each page and each change of a name may be there or not, a file may have its new size with zeros for data, and
a file's sync does not save its name. Renames alone are atomic, as they are on every file system that a volume
has. A journaling file system keeps the order of names; `ordered` asks for such a state.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.steering import Step

_PAGE = 4096
_NAMES = {"create", "mkdir", "rename", "unlink", "rmdir"}
_SYNCS = {"fsync", "fdatasync", "syncfs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Luck:
    """How much of what was not synced survives."""

    pages: float
    """Chance of each page of data."""
    names: float
    """Chance of each change of a name."""
    ordered: bool = False
    """Whether names survive in the order of their changes: all before one and none after it."""


@dataclass(slots=True)
class _File:
    content: bytearray = field(default_factory=bytearray)
    """What is on the disk for sure."""
    pending: list[Step] = field(default_factory=list)


@dataclass(slots=True)
class _Change:
    step: Step
    durable: bool = False


class Disk:
    """A volume's promised state and what is under way to it."""

    def __init__(self, root: Path) -> None:
        """Begin with what is in a directory, all of it durable; numbers as the recorder gives them."""
        paths = [root, *sorted(root.rglob("*"))]
        number = {path: index for index, path in enumerate(paths)}
        self._directories: dict[int, dict[str, int]] = {}
        self._files: dict[int, _File] = {}
        self._changes: list[_Change] = []
        for path in paths:
            if path.is_dir():
                self._directories[number[path]] = {}
            else:
                self._files[number[path]] = _File(bytearray(path.read_bytes()))
            if path != root:
                self._directories[number[path.parent]][path.name] = number[path]

    def take(self, step: Step) -> None:
        """Let one recorded step happen."""
        if step.name in _NAMES:
            self._changes.append(_Change(step))
            if step.name == "create":
                self._files[step.object] = _File()
            elif step.name == "mkdir":
                self._directories[step.object] = {}
        elif step.name not in _SYNCS:
            self._files[step.object].pending.append(step)
        else:
            self._sync(None if step.name == "syncfs" else step.object)

    def _sync(self, number: int | None) -> None:
        """Make one file's data or one directory's names durable, or all there is."""
        for each, file in self._files.items():
            if number in (None, each):
                for step in file.pending:
                    _apply(file.content, step)
                file.pending.clear()
        for change in self._changes:
            change.durable |= number is None or number == _keeper(change.step)

    def cut(self, luck: Luck, generator: random.Random, into: Path) -> None:
        """Write a state that a power cut could leave now into an empty directory."""
        directories = {number: dict(names) for number, names in self._directories.items()}
        for change in self._surviving(luck, generator):
            _rename(directories, change.step)
        self._write(0, directories, luck, generator, into)

    def _surviving(self, luck: Luck, generator: random.Random) -> list[_Change]:
        if not luck.ordered:
            return [each for each in self._changes if each.durable or generator.random() < luck.names]
        promised = max((index + 1 for index, each in enumerate(self._changes) if each.durable), default=0)
        return self._changes[: generator.randint(promised, len(self._changes))]

    def _write(
        self,
        number: int,
        directories: dict[int, dict[str, int]],
        luck: Luck,
        generator: random.Random,
        path: Path,
    ) -> None:
        for name, inner in sorted(directories[number].items()):
            if inner in self._files:
                (path / name).write_bytes(_left(self._files[inner], luck, generator))
            else:
                (path / name).mkdir()
                self._write(inner, directories, luck, generator, path / name)


def _keeper(step: Step) -> int:
    """The directory whose sync makes a change of names durable: of a rename, that of the new name."""
    return step.other_directory if step.name == "rename" else step.directory


def _rename(directories: dict[int, dict[str, int]], step: Step) -> None:
    """Change names as a step says, as far as what it changes is there."""
    names = directories[step.directory]
    if step.name in ("create", "mkdir"):
        names[step.entry] = step.object
        return
    if names.get(step.entry) == step.object:
        del names[step.entry]
    if step.name == "rename":
        directories[step.other_directory][step.other_entry] = step.object


def _apply(content: bytearray, step: Step) -> None:
    match step.name:
        case "write" | "pwrite":
            _grow(content, step.offset + len(step.data))
            content[step.offset : step.offset + len(step.data)] = step.data
        case "ftruncate":
            del content[step.offset :]
            _grow(content, step.offset)
        case "fallocate":
            _grow(content, step.offset)
        case _:
            raise ValueError(f"a recording holds an operation that a replay does not know: {step.name}")


def _grow(content: bytearray, size: int) -> None:
    content.extend(bytes(max(0, size - len(content))))


def _left(file: _File, luck: Luck, generator: random.Random) -> bytes:
    """A file's bytes after the cut."""
    content = bytearray(file.content)
    for step in file.pending:
        if not step.data:
            if generator.random() < luck.pages:
                _apply(content, step)
            continue
        for start in range(step.offset - step.offset % _PAGE, step.offset + len(step.data), _PAGE):
            first, last = max(start, step.offset), min(start + _PAGE, step.offset + len(step.data))
            if generator.random() < luck.pages:
                _grow(content, last)
                content[first:last] = step.data[first - step.offset : last - step.offset]
            elif generator.random() < luck.pages:
                _grow(content, last)  # the size is there, the data is not
    return bytes(content)
