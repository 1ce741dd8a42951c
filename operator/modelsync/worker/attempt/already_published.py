"""A revision that is whole on the volume already: its sync asks no origin.

A commit names its files, and a manifest digest does too. So where the manifest on the volume is of the very
commit or digest that is asked for, and the bytes are those it lists, there is nothing that an origin could
add: an init container starts while the Hub is away, and a hundred of them cost it no request. Nothing is
written unless an earlier worker left something, so a volume may be read-only, and many may look at once.

All else, from another pattern to one wrong byte, is for the way over the network.
"""

import contextlib
import logging
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelsync.api import naming
from modelsync.api.protocol import Manifest, ManifestFile, WorkRequest
from modelsync.api.reasons import Reason, Stage
from modelsync.api.source.transfer import Resolved
from modelsync.worker.attempt import planning
from modelsync.worker.common import names, open_files, volume_errors
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Digest, RemoteFile
from modelsync.worker.context import Context
from modelsync.worker.progress import byte_counts
from modelsync.worker.publishing import existing, manifests, outdated, publisher
from modelsync.worker.publishing.layouts.base import TargetLayout
from modelsync.worker.publishing.layouts.factory import directory_of, layout_of
from modelsync.worker.publishing.manifests import Published
from modelsync.worker.storage.safe_directory import Tree
from modelsync.worker.storage.staging import OUTDATED_TEMPORARY, TEMPORARY, Staging

_log = logging.getLogger(__name__)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_KEPT = {"lock", naming.MANIFEST_FILE, TEMPORARY, OUTDATED_TEMPORARY, byte_counts.NAME}
"""What a finished sync leaves in the directory of modelsync's state, and what the next write replaces."""


def complete(context: Context) -> Manifest | None:
    """The manifest of what is asked for, when all of it is right on the volume; None when an origin has to be
    asked. Raises Failure or Interrupted."""
    request = context.request
    directory = directory_of(request)
    if not _pinned(request) or not os.path.isfile(context.volume / directory / existing.MANIFEST):
        return None
    with Tree.open(context.volume, directory) as target, _state(target) as state:
        owner = _owner(state)
        published = existing.read_manifest(target, owner)
        resolved = _resolved(request, published)
        if resolved is None:
            return None
        _log.info("The manifest on the volume lists revision %s; its files are compared", resolved.revision)
        look = _Look(
            context=context,
            target=target,
            state=state,
            layout=layout_of(request, resolved),
            published=published,
            resolved=resolved,
        )
        if not look.right():
            return None
        look.account(owner)
        manifest = planning.manifest(request, resolved, published.files.values(), published)
        look.tidy(manifest)
    context.state.stages.enter(Stage.DONE)
    return manifest


def _state(target: Tree) -> Tree:
    with volume_errors.guarded(f"opening {naming.STATE_DIR}"):
        return target.below(naming.STATE_DIR)


def _pinned(request: WorkRequest) -> bool:
    """Whether the request says exactly which bytes it wants."""
    return _commit(request) is not None or _digest(request) is not None


def _commit(request: WorkRequest) -> str | None:
    hub = request.source.hugging_face
    return hub.revision if hub is not None and _COMMIT.fullmatch(hub.revision) else None


def _digest(request: WorkRequest) -> str | None:
    return request.expected_digest or (request.resolved.manifest_digest if request.resolved else None)


def _owner(state: Tree) -> int:
    """User id of what this process makes, as the file system shows it; its own where nothing can be made."""
    probe = f".probe-{secrets.token_hex(8)}"
    try:
        with open_files.closing(open_files.create(state.descriptor, probe)) as descriptor:
            owner = os.fstat(descriptor).st_uid
        os.unlink(probe, dir_fd=state.descriptor)
    except OSError:
        return os.geteuid()
    return owner


