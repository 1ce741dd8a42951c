"""The JSON that the Hub's API speaks, made of our values. No requests here, only documents."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from dev.origins.hub.repository import Commit, File, Repository
from dev.origins.hub.xorbs import xet_hash

DATE = "2024-01-01T00:00:00.000Z"
"""Every date that a client asks for; constant, so that the same content gives the same documents."""

Document = dict[str, Any]


def information(repository: Repository, commit: Commit, *, blobs: bool) -> Document:
    """`GET /api/models/ID`; with `blobs`, sizes and digests of the files too."""
    return {
        "_id": commit.sha[:24],
        "id": repository.id,
        "modelId": repository.id,
        "author": repository.id.split("/")[0],
        "sha": commit.sha,
        "lastModified": DATE,
        "createdAt": DATE,
        "private": repository.private,
        "gated": "manual" if repository.gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "siblings": [_sibling(file, blobs) for file in commit.files.values()],
        "usedStorage": sum(file.size for file in commit.files.values()),
    }


def _sibling(file: File, blobs: bool) -> Document:
    described: Document = {"rfilename": file.path}
    if blobs:
        described |= {"size": file.size, "blobId": file.blob_id}
        if file.pointer is not None:
            described["lfs"] = {
                "sha256": file.sha256,
                "size": file.size,
                "pointerSize": len(file.pointer),
            }
    return described


def tree(
    repository: Repository, commit: Commit, folder: str, *, recursive: bool, expand: bool
) -> list[Document]:
    """Files and folders below a folder ("" for the root), or of it alone; empty when there is none."""
    prefix = f"{folder.rstrip('/')}/" if folder else ""
    files = [file for path, file in commit.files.items() if path.startswith(prefix)]
    folders = {str(parent) for file in files for parent in PurePosixPath(file.path).parents} - {".", "/"}
    entries = [entry(repository, commit, file, expand=expand) for file in files]
    entries += [folder_entry(commit, path, expand=expand) for path in folders if path.startswith(prefix)]
    if not recursive:
        entries = [found for found in entries if "/" not in found["path"][len(prefix) :]]
    return sorted(entries, key=lambda found: (found["type"] != "directory", found["path"]))


def entry(repository: Repository, commit: Commit, file: File, *, expand: bool = False) -> Document:
    """A file in a tree."""
    described: Document = {"type": "file", "oid": file.blob_id, "size": file.size, "path": file.path}
    if file.pointer is not None:
        described["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}
        described |= {"xetHash": xet_hash(file)} if repository.xet else {}
    return described | _expanded(commit, expand)


def folder_entry(commit: Commit, path: str, *, expand: bool = False) -> Document:
    """A folder in a tree; its id is only stable, no git tree is made."""
    return {"type": "directory", "oid": commit.sha, "size": 0, "path": path} | _expanded(commit, expand)


def _expanded(commit: Commit, expand: bool) -> Document:
    if not expand:
        return {}
    return {"lastCommit": {"id": commit.sha, "title": "Add files", "date": DATE}}


def paths(repository: Repository, commit: Commit, wanted: Iterable[str], *, expand: bool) -> list[Document]:
    """`POST …/paths-info`: what is known of some paths; unknown ones are left out."""
    found = []
    for path in wanted:
        if path in commit.files:
            found.append(entry(repository, commit, commit.files[path], expand=expand))
        elif any(name.startswith(f"{path}/") for name in commit.files):
            found.append(folder_entry(commit, path, expand=expand))
    return found


def references(repository: Repository) -> Document:
    """`GET …/refs`."""
    return {
        "branches": [_reference("heads", name, sha) for name, sha in repository.branches.items()],
        "tags": [_reference("tags", name, sha) for name, sha in repository.tags.items()],
        "converts": [],
    }


def _reference(group: str, name: str, sha: str) -> Document:
    return {"name": name, "ref": f"refs/{group}/{name}", "targetCommit": sha}
