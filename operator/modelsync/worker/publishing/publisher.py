"""Moving verified files into their places, and saying so last.

Every file is on the disk before its rename, every rename before the manifest: who finds the manifest
finds all files whole, even after a power cut. A reader meets a file either not at all or complete.
"""

import contextlib
import dataclasses
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from modelsync.api import naming
from modelsync.api.protocol import Manifest, ManifestFile
from modelsync.api.reasons import Reason
from modelsync.worker.checksums import file_digest
from modelsync.worker.common import names, open_files, volume_errors
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Fetched, RemoteFile
from modelsync.worker.progress.stages import Stages
from modelsync.worker.publishing import manifests
from modelsync.worker.storage import filesystem
from modelsync.worker.storage.safe_directory import Tree, lying
from modelsync.worker.storage.staging import TEMPORARY, Staging


class Places(Protocol):
    """What publishing has to know of a layout."""

    def place(self, file: RemoteFile) -> str:
        """Where a file's bytes are."""

    def is_ours(self, file: RemoteFile, published: manifests.Published) -> bool:
        """Whether what is there may be replaced without a look at who wrote it."""


def foreign(path: str) -> Failure:
    """The failure when a place is taken by what modelsync may not replace."""
    text = (
        f'The target holds "{names.printable(path)}", which modelsync did not write and does not overwrite.'
        " Move it away or choose another spec.target.persistentVolumeClaim.subPath."
    )
    return Failure(Reason.VOLUME_NOT_WRITABLE, text)


def durable(staging: Staging, fetched: Sequence[Fetched], stages: Stages) -> list[Fetched]:
    """Fetched files on the disk; raises Failure. A file server may set their time only now."""
    _sync(staging, fetched, stages)
    with volume_errors.guarded("looking at staging files"):
        return [each if each.sha256 else _dated(staging, each) for each in fetched]


def _dated(staging: Staging, fetched: Fetched) -> Fetched:
    found = os.stat(fetched.staged, dir_fd=staging.directory.descriptor, follow_symlinks=False)
    return dataclasses.replace(fetched, modified=found.st_mtime_ns)


def publish(
    target: Tree,
    staging: Staging,
    fetched: Iterable[Fetched],
    published: manifests.Published,
    layout: Places,
    stages: Stages,
) -> None:
    """Move durable files from staging into their places; raises Failure. `sync_parents` follows."""
    for each in fetched:
        path, place = each.file.path, layout.place(each.file)
        with volume_errors.guarded(f"publishing {names.printable(path)}"):
            _place(target, staging, each, place, stages, ours=layout.is_ours(each.file, published))
        stages.advance(files=1)


def left_behind(
    target: Tree,
    staging: Staging,
    files: Iterable[RemoteFile],
    published: manifests.Published,
    layout: Places,
    stages: Stages,
) -> dict[str, ManifestFile]:
    """What a worker put in its place before it died without a manifest, by path; raises Failure.

    The journal says so: it holds the digest of every file that was found right. Without this, the next worker
    would take its own files for foreign ones when the source has changed meanwhile.
    """
    known = {entry.sha256: entry.size for entry in staging.journal.entries.values() if entry.sha256}
    found: dict[str, ManifestFile] = {}
    for file in files if known else ():
        path, place = file.path, layout.place(file)
        with volume_errors.guarded(f"looking at {names.printable(path)}"):
            there = target.regular(place)
            if path in published or there is None or there.st_size not in known.values():
                continue
            digest = _sha256(target, place, stages)
        if digest in known:
            found[path] = ManifestFile(path=path, size=there.st_size, sha256=digest, verified_by="size")
    return found


def entry(fetched: Fetched, path: str) -> ManifestFile:
    """The manifest's entry for fetched bytes under a path."""
    return manifests.entry(
        path=path,
        size=fetched.size,
        sha256=fetched.sha256,
        verified_by=fetched.verified_by,
        etag=fetched.etag,
        modified=fetched.modified,
    )


def sync_parents(target: Tree, paths: Iterable[str], advance: Callable[[], None]) -> None:
    """Make the names of files durable, and those of all directories on the way; raises Failure.

    Also of files that were there already: a worker that was killed may have left them without a sync.
    """
    directories: set[str] = set()
    for path in paths:
        directory = path
        while directory and (directory := directory.rpartition("/")[0]) not in directories:
            directories.add(directory)
    with volume_errors.guarded("syncing directories"):
        for directory in sorted(directories):
            with (
                contextlib.suppress(FileNotFoundError),
                target.parent(f"{directory}/x" if directory else "x") as (descriptor, _),
            ):
                os.fsync(descriptor)
            advance()


def _place(
    target: Tree, staging: Staging, fetched: Fetched, path: str, stages: Stages, *, ours: bool
) -> None:
    """Rename one file into place, unless a foreign file with other bytes is there."""
    source = staging.directory.descriptor
    with target.parent(path, create=True) as (directory, name):
        found = lying(directory, name)
        if found is not None and not ours and not _identical(target, staging, fetched, path, found, stages):
            raise foreign(path)
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise foreign(path)
        # A file that another program puts here after the look is replaced: no rename compares first, and
        # RENAME_NOREPLACE would refuse our own. Within modelsync the lock of the target excludes it.
        os.rename(fetched.staged, name, src_dir_fd=source, dst_dir_fd=directory)


def _sync(staging: Staging, fetched: Sequence[Fetched], stages: Stages) -> None:
    """Bring the files to the disk, many by one call for their file system; raises Failure."""
    directory = staging.directory.descriptor
    # Before any rename: file systems may store a rename before the bytes, and a power cut in between would
    # leave a whole name over a file of zeros.
    with volume_errors.guarded("syncing staging files"), staging.journal.proving():
        if len(fetched) >= filesystem.MANY and filesystem.sync_file_system(directory):
            return
        for each in fetched:
            filesystem.sync_file(directory, each.staged)
            stages.advance()


def _identical(
    target: Tree, staging: Staging, fetched: Fetched, path: str, found: os.stat_result, stages: Stages
) -> bool:
    """Whether the file in the place has the same bytes: then who wrote it does not matter."""
    if not stat.S_ISREG(found.st_mode) or found.st_size != fetched.size:
        return False
    theirs = _sha256(target, path, stages)
    return theirs == (fetched.sha256 or _sha256(staging.directory, fetched.staged, stages))


def _sha256(tree: Tree, path: str, stages: Stages) -> str:
    with open(tree.open_file(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        return file_digest.digest_file(file.fileno(), (), size, lambda count: stages.advance()).sha256


def write_manifest(target: Tree, manifest: Manifest) -> None:
    """Replace the manifest, durably; raises Failure."""
    with volume_errors.guarded("writing the manifest"), target.below(naming.STATE_DIR) as state:
        write_file(state, naming.MANIFEST_FILE, manifests.text(manifest), aside=state)


def write_file(
    tree: Tree, path: str, content: Iterable[bytes], *, aside: Tree, temporary: str = TEMPORARY
) -> None:
    """Replace a file, durably, by one that is written in the directory `aside`; raises OSError."""
    with open(open_files.create(aside.descriptor, temporary, os.O_WRONLY), "wb") as file:
        file.writelines(content)
        file.flush()
        os.fsync(file.fileno())
    # The content is durable before it gets its name, and the name before this returns: the caller may then
    # drop what the file replaces.
    with tree.parent(path, create=True) as (directory, name):
        os.rename(temporary, name, src_dir_fd=aside.descriptor, dst_dir_fd=directory)
        os.fsync(directory)
