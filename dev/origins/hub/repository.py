"""Repositories as the Hub has them: commits of files, branches that move, tags that stay.

A commit's name follows from its content and its parent alone, so a test knows which revision it will
get and two servers over one folder agree.
"""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from dev.origins.content import Content, Disk, Fixed, hexdigest

Kind = Literal["model", "dataset"]

LFS_SUFFIXES = frozenset(
    f".{suffix}"
    for line in (
        "7z arrow bin bz2 ckpt gguf gz h5 msgpack npy npz onnx ot parquet pb pickle pkl pt pth",
        "safetensors tar tflite tgz wasm xz zip zst",
    )
    for suffix in line.split()
)
"""Suffixes that the Hub's default .gitattributes gives to LFS."""
LFS_SIZE = 10_000_000
"""Bytes from which the Hub takes a file only through LFS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a commit."""

    path: str
    content: Content
    sha256: str
    """SHA-256 of the content in hex."""
    pointer: bytes | None
    """What git holds in place of an LFS file; None for a small file, which git holds itself."""
    blob_id: str
    """Git's object id in hex: of the pointer for an LFS file, else of the content."""

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.content.size

    @property
    def lfs(self) -> bool:
        """Whether the file is in LFS."""
        return self.pointer is not None

    @property
    def etag(self) -> str:
        """The ETag's value without quotes: SHA-256 for an LFS file, git's object id for a small one."""
        return self.sha256 if self.lfs else self.blob_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """An immutable set of files."""

    sha: str
    files: Mapping[str, File]


def as_file(path: str, body: bytes | Content) -> File:
    """Make a file, in LFS when its suffix or size says so; reads all of it for its digests."""
    found: Content = Fixed(body) if isinstance(body, bytes) else body
    sha256 = hexdigest(found, "sha256")
    lfs = PurePosixPath(path).suffix in LFS_SUFFIXES or found.size >= LFS_SIZE
    pointer = _pointer(sha256, found.size) if lfs else None
    blob_id = hexdigest(found if pointer is None else Fixed(pointer), "git-sha1")
    return File(path=path, content=found, sha256=sha256, pointer=pointer, blob_id=blob_id)


def _pointer(sha256: str, size: int) -> bytes:
    """A pointer file of git-lfs's specification, version 1."""
    version = "https://git-lfs.github.com/spec/v1"
    return f"version {version}\noid sha256:{sha256}\nsize {size}\n".encode()


@dataclass
class Repository:
    """A model or dataset; commits may be added while it is served."""

    id: str
    files: Mapping[str, bytes | Content] = field(default_factory=dict)
    kind: Kind = "model"
    gated: bool = False
    private: bool = False
    xet: bool = False
    """Whether the Hub offers its LFS files by Xet too."""
    commits: dict[str, Commit] = field(default_factory=dict, init=False)
    branches: dict[str, str] = field(default_factory=dict, init=False)
    tags: dict[str, str] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self.commit(self.files)

    @property
    def sha(self) -> str:
        """The commit that `main` names now."""
        return self.branches["main"]

    def commit(self, files: Mapping[str, bytes | Content], branch: str = "main") -> str:
        """Make a commit of exactly these files, move the branch to it, and return its sha."""
        made = {path: as_file(path, body) for path, body in sorted(files.items())}
        with self._lock:
            parent = self.branches.get(branch, "")
            lines = [self.id, parent, *(f"{file.blob_id} {path}" for path, file in made.items())]
            sha = hashlib.sha1("\n".join(lines).encode(), usedforsecurity=False).hexdigest()
            self.commits[sha] = Commit(sha=sha, files=made)
            self.branches[branch] = sha
        return sha

    def move(self, branch: str, revision: str) -> None:
        """Let a branch, old or new, name another commit; KeyError when the revision is unknown."""
        self.branches[branch] = self._known(revision).sha

    def tag(self, name: str, revision: str = "main") -> None:
        """Tag a commit; KeyError when the revision is unknown."""
        self.tags[name] = self._known(revision).sha

    def find(self, revision: str) -> Commit | None:
        """The commit of a branch, a tag, a full ref or a full sha."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        sha = self.branches.get(name) or self.tags.get(name) or revision
        return self.commits.get(sha)

    def _known(self, revision: str) -> Commit:
        found = self.find(revision)
        if found is None:
            raise KeyError(f"{self.id} has no revision {revision!r}")
        return found


def from_folder(folder: Path, repository: str, kind: Kind = "model") -> Repository:
    """One commit of all files below a folder; symbolic links are followed, `.git` is left out."""
    files = {
        path.relative_to(folder).as_posix(): Disk(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }
    return Repository(repository, files, kind=kind)


def from_root(root: Path) -> list[Repository]:
    """All repositories of a tree: ORG/NAME are models, datasets/ORG/NAME are datasets."""
    found = []
    for organisation in sorted(path for path in root.iterdir() if path.is_dir()):
        kind: Kind = "dataset" if organisation.name == "datasets" else "model"
        pattern = "*/*" if kind == "dataset" else "*"
        for folder in sorted(path for path in organisation.glob(pattern) if path.is_dir()):
            found.append(from_folder(folder, f"{folder.parent.name}/{folder.name}", kind))  # noqa: PERF401
    return found
