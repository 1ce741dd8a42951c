"""`layout: Directory`: the source's files under their own names, ready for any program."""

import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modelsync.api.protocol import ManifestFile
from modelsync.worker.checksums.file_digest import Read
from modelsync.worker.common import names, volume_errors
from modelsync.worker.common.model import RemoteFile
from modelsync.worker.publishing import existing, publisher
from modelsync.worker.publishing.layouts.base import Advance
from modelsync.worker.publishing.manifests import Published
from modelsync.worker.storage.safe_directory import Tree
from modelsync.worker.storage.staging import Staging


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryLayout:
    """A file's place is its path."""

    directory: str
    links: bool = False

    def place(self, file: RemoteFile) -> str:
        """The file's own path."""
        return file.path

    def names(self, file: RemoteFile) -> tuple[str, ...]:
        """The file's own path."""
        return (file.path,)

    def name(self, path: str) -> str:
        """The path itself."""
        return path

    def published_place(self, target: Tree, path: str) -> str | None:
        """There too."""
        return path

    def is_named(self, target: Tree) -> bool:
        """Always: a directory holds one revision."""
        return True

    def earlier(self, target: Tree, published: Published, source: str) -> Iterable[tuple[str, ManifestFile]]:
        """All of them, of whichever revision."""
        return published.files.items()

    def is_ours(self, file: RemoteFile, published: Published) -> bool:
        """Only what modelsync published itself."""
        return file.path in published

    def prepare(
        self, target: Tree, files: Sequence[RemoteFile], published: Published, advance: Advance
    ) -> None:
        """Refuse foreign files. A regular one may still turn out to be the same as the source's, so only its
        size speaks here."""
        for file in files:
            with volume_errors.guarded(f"looking at {names.printable(file.path)}"):
                found = target.stat(file.path)
            advance()
            if found is None or file.path in published:
                continue
            if not stat.S_ISREG(found.st_mode) or (file.size is not None and found.st_size != file.size):
                raise publisher.foreign(file.path)

    def find(
        self, target: Tree, file: RemoteFile, published: Published, *, checksum: bool, read: Read
    ) -> ManifestFile | None:
        """The file at its path, no matter who wrote it, if its bytes are right."""
        trusted = published.entry(file.path) is not None
        return existing.right_at(
            target, file.path, file, published, checksum=checksum, trusted=trusted, read=read
        )

    def finish(self, target: Tree, staging: Staging, files: Sequence[RemoteFile], advance: Advance) -> None:
        """Nothing: the files have their names already."""
