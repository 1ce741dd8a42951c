"""The files that are fetched: incompressible, with known digests, and made again for each run.

Bytes are a random pattern, numbered in each MiB: no block equals another, and making them costs a copy, where
drawing as many random bytes would take longer than many of the downloads.
"""

import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
GIB = 1 << 30
_PATTERN_BYTES = 8 * MIB + 4099


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a set."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSet:
    """Files below a folder."""

    folder: Path
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What to make: file sizes by path."""

    name: str
    sizes: tuple[tuple[str, int], ...]
    sparse: bool = False
    """Zeroes that take no room on the disk; for sizes that no disk here holds. Their digest is not known."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.sizes)


def large(size: int) -> Spec:
    """One file."""
    return Spec(name=f"one file of {shown(size)}", sizes=(("model.safetensors", size),))


def model(size: int) -> Spec:
    """A model as repositories hold them: 4 shards with nearly all bytes, and 26 files of every sort."""
    unit = size / (5 * GIB)
    sizes = [(f"model-{number:05}-of-00004.safetensors", int(1.15 * GIB * unit)) for number in range(1, 5)]
    sizes += [("pytorch_model.bin", int(330 * MIB * unit)), ("tokenizer.json", int(17 * MIB * unit) + 1)]
    sizes += [(f"onnx/part-{number}.onnx", int(8 * MIB * unit) + number) for number in range(8)]
    sizes += [(f"config/{number}.json", 700 * number + 1) for number in range(16)]
    return Spec(name=f"a model's {len(sizes)} files, {shown(size)}", sizes=tuple(sizes))


def small(count: int, most: int = 64 * 1024) -> Spec:
    """Many files of up to `most` bytes."""
    draw = random.Random(count)
    sizes = tuple((f"{number % 100:02}/{number:06}.bin", draw.randint(1, most)) for number in range(count))
    return Spec(name=f"{count:,} files of at most {shown(most)}", sizes=sizes)


def sparse(size: int) -> Spec:
    """One file without any stored bytes."""
    return Spec(name=f"one file of {shown(size)}", sizes=(("model.safetensors", size),), sparse=True)


def shown(size: int) -> str:
    """A round size: 4 GiB, 512 MiB, 64 KiB, 1 TB."""
    if size % 10**12 == 0:
        return f"{size // 10**12} TB"
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (1024, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} B"


def make(spec: Spec, folder: Path) -> FileSet:
    """Write a set's files, hashing on the way; they are in the page cache then."""
    for parent in {(folder / path).parent for path, _ in spec.sizes}:
        parent.mkdir(parents=True, exist_ok=True)
    pattern = random.Random(spec.name).randbytes(_PATTERN_BYTES)
    with ThreadPoolExecutor(2) as pool:
        written = pool.map(lambda item: _write(folder, pattern, spec.sparse, *item), enumerate(spec.sizes))
        return FileSet(folder=folder, files=tuple(written))


def _write(folder: Path, pattern: bytes, sparse: bool, number: int, entry: tuple[str, int]) -> File:
    path, size = entry
    if sparse:
        with (folder / path).open("wb") as file:
            file.truncate(size)
        return File(path=path, size=size, sha256="0" * 64)
    digest = hashlib.sha256()
    with (folder / path).open("wb") as file:
        for block in _blocks(pattern, number, size):
            file.write(block)
            digest.update(block)
    return File(path=path, size=size, sha256=digest.hexdigest())


def _blocks(pattern: bytes, number: int, size: int) -> Iterator[bytes]:
    for index, offset in enumerate(range(0, size, MIB)):
        length = min(MIB, size - offset)
        head = f"{number:08}{index:08}".encode()[:length]
        start = (index * 65_537) % (len(pattern) - MIB)
        yield head + pattern[start : start + length - len(head)]
