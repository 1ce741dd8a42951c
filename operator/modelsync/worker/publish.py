"""Moving verified files into their places, and saying so last.

Every file is on the disk before its rename, every rename before the manifest: whoever finds the manifest
finds all files whole, even after a power cut. A reader meets a file either not at all or complete.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping

from modelsync.api import naming
from modelsync.api.reasons import Reason
from modelsync.api.wire import Manifest, ManifestFile
from modelsync.worker import names, volume
from modelsync.worker.failures import Failure
from modelsync.worker.fetch import Fetched
from modelsync.worker.model import RemoteFile
from modelsync.worker.staging import Staging
from modelsync.worker.tree import Tree

_BLOCK = 1 << 20
_TEMPORARY = "manifest.new"


def refuse_foreign(target: Tree, files: Iterable[RemoteFile], published: Mapping[str, ManifestFile]) -> None:
    """Before anything is fetched: refuse if a place is taken by what cannot be replaced; raises Failure.

    A regular file may still turn out to be the same as the source's, so only its size speaks here.
    """
    for file in files:
        with volume.guarded(f"looking at {names.printable(file.path)}"):
            found = target.stat(file.path)
        if found is None or file.path in published:
            continue
        if not stat.S_ISREG(found.st_mode) or (file.size is not None and found.st_size != file.size):
            raise _foreign(file.path)


def _foreign(path: str) -> Failure:
    text = (
        f'The target holds "{names.printable(path)}", which modelsync did not write and does not overwrite.'
        " Move it away or choose another spec.target.persistentVolumeClaim.subPath."
    )
    return Failure(Reason.VOLUME_NOT_WRITABLE, text)


def publish(
    target: Tree,
    staging: Staging,
    fetched: Iterable[Fetched],
    published: Mapping[str, ManifestFile],
) -> list[ManifestFile]:
    """Move files from staging into place and make it durable; raises Failure."""
    entries: list[ManifestFile] = []
    directories: set[str] = set()
    for each in fetched:
        path = each.file.path
        with volume.guarded(f"publishing {names.printable(path)}"):
            _place(target, staging, each, path in published)
        directories.add(path.rpartition("/")[0])
        entries.append(
            ManifestFile(
                path=path, size=each.size, sha256=each.sha256, verified_by=each.verified_by, etag=each.etag
            )
        )
    with volume.guarded("syncing directories"):
        for directory in sorted(directories):
            with target.parent(f"{directory}/x" if directory else "x") as (descriptor, _):
                os.fsync(descriptor)
    return entries


def _place(target: Tree, staging: Staging, fetched: Fetched, ours: bool) -> None:
    """Rename one file into place, unless a foreign file with other bytes is there."""
    path, source = fetched.file.path, staging.directory.descriptor
    _sync(source, fetched.staged)
    found = target.stat(path)
    if found is not None and not ours and not _identical(target, staging, fetched, found):
        raise _foreign(path)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise _foreign(path)
    with target.parent(path, create=True) as (directory, name):
        os.rename(fetched.staged, name, src_dir_fd=source, dst_dir_fd=directory)


def _sync(directory: int, name: str) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _identical(target: Tree, staging: Staging, fetched: Fetched, found: os.stat_result) -> bool:
    """Whether the file in the place has the same bytes: then who wrote it does not matter."""
    if not stat.S_ISREG(found.st_mode) or found.st_size != fetched.size:
        return False
    return _sha256(target, fetched.file.path) == (
        fetched.sha256 or _sha256(staging.directory, fetched.staged)
    )


def _sha256(tree: Tree, path: str) -> str:
    with open(tree.open_file(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(target: Tree, manifest: Manifest) -> None:
    """Replace the manifest, durably; raises Failure."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with volume.guarded("writing the manifest"), target.below(naming.STATE_DIR) as state:
        directory = state.descriptor
        with open(os.open(_TEMPORARY, flags, 0o666, dir_fd=directory), "w") as file:
            file.write(manifest.model_dump_json(by_alias=True, exclude_none=True, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.rename(_TEMPORARY, naming.MANIFEST_FILE, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
