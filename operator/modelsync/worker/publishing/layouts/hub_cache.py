"""`layout: HuggingFaceCache`: a repository as huggingface_hub keeps it, for programs that load by name.

    hub/models--org--name/          the target; `hub`'s parent serves as HF_HOME
      blobs/<digest>                a file's bytes, named by its SHA-256 (LFS) or its id in git
      snapshots/<commit>/<path>     a relative link to the blob
      refs/<branch or tag>          the commit
      .modelsync/                   our state and manifest, which the library's own tools pass over

The library finds a file through the ref, then the snapshot's link, then the blob; so they are made durable in
the opposite order, and a reader meets the new revision either whole or not at all. A blob's name is its
digest: one with other bytes is damage, not somebody's work, and is replaced.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelsync.api.protocol import ManifestFile
from modelsync.api.reasons import Reason
from modelsync.api.source.hub_cache import BLOBS, REFS, SNAPSHOTS
from modelsync.worker.checksums.file_digest import Read
from modelsync.worker.common import names, open_files, volume_errors
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import RemoteFile
from modelsync.worker.publishing import existing, manifests, publisher
from modelsync.worker.publishing.layouts.base import Advance
from modelsync.worker.publishing.manifests import Published
from modelsync.worker.storage.safe_directory import Tree
from modelsync.worker.storage.staging import Staging

_NAMING = ("sha256", "git-sha1")
"""Digests that the Hub uses as ETags, the first that a file has."""
_SHARED = re.compile(r"\.\./\.\./(blobs/[0-9a-f]{2}/[0-9a-f]{64})")
"""A blob that huggingface_hub 2 moved to the cache's shared store (`utils/_shared_blobs.py`)."""


_LINK = re.compile(r"(?:\.\./)+(blobs/(?:[0-9a-f]{40}|[0-9a-f]{64}))")
_COMMIT = re.compile(r"[0-9a-f]{40,64}")


def linked_blob(text: str | None) -> str | None:
    """The blob that a snapshot's link names; None for any other link."""
    found = _LINK.fullmatch(text or "")
    return found[1] if found else None


