"""What an earlier revision, or a wider filter, left in a target, and its removal: target equals manifest.

A program that finds the shards of two revisions side by side loads both or refuses both. So files that the
last manifest lists and the new one lacks are removed when the new one is written. A record on the volume is
written before anything is published, and holds what is about to be there besides what a manifest lists:
whenever a worker is killed, the next one knows all that was modelsync's.

What a user put there is never removed, nor what was changed since: a file goes only if a manifest or record
vouches for it (`Published.made`), and its bytes are the recorded ones. Where sizes alone were compared, its
size and time stand for the bytes. No name leads outside: each is checked as a source's is, and walked without
following links.
"""

import contextlib
import datetime
import itertools
import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from modelsync.api import naming
from modelsync.api.protocol import Manifest, ManifestFile, WorkRequest
from modelsync.api.source.hub_cache import BLOBS, SNAPSHOTS
from modelsync.worker.checksums import file_digest
from modelsync.worker.common import names, open_files, volume_errors
from modelsync.worker.common.model import Fetched
from modelsync.worker.progress.stages import Stages
from modelsync.worker.publishing import existing, manifests, publisher
from modelsync.worker.publishing.layouts.base import TargetLayout
from modelsync.worker.publishing.layouts.hub_cache import linked_blob
from modelsync.worker.publishing.manifests import Published
from modelsync.worker.storage import staging
from modelsync.worker.storage.safe_directory import Tree, lying

_log = logging.getLogger(__name__)
_RECORD = f"{naming.STATE_DIR}/{staging.OUTDATED}"
_TEMPORARY = f"{naming.STATE_DIR}/{staging.OUTDATED_TEMPORARY}"


