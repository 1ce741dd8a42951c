"""What is in the target already: what an earlier sync published, and whether its bytes are the source's."""

import os

from modelsync.api import naming
from modelsync.api.protocol import ManifestFile
from modelsync.worker.checksums import file_digest
from modelsync.worker.common import contents, names, open_files, volume_errors
from modelsync.worker.common.model import MOST_FILES, RemoteFile
from modelsync.worker.publishing import manifests
from modelsync.worker.storage.safe_directory import Tree

MANIFEST = f"{naming.STATE_DIR}/{naming.MANIFEST_FILE}"


def read_manifest(target: Tree, owner: int) -> manifests.Published:
    """What an earlier sync published here; nothing when no readable manifest is there. `owner` is the user id
    of what this worker makes."""
    return read_entries(target, MANIFEST, owner)


def read_entries(target: Tree, path: str, owner: int) -> manifests.Published:
    """What a file of a manifest's form lists, as `read_manifest`."""
    nothing = manifests.Published(files={}, owner=owner)
    try:
        descriptor = target.open_file(path)
    except (FileNotFoundError, NotADirectoryError, open_files.Unusable):
        return nothing
    except OSError as error:
        raise volume_errors.failure(error, f"reading {path}") from error
    with open(descriptor, "rb") as file:
        there = os.fstat(file.fileno())
        head = manifests.head(file)
        file.seek(0)
        try:
            found = manifests.load(file, MOST_FILES)
        except ValueError:
            return nothing
    return manifests.Published(
        files=found, owner=owner, believed=open_files.is_own(there, owner), writer=there.st_uid, head=head
    )


def right_at(
    target: Tree,
    place: str,
    file: RemoteFile,
    published: manifests.Published,
    *,
    checksum: bool,
    trusted: bool,
    read: file_digest.Read,
) -> ManifestFile | None:
    """The manifest's entry for a file whose bytes in `place` are what the source holds; None when it has to
    be fetched.

    The bytes are read and compared, not taken on trust: a volume can rot, and other programs write there.
    Without checksums the size decides, if the place is `trusted` to hold this file or none, and the worker's
    own user wrote it: another's bytes are compared with a checksum all the same, or fetched.
    """
    with volume_errors.guarded(f"looking at {names.printable(place)}"):
        found = target.regular(place)
    if found is None or (file.size is not None and found.st_size != file.size):
        return None
    adopted = None if published.made(file.path, found.st_uid) else True
    if not checksum:
        if not trusted or file.size is None:
            return None
        if found.st_uid == published.owner:
            return _by_size(file, found, adopted=adopted)
        if not file_digest.comparable(file.digests):
            return None
    with volume_errors.guarded(f"reading {names.printable(place)}"):
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
    target: Tree, place: str, file: RemoteFile, size: int, read: file_digest.Read
) -> file_digest.Digests | None:
    """The checksums of a file that is there; None when it cannot be what its name says."""
    descriptor = target.open_file(place)
    try:
        if contents.problem(file.path, size, os.pread(descriptor, contents.HEAD, 0)):
            return None
        return file_digest.digest_file(descriptor, file.digests, size, read)
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
