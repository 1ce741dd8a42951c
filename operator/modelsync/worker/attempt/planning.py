"""From a listing to what has to be fetched: filter, check the names, pin, look at what is there already."""

import datetime
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from modelsync.api.common import untrusted
from modelsync.api.protocol import Manifest, ManifestFile, WorkRequest
from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Layout, Resolved
from modelsync.worker.attempt import patterns, preset_needs
from modelsync.worker.common import names
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import MOST_FILES, Listing, RemoteFile
from modelsync.worker.publishing import manifests

MOST_PATH_BYTES = 64 << 20
"""Of all paths together, for the same reason: 200,000 files with paths of 335 bytes, whose manifest has 104
MB and takes 195 MiB when it is read."""
MOST_PINNED = 128
"""Commits that a cache's manifest names; each takes a line of its head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPlan:
    """What a sync consists of."""

    files: tuple[RemoteFile, ...]
    resolved: Resolved
    alike: tuple[tuple[str, ...], ...] = ()
    """Groups of paths that differ in case or normalisation only."""


def make_plan(listing: Listing, request: WorkRequest) -> SyncPlan:
    """The files to sync, by path; raises Failure when there are none or they are not what was pinned."""
    source = tuple(listing.files)
    files = _selected(source, request)
    if source:
        preset_needs.check(request, source, files)
    if not files:
        raise _nothing(request, source)
    ordered = tuple(files[path] for path in sorted(files))
    alike = names.check(file.path for file in ordered)
    if sum(len(file.path.encode()) for file in ordered) > MOST_PATH_BYTES:
        text = f"The paths of the source's files have more than {MOST_PATH_BYTES >> 20} MiB together."
        raise Failure(Reason.INVALID_SPEC, f"{text} Choose some files with spec.allowPatterns.")
    sizes = [file.size for file in ordered]
    if any((size or 0) < 0 for size in sizes) or sum(size or 0 for size in sizes) > untrusted.MAX_COUNT:
        text = "The source lists files of sizes that cannot be: below 0, or more than 9 PB together."
        raise Failure(Reason.ORIGIN_ERROR, f"{text} Check spec.source.")
    resolved = Resolved(
        revision=listing.revision,
        manifest_digest=digest_of(ordered),
        files=len(ordered),
        bytes=None if None in sizes else sum(size or 0 for size in sizes),
    )
    if request.expected_digest not in (None, resolved.manifest_digest):
        text = (
            f"The source's files have the digest {resolved.manifest_digest}, but spec.expectedDigest is"
            f" {request.expected_digest}. Nothing was fetched. Check the revision, the patterns and the"
            " source; if its files are right, create another ModelSync with their digest."
        )
        raise Failure(Reason.CHECKSUM_MISMATCH, text)
    pinned = request.resolved.manifest_digest if request.resolved else None
    if pinned is not None and pinned != resolved.manifest_digest:
        text = (
            "The source holds other files than when this sync began. Create another ModelSync to take the new"
            " ones, or bring the old ones back."
        )
        raise Failure(Reason.SOURCE_CHANGED, text)
    return SyncPlan(files=ordered, resolved=resolved, alike=alike)


def _selected(files: Iterable[RemoteFile], request: WorkRequest) -> dict[str, RemoteFile]:
    found: dict[str, RemoteFile] = {}
    for file in files:
        if not wanted(file.path, request.allow_patterns, request.ignore_patterns):
            continue
        known = found.setdefault(file.path, file)
        if (known.size, known.digests) != (file.size, file.digests):
            text = f'The source lists "{names.printable(file.path)}" twice with different content. Leave'
            text = f"{text} it out with spec.ignorePatterns, or correct the source."
            raise Failure(Reason.UNSAFE_PATH, text)
        if len(found) > MOST_FILES:
            text = f"The source holds more than {MOST_FILES} files. Choose some with spec.allowPatterns."
            raise Failure(Reason.INVALID_SPEC, text)
    return found


def wanted(path: str, allow: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    """Whether the patterns choose a path; ignoring wins, and no allow pattern allows all."""
    if any(patterns.matches(path, pattern) for pattern in ignore):
        return False
    return not allow or any(patterns.matches(path, pattern) for pattern in allow)


def _nothing(request: WorkRequest, source: Iterable[RemoteFile]) -> Failure:
    if request.allow_patterns or request.ignore_patterns:
        text = (
            "No file of the source matches spec.allowPatterns, spec.ignorePatterns and spec.preset. Patterns"
            f" are matched with the whole relative path.{preset_needs.instead(source)}"
        )
        return Failure(Reason.NOTHING_MATCHED, text)
    return Failure(Reason.NOTHING_MATCHED, "The source holds no files. Check spec.source.")


def digest_of(files: Iterable[RemoteFile]) -> str:
    """`sha256:` digest over paths, sizes and known checksums: the same for the same content."""
    whole = hashlib.sha256()
    for file in files:
        known = sorted(f"{digest.algorithm}:{digest.value}" for digest in file.digests) or [
            f"etag:{file.etag}"
        ]
        size = "-" if file.size is None else str(file.size)
        whole.update("\0".join([file.path, size, *known]).encode() + b"\n")
    return f"sha256:{whole.hexdigest()}"


def manifest(
    request: WorkRequest,
    resolved: Resolved,
    entries: Iterable[ManifestFile],
    published: manifests.Published,
) -> Manifest:
    """What a sync of a request says of its files, in place of what was published before."""
    return Manifest(
        uid=request.uid,
        namespace=request.namespace,
        name=request.name,
        source=request.source.summary,
        endpoint=request.source.bucket_endpoint,
        revision=resolved.revision,
        digest=resolved.manifest_digest or "",
        layout=request.layout,
        allow_patterns=request.allow_patterns,
        ignore_patterns=request.ignore_patterns,
        pinned=_pinned(request, resolved, published),
        files=tuple(sorted(entries, key=lambda entry: entry.path)),
        completed_at=datetime.datetime.now(datetime.UTC),
    )


def _pinned(
    request: WorkRequest, resolved: Resolved, published: manifests.Published
) -> tuple[str, ...] | None:
    """The commits that a cache keeps for those who asked for them."""
    hub, commit = request.source.hugging_face, resolved.revision
    if request.layout is not Layout.HUGGING_FACE_CACHE or hub is None or commit is None:
        return None
    asked = {commit} if hub.revision == commit else set()
    return tuple(sorted(asked | manifests.pinned(published.head)))[:MOST_PINNED]