def _resolved(request: WorkRequest, published: Published) -> Resolved | None:
    """What the manifest lists, if it is what the request asks for."""
    head, digest, commit = published.head, _digest(request), _commit(request)
    revision, listed = head.get("revision"), head.get("digest")
    if not (published.believed and published.files and outdated.related(published, request)):
        return None
    if not (isinstance(listed, str) and isinstance(revision, str)):
        return None
    if commit not in (None, revision) or digest not in (None, listed):
        return None
    if digest is None and _patterns(head) != (list(request.allow_patterns), list(request.ignore_patterns)):
        return None
    size = sum(entry.size for entry in published.files.values())
    return Resolved(revision=revision, manifest_digest=listed, files=len(published.files), bytes=size)


def _patterns(head: Mapping[str, object]) -> tuple[object, object]:
    return head.get("allowPatterns"), head.get("ignorePatterns")


@dataclass(slots=True, kw_only=True)
class _Look:
    """The comparison of a target with its manifest."""

    context: Context
    target: Tree
    state: Tree
    layout: TargetLayout
    published: Published
    resolved: Resolved
    places: dict[str, int] = field(default_factory=dict)
    """Sizes by where the bytes are: paths with the same content may share a place."""

    def right(self) -> bool:
        """Whether all files are there under their names with their bytes."""
        stages = self.context.state.stages
        stages.enter(Stage.CHECKING, files=self.resolved.files, size=self.resolved.bytes)
        if not self.layout.is_named(self.target):
            return False
        for path, entry in self.published.files.items():
            self.context.check_stop()
            place = self.layout.published_place(self.target, path) if names.problem(path) is None else None
            if place is None or not (place in self.places or self._right_at(place, entry)):
                return False
            self.places[place] = entry.size
            stages.advance(files=1)
        return True

    def _right_at(self, place: str, entry: ManifestFile) -> bool:
        checksum = self.context.verifies_checksums
        if checksum and entry.sha256 is None:
            return False  # an earlier sync compared sizes alone
        digests = (Digest(algorithm="sha256", value=entry.sha256),) if entry.sha256 else ()
        file = RemoteFile(
            path=entry.path, size=entry.size, digests=digests, etag=entry.etag, locator=entry.path
        )
        found = existing.right_at(
            self.target, place, file, self.published, checksum=checksum, trusted=True, read=self._read
        )
        return found is not None

    def _read(self, count: int) -> None:
        self.context.check_stop()
        self.context.state.stages.advance(size=count)

    def account(self, owner: int) -> None:
        """Take in the figures: all of it was there."""
        shown, there = self.context.state, sum(self.places.values())
        shown.plan(self.resolved, len(self.published.files))
        for entry in self.published.files.values():
            shown.settle(entry.size)
        book = byte_counts.Accounts(
            self.state.descriptor, self.context.request.uid, fresh=self.context.is_new_sync, owner=owner
        )
        book.reuse(there if book.reused is None else min(book.reused, there))
        shown.account(book)
        book.close()

    def tidy(self, manifest: Manifest) -> None:
        """Remove what earlier workers left, unfinished files and files that this revision lacks; and write
        the manifest where it is to keep a commit that it did not."""
        news = set(manifest.pinned or ()) - manifests.pinned(self.published.head)
        with volume_errors.guarded(f"reading {naming.STATE_DIR}"):
            left = [name for name in self.state.names() if name not in _KEPT and not name.startswith(".")]
        if not (left or news):
            return
        context = self.context
        try:
            staging = Staging(
                self.target,
                self.context.request.uid,
                stop=context.stop,
                wait_seconds=context.lock_wait_seconds,
            )
        except Failure as failure:
            if failure.reason is not Reason.VOLUME_NOT_WRITABLE:
                raise
            _log.warning("The directory stays as it is. %s", failure.message)
            return
        old = outdated.Outdated(
            target=self.target,
            request=self.context.request,
            layout=self.layout,
            stages=context.state.stages,
            check_stop=context.check_stop,
        )
        with contextlib.closing(staging), volume_errors.guarded("removing what an earlier worker left"):
            old.gather(self.published, {*self.places, *map(self.layout.name, self.published.files)})
            if news:
                publisher.write_manifest(self.target, manifest)
            old.remove()
            staging.sweep()
