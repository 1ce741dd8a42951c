"""From a listing to what has to be fetched: filter, check the names, pin, look at what is there already."""

import datetime
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass

from modelsync.api import foreign, naming
from modelsync.api.reasons import Reason
from modelsync.api.transfer import Layout, Resolved
from modelsync.api.wire import Manifest, ManifestFile, WorkRequest
from modelsync.worker import contents, files, hashing, manifests, names, needed, patterns, volume
from modelsync.worker.failures import Failure
from modelsync.worker.model import Listing, RemoteFile
from modelsync.worker.tree import Tree

MOST_FILES = 200_000
"""Keeps a hostile listing within the worker's memory."""
MOST_PATH_BYTES = 64 << 20
"""Of all paths together, for the same reason: 200,000 files with paths of 335 bytes, whose manifest has 104
MB and takes 195 MiB when it is read."""
MOST_PINNED = 128
"""Commits that a cache's manifest names; each takes a line of its head."""
MANIFEST = f"{naming.STATE_DIR}/{naming.MANIFEST_FILE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a sync consists of."""

    files: tuple[RemoteFile, ...]
    resolved: Resolved
    alike: tuple[tuple[str, ...], ...] = ()
    """Groups of paths that differ in case or normalisation only."""


def make_plan(listing: Listing, request: WorkRequest) -> Plan:
    """The files to sync, by path; raises Failure when there are none or they are not what was pinned."""
    source = tuple(listing.files)
    files = _selected(source, request)
    if source:
        needed.check(request, source, files)
    if not files:
        raise _nothing(request, source)
    ordered = tuple(files[path] for path in sorted(files))
    alike = names.check(file.path for file in ordered)
    if sum(len(file.path.encode()) for file in ordered) > MOST_PATH_BYTES:
        text = f"The paths of the source's files have more than {MOST_PATH_BYTES >> 20} MiB together."
        raise Failure(Reason.INVALID_SPEC, f"{text} Choose some files with spec.allowPatterns.")
    sizes = [file.size for file in ordered]
    if any((size or 0) < 0 for size in sizes) or sum(size or 0 for size in sizes) > foreign.MAX_COUNT:
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
    return Plan(files=ordered, resolved=resolved, alike=alike)


def _selected(files: Iterable[RemoteFile], request: WorkRequest) -> dict[str, RemoteFile]:
    found: dict[str, RemoteFile] = {}
    for file in files:
        if not wanted(file.path, request.allow_patterns, request.ignore_patterns):
            continue
        known = found.setdefault(file.path, file)
        if (known.size, known.digests) != (file.size, file.digests):
            text = f'The source lists "{names.printable(file.path)}" twice with different content.'
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
            f" are matched with the whole relative path.{needed.instead(source)}"
        )
        return Failure(Reason.NOTHING_MATCHED, text)
    return Failure(Reason.NOTHING_MATCHED, "The source holds no files. Check spec.source.")


def digest_of(files: Iterable[RemoteFile]) -> str:
    """`sha256:` digest over paths, sizes and known checksums: the same for the same content."""
    whole = hashlib.sha256()
    for file in files:
        told = sorted(f"{digest.algorithm}:{digest.value}" for digest in file.digests) or [
            f"etag:{file.etag}"
        ]
        size = "-" if file.size is None else str(file.size)
        whole.update("\0".join([file.path, size, *told]).encode() + b"\n")
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
        endpoint=endpoint_of(request),
        revision=resolved.revision,
        digest=resolved.manifest_digest or "",
        layout=request.layout,
        allow_patterns=request.allow_patterns,
        ignore_patterns=request.ignore_patterns,
        pinned=_pinned(request, resolved, published),
        files=tuple(sorted(entries, key=lambda entry: entry.path)),
        completed_at=datetime.datetime.now(datetime.UTC),
    )


def endpoint_of(request: WorkRequest) -> str | None:
    """The endpoint of a bucket, where one is named."""
    return request.source.s3.endpoint if request.source.s3 is not None else None


