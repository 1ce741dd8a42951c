"""What a layout decides: where the bytes of a file are, whose they are, and how they get their names.

Fetching, verifying and the order of durable steps are the same for all layouts (`pipeline`, `publisher`);
only the places differ. Another layout is another implementation of this protocol and a line in `factory`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from modelsync.api.protocol import ManifestFile
from modelsync.worker.checksums.file_digest import Read
from modelsync.worker.common.model import RemoteFile
from modelsync.worker.publishing.manifests import Published
from modelsync.worker.storage.safe_directory import Tree
from modelsync.worker.storage.staging import Staging

Advance = Callable[[], None]
"""Hears after each step that may wait for the volume that the stage got on."""


class TargetLayout(Protocol):
    """Where files are in a target. All paths are relative to the tree at `directory`."""

    @property
    def directory(self) -> str:
        """The target, relative to the volume: it holds the files, modelsync's state and the manifest."""

    @property
    def links(self) -> bool:
        """Whether its names are symbolic links."""

    def place(self, file: RemoteFile) -> str:
        """Where a file's bytes are; files with the same place have the same bytes. Raises Failure."""

    def names(self, file: RemoteFile) -> tuple[str, ...]:
        """All paths below the target that a file takes: what programs open, and what holds its bytes. Raises
        Failure."""

    def name(self, path: str) -> str:
        """What programs open, of a published path."""

    def published_place(self, target: Tree, path: str) -> str | None:
        """The place of a published path's bytes; None where its name does not lead there. Raises Failure."""

    def is_named(self, target: Tree) -> bool:
        """Whether the revision has the name that was asked for; raises Failure."""

    def earlier(self, target: Tree, published: Published, source: str) -> Iterable[tuple[str, ManifestFile]]:
        """The same of the files of a manifest of this repository or bucket, with their entries, as far as a
        sync of this source (`Source.summary`) takes their place; raises OSError."""

    def is_ours(self, file: RemoteFile, published: Published) -> bool:
        """Whether what is in the place may be replaced without a look at who wrote it."""

    def prepare(
        self, target: Tree, files: Sequence[RemoteFile], published: Published, advance: Advance
    ) -> None:
        """Before anything is fetched: refuse what is in the way and cannot be replaced; raises Failure."""

    def find(
        self, target: Tree, file: RemoteFile, published: Published, *, checksum: bool, read: Read
    ) -> ManifestFile | None:
        """The manifest's entry of a file that is right on the volume already; None when it is to be
        fetched."""

    def finish(self, target: Tree, staging: Staging, files: Sequence[RemoteFile], advance: Advance) -> None:
        """After all bytes are durable in their places: give them their names; raises Failure."""