def _text(directory: int, name: str) -> str:
    """A ref's commit; raises OSError."""
    with open(open_files.existing(directory, name), "rb") as file:
        return file.read(128).decode("ascii", "replace").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class HubCacheLayout:
    """A file's place is its blob."""

    directory: str
    commit: str
    revision: str
    """The branch, tag or commit that was asked for."""
    links: bool = True

    def place(self, file: RemoteFile) -> str:
        """The blob of the file's digest."""
        digests = {digest.algorithm: digest.value for digest in file.digests}
        value = next((digests[name] for name in _NAMING if name in digests), None)
        if value is None:
            text = (
                f'The Hub reports no digest of "{names.printable(file.path)}", which spec.target.layout'
                " HuggingFaceCache needs to name it. Use Directory."
            )
            raise Failure(Reason.ORIGIN_ERROR, text)
        return f"{BLOBS}/{value}"

    def names(self, file: RemoteFile) -> tuple[str, ...]:
        """The snapshot's link and the blob."""
        return self._pointer(file), self.place(file)

    def name(self, path: str) -> str:
        """The path in the snapshot."""
        return f"{SNAPSHOTS}/{self.commit}/{path}"

    def published_place(self, target: Tree, path: str) -> str | None:
        """The blob that the snapshot's link names, or the file in its place."""
        pointer = self.name(path)
        with volume_errors.guarded(f"looking at {names.printable(pointer)}"):
            text = target.link(pointer)
        blob = linked_blob(text)
        if text is None:
            return pointer
        return blob if blob is not None and text == "../" * pointer.count("/") + blob else None

    def is_named(self, target: Tree) -> bool:
        """Whether the branch's ref names the commit."""
        if self.revision == self.commit:
            return True
        if names.problem(self.revision) is not None:
            return False
        with contextlib.suppress(OSError), target.parent(f"{REFS}/{self.revision}") as (directory, name):
            return _text(directory, name) == self.commit
        return False

    def earlier(self, target: Tree, published: Published, source: str) -> Iterator[tuple[str, ManifestFile]]:
        """Those of the snapshot that the same branch named before, unless another ref names it too or a sync
        pinned it. Revisions that were asked for by other names stay side by side, as in any such cache."""
        commit = published.head.get("revision")
        if published.head.get("source") != source or not isinstance(commit, str):
            return
        if not _COMMIT.fullmatch(commit):
            return
        if commit != self.commit and commit in self._named(target) | manifests.pinned(published.head):
            return
        for path, entry in published.files.items():
            pointer = f"{SNAPSHOTS}/{commit}/{path}"
            if names.problem(pointer) is None:
                yield pointer, entry
                blob = linked_blob(target.link(pointer))
                if blob is not None:
                    yield blob, entry

    def _named(self, target: Tree) -> set[str]:
        """The commits that refs name, that of this sync's branch left out, which is about to change."""
        found: set[str] = set()
        with contextlib.suppress(FileNotFoundError), target.parent(f"{REFS}/x") as (refs, _):
            for folder, _, listed, descriptor in os.fwalk(".", dir_fd=refs):
                for name in listed:
                    if f"{folder}/{name}".removeprefix("./") != self.revision:
                        with contextlib.suppress(OSError):
                            found.add(_text(descriptor, name))
        return found

    def is_ours(self, file: RemoteFile, published: Published) -> bool:
        """Always: a blob of this name with other bytes is damaged."""
        return True

    def prepare(
        self, target: Tree, files: Sequence[RemoteFile], published: Published, advance: Advance
    ) -> None:
        """Refuse what a link cannot replace; and make `snapshots`, without which the library's tools call
        the cache damaged while the first files come."""
        if self.revision != self.commit:
            self._check_ref(target, f"{REFS}/{self.revision}")
        with volume_errors.guarded("making the cache's directories"):
            target.below(SNAPSHOTS).close()
        for file in files:
            pointer = self._pointer(file)
            with volume_errors.guarded(f"looking at {names.printable(pointer)}"):
                found = target.stat(pointer)
            advance()
            if found is None or stat.S_ISLNK(found.st_mode):
                continue
            if not stat.S_ISREG(found.st_mode) or found.st_size != file.size:
                raise publisher.foreign(pointer)

    def find(
        self, target: Tree, file: RemoteFile, published: Published, *, checksum: bool, read: Read
    ) -> ManifestFile | None:
        """The blob; else the file itself in the snapshot, as the library leaves it on file systems without
        links; else its bytes in the cache's shared store."""
        for tree, path in self._candidates(target, file):
            found = existing.right_at(tree, path, file, published, checksum=checksum, trusted=True, read=read)
            if found is not None:
                return found
        return None

    def _candidates(self, target: Tree, file: RemoteFile) -> Iterator[tuple[Tree, str]]:
        place = self.place(file)
        yield target, place
        yield target, self._pointer(file)
        with volume_errors.guarded(f"looking at {place}"):
            shared = _SHARED.fullmatch(target.link(place) or "")
            if shared is not None:
                with target.above() as cache:
                    yield cache, shared[1]

    def finish(self, target: Tree, staging: Staging, files: Sequence[RemoteFile], advance: Advance) -> None:
        """Link the snapshot's names to the blobs, then let the ref name the commit."""
        for file in files:
            pointer = self._pointer(file)
            with volume_errors.guarded(f"linking {names.printable(pointer)}"):
                self._link(target, staging, pointer, self.place(file))
            advance()
        # The ref last: a program that resolves the branch must find every link of the commit, also after a
        # power cut. Until then it reads the snapshot that the ref named before.
        publisher.sync_parents(target, map(self._pointer, files), advance)
        if self.revision != self.commit:
            self._write_ref(target, staging, f"{REFS}/{self.revision}")

    def _link(self, target: Tree, staging: Staging, pointer: str, place: str) -> None:
        """Make a link where there is none yet: aside, and then moved, so that a reader always finds one."""
        wanted = "../" * pointer.count("/") + place
        found = target.stat(pointer)
        if found is not None and (stat.S_ISREG(found.st_mode) or target.link(pointer) == wanted):
            return
        if found is not None and not stat.S_ISLNK(found.st_mode):
            raise publisher.foreign(pointer)
        aside = staging.directory.descriptor
        staging.directory.remove("link")  # of a worker that was killed between symlink and rename
        os.symlink(wanted, "link", dir_fd=aside)
        with target.parent(pointer, create=True) as (directory, name):
            os.rename("link", name, src_dir_fd=aside, dst_dir_fd=directory)

    def _write_ref(self, target: Tree, staging: Staging, path: str) -> None:
        with volume_errors.guarded(f"writing {names.printable(path)}"):
            publisher.write_file(target, path, (self.commit.encode(),), aside=staging.directory)

    def _check_ref(self, target: Tree, path: str) -> None:
        """Refuse a directory where the ref's file goes, as another branch's name may have made it."""
        names.check((path,))
        with volume_errors.guarded(f"looking at {names.printable(path)}"):
            found = target.stat(path)
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise publisher.foreign(path)

    def _pointer(self, file: RemoteFile) -> str:
        return self.name(file.path)