def _pinned(
    request: WorkRequest, resolved: Resolved, published: manifests.Published
) -> tuple[str, ...] | None:
    """The commits that a cache keeps for those who asked for them."""
    hub, commit = request.source.hugging_face, resolved.revision
    if request.layout is not Layout.HUGGING_FACE_CACHE or hub is None or commit is None:
        return None
    asked = {commit} if hub.revision == commit else set()
    return tuple(sorted(asked | manifests.pinned(published.head)))[:MOST_PINNED]


def read_manifest(target: Tree, owner: int) -> manifests.Published:
    """What an earlier sync published here; nothing when no readable manifest is there. `owner` is the user id
    of what this worker makes."""
    return read_entries(target, MANIFEST, owner)


def read_entries(target: Tree, path: str, owner: int) -> manifests.Published:
    """What a file of a manifest's form lists, as `read_manifest`."""
    nothing = manifests.Published(files={}, owner=owner)
    try:
        descriptor = target.open_file(path)
    except (FileNotFoundError, NotADirectoryError, files.Unusable):
        return nothing
    except OSError as error:
        raise volume.failure(error, f"reading {path}") from error
    with open(descriptor, "rb") as file:
        there = os.fstat(file.fileno())
        head = manifests.head(file)
        file.seek(0)
        try:
            found = manifests.load(file, MOST_FILES)
        except ValueError:
            return nothing
    return manifests.Published(
        files=found, owner=owner, believed=files.is_own(there, owner), writer=there.st_uid, head=head
    )


def right_at(
    target: Tree,
    place: str,
    file: RemoteFile,
    published: manifests.Published,
    *,
    checksum: bool,
    trusted: bool,
    read: hashing.Read,
) -> ManifestFile | None:
    """The manifest's entry for a file whose bytes in `place` are what the source holds; None when it has to
    be fetched.

    The bytes are read and compared, not taken on trust: a volume can rot, and other programs write there.
    Without checksums the size decides, if the place is `trusted` to hold this file or none, and the worker's
    own user wrote it: another's bytes are compared with a checksum all the same, or fetched.
    """
    with volume.guarded(f"looking at {names.printable(place)}"):
        found = target.regular(place)
    if found is None or (file.size is not None and found.st_size != file.size):
        return None
    adopted = None if published.made(file.path, found.st_uid) else True
    if not checksum:
        if not trusted or file.size is None:
            return None
        if found.st_uid == published.owner:
            return _by_size(file, found, adopted=adopted)
        if not hashing.comparable(file.digests):
            return None
    with volume.guarded(f"reading {names.printable(place)}"):
        digests = _digests(target, place, file, found.st_size, read)
    if digests is None or digests.offset != found.st_size or digests.wrong() is not None:
        return None
    known = published.entry(file.path)
    if not digests.comparable and not _same_object(file, known, digests.sha256):
        return None
    entry = manifests.entry(
        path=file.path,
        size=found.st_size,
        sha256=digests.sha256,
        verified_by=digests.verified_by(),
        etag=file.etag,
        adopted=adopted,
    )
    return known if entry == known else entry


def _digests(
    target: Tree, place: str, file: RemoteFile, size: int, read: hashing.Read
) -> hashing.Digests | None:
    """The checksums of a file that is there; None when it cannot be what its name says."""
    descriptor = target.open_file(place)
    try:
        if contents.problem(file.path, size, os.pread(descriptor, contents.HEAD, 0)):
            return None
        return hashing.digest_file(descriptor, file.digests, size, read)
    finally:
        os.close(descriptor)


def _same_object(file: RemoteFile, published: ManifestFile | None, sha256: str) -> bool:
    """Whether a file without a checksum is the one that was published from the same object."""
    if published is None or published.sha256 != sha256:
        return False
    return file.etag is not None and published.etag == file.etag


def _by_size(file: RemoteFile, found: os.stat_result, *, adopted: bool | None) -> ManifestFile:
    return manifests.entry(
        path=file.path,
        size=found.st_size,
        sha256=None,
        verified_by="size",
        etag=file.etag,
        modified=found.st_mtime_ns,
        adopted=adopted,
    )