@dataclass(slots=True, kw_only=True)
class Outdated:
    """What is to be removed from a target once a sync is published."""

    target: Tree
    request: WorkRequest
    layout: TargetLayout
    stages: Stages
    check_stop: Callable[[], None]
    entries: dict[str, ManifestFile] = field(default_factory=dict)
    """By path below the target; in a cache these are links and blobs."""
    recorded: bool = False
    """Whether a record is on the volume."""
    _taken: dict[str, str] = field(default_factory=dict)
    """The paths that the sync's own files take, by the form in which two names may meet."""
    _judged: dict[str, os.stat_result | None] = field(default_factory=dict)

    def gather(self, published: Published, taken: set[str]) -> None:
        """Find what a manifest or an earlier record lists, but for the paths that the sync's own files take;
        raises Failure."""
        record = existing.read_entries(self.target, _RECORD, published.owner)
        self.recorded = bool(record.files)
        with volume_errors.guarded("looking at files of an earlier revision"):
            for source, path, entry in self._listed(record, published):
                if path not in taken and self._lies(path, entry, source):
                    self.entries[path] = manifests.renamed(entry, path)
        if self.entries:
            self._taken = {names.folded(name): name for name in taken}

    def _listed(
        self, record: Published, published: Published
    ) -> Iterator[tuple[Published, str, ManifestFile]]:
        """Who lists a path, the path, and its entry."""
        if related(record, self.request):
            yield from ((record, *each) for each in record.files.items())
        if related(published, self.request):
            earlier = self.layout.earlier(self.target, published, self.request.source.summary)
            yield from ((published, *each) for each in earlier)

    def _lies(self, path: str, entry: ManifestFile, source: Published) -> bool:
        """Whether something is there that the source of the entry vouches for."""
        self.stages.advance()
        if names.problem(path) is not None:
            return False
        try:
            found = self.target.stat(path)
        except OSError:
            return False
        return found is not None and source.made(entry.path, found.st_uid)

    def note(self, fetched: Sequence[Fetched], entries: Sequence[ManifestFile]) -> None:
        """Write the record of these and of what is about to be published, with its entries in the manifest;
        raises Failure."""
        if not (fetched or self.entries):
            return
        record = Manifest(
            uid=self.request.uid,
            namespace=self.request.namespace,
            name=self.request.name,
            source=self.request.source.summary,
            endpoint=self.request.source.bucket_endpoint,
            digest="",
            layout=self.request.layout,
            files=(),
            completed_at=datetime.datetime.now(datetime.UTC),
        )
        listed = itertools.chain(self._incoming(fetched, entries), self.entries.values())
        text = manifests.text(record, listed)
        with (
            volume_errors.guarded("writing the record of outdated files"),
            self.target.below(naming.STATE_DIR) as state,
        ):
            publisher.write_file(
                state, staging.OUTDATED, text, aside=state, temporary=staging.OUTDATED_TEMPORARY
            )
        self.recorded = True

    def _incoming(
        self, fetched: Iterable[Fetched], entries: Iterable[ManifestFile]
    ) -> Iterator[ManifestFile]:
        for each, entry in zip(fetched, entries, strict=True):
            for path in self.layout.names(each.file):
                yield entry if path == entry.path else publisher.entry(each, path)

    def remove(self) -> None:
        """Remove them, then the record; raises Interrupted, or Failure of the watchdog.

        The new revision is whole whatever happens here: what cannot be removed stays in the record, for the
        next sync to try.
        """
        links = [path for path in self.entries if path.startswith(f"{SNAPSHOTS}/")]
        links = links if self.layout.links else []
        left = [path for path in links if not self._removed(path, self._unlink_link)]
        rest = self.entries.keys() - set(links)
        if self.layout.links and rest:
            rest -= self._still_linked(rest)
        left += [path for path in sorted(rest) if not self._removed(path, self._unlink_file)]
        if left:
            text = (
                "%d outdated files cannot be removed, such as %s. Remove them, or let the worker write there."
            )
            _log.warning(text, len(left), names.printable(left[0]))
            return
        if self.recorded:
            publisher.sync_parents(self.target, self.entries, self.stages.advance)
        with volume_errors.guarded("removing the record of outdated files"):
            for path in (
                _RECORD,
                _TEMPORARY,
            ):  # the second of a worker that was killed in the middle of writing it
                if self.target.stat(path) is not None:
                    self.target.remove_below(path)

    def _removed(self, path: str, unlink: Callable[[str, ManifestFile], bool]) -> bool:
        """Remove one, if it is unchanged; False where that failed."""
        self.check_stop()
        try:
            if unlink(path, self.entries[path]):
                _log.info("Removed %r, which is not of this revision", path)
                self._prune(path)
        except OSError as error:
            return isinstance(error, open_files.Unusable | FileNotFoundError)
        return True

    def _unlink_link(self, path: str, entry: ManifestFile) -> bool:
        """A snapshot's link, if it leads to the blob that was published, or to none."""
        blob = linked_blob(self.target.link(path))
        if blob is None:
            return False
        if self.target.regular(blob) is not None and self._unchanged(blob, entry) is None:
            return False
        with self.target.parent(path) as (directory, name):
            os.unlink(name, dir_fd=directory)
        return True

    def _unlink_file(self, path: str, entry: ManifestFile) -> bool:
        judged = self._unchanged(path, entry)
        if judged is None or self._same_as_taken(path, judged):
            return False
        with self.target.parent(path) as (directory, name):
            now = lying(directory, name)
            if now is None or _state(now) != _state(judged):
                return False
            os.unlink(name, dir_fd=directory)
        return True

    def _same_as_taken(self, path: str, found: os.stat_result) -> bool:
        """Whether a file of the new revision is this very one: a volume may ignore case."""
        other = self._taken.get(names.folded(path))
        there = self.target.stat(other) if other is not None else None
        return there is not None and (there.st_ino, there.st_dev) == (found.st_ino, found.st_dev)

    def _unchanged(self, path: str, entry: ManifestFile) -> os.stat_result | None:
        """What is known of a file whose bytes are those that were published; None for all else."""
        if path not in self._judged:
            self._judged[path] = self._judge(path, entry)
        return self._judged[path]

    def _judge(self, path: str, entry: ManifestFile) -> os.stat_result | None:
        found = self.target.regular(path)
        if found is None or found.st_size != entry.size:
            return None
        if entry.sha256 is None:
            return found if found.st_mtime_ns == entry.modified else None
        with open_files.closing(self.target.open_file(path)) as descriptor:
            found = os.fstat(descriptor)
            digests = file_digest.digest_file(descriptor, (), found.st_size, self._read)
        return found if digests.sha256 == entry.sha256 else None

    def _read(self, _count: int) -> None:
        self.stages.advance()
        self.check_stop()

    def _still_linked(self, blobs: Iterable[str]) -> set[str]:
        """Those of the blobs that a link of any snapshot names."""
        wanted = set(blobs)
        with self.target.parent(f"{SNAPSHOTS}/x") as (directory, _):
            return wanted.intersection(_links(directory, self._read))

    def _prune(self, path: str) -> None:
        """Remove the directories that are empty now; a cache's own stay, since its tools look for them."""
        folder = path.rpartition("/")[0]
        while folder and not (self.layout.links and folder in (BLOBS, SNAPSHOTS)):
            with contextlib.suppress(OSError), self.target.parent(folder) as (directory, name):
                os.rmdir(name, dir_fd=directory)
            folder = folder.rpartition("/")[0]


def related(listed: Published, request: WorkRequest) -> bool:
    """Whether a manifest is of what this request syncs, so that its files take the others' place. Lists of
    addresses have no name in common; several models that a person puts into one directory stay."""
    head = listed.head
    if head.get("layout") != request.layout:
        return False
    if request.source.http is not None:
        return head.get("uid") == request.uid
    if head.get("endpoint") != request.source.bucket_endpoint:
        return False
    return _place(head.get("source")) == _place(request.source.summary)


def _place(source: object) -> object:
    """A source without the revision that follows a repository's name."""
    return source.rpartition("@")[0] if isinstance(source, str) and source.startswith("hf://") else source


def _state(found: os.stat_result) -> tuple[int, ...]:
    """Differs when a file was replaced or written."""
    return (stat.S_IFMT(found.st_mode), found.st_ino, found.st_dev, found.st_size, found.st_mtime_ns)


def _links(directory: int, seen: Callable[[int], None]) -> Iterator[str]:
    """The blobs that the links below a directory name."""
    for _, _, listed, descriptor in os.fwalk(".", dir_fd=directory):
        for name in listed:
            seen(0)
            with contextlib.suppress(OSError):
                blob = linked_blob(os.readlink(name, dir_fd=descriptor))
                if blob is not None:
                    yield blob
