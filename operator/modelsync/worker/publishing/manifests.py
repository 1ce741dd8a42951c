"""The manifest's entries and its text, made so that a hundred thousand files stay within a worker's memory.

Measured with that many: entries that pydantic validates take a KiB each, and a text made as a whole is in
memory three times. The entries here are bare values, and the text is written and read line by line: how long
it is matters to neither side, so what one attempt wrote the next one can always read.
"""

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from modelsync.api.protocol import Manifest, ManifestFile
from modelsync.worker.common import parsing_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a manifest says of the files in a target."""

    files: dict[str, ManifestFile]
    owner: int
    """User id of what this worker makes."""
    believed: bool = True
    """Whether that user wrote the manifest. Another's says which files modelsync may replace, and nothing of
    their bytes."""
    writer: int | None = None
    """User id of who wrote it."""
    head: Mapping[str, object] = field(default_factory=dict)
    """Its fields before the files."""

    def __contains__(self, path: str) -> bool:
        return path in self.files

    def entry(self, path: str) -> ManifestFile | None:
        """What is known of a file's bytes."""
        return self.files.get(path) if self.believed else None

    def made(self, path: str, owner: int) -> bool:
        """Whether modelsync put a file of this user there: who wrote a manifest vouches for what it lists,
        another user than ours for that user's own files only."""
        found = self.files.get(path)
        return found is not None and not found.adopted and (self.believed or owner == self.writer)


_FIELDS = set(ManifestFile.model_fields)
"""One set for all entries; each of them would have its own."""
_EMPTY = '"files": []'
_BEGIN = b'"files": ['
_MOST_HEAD_LINES = 512
"""Two lists of 64 patterns and 128 commits are in it."""
_MOST_LINE = 64 * 1024
"""Bytes; a path has 1,024 at most, an ETag what a header may have."""
_MOST_WHOLE = 24 << 20
"""Bytes of a manifest in another form than ours, which is read as a whole."""
_MOST_HELD = 160 << 20
"""Bytes of memory that the texts of all entries take; 200,000 files with paths of 335 bytes take 120 MB."""


def entry(
    *,
    path: str,
    size: int,
    sha256: str | None,
    verified_by: str,
    etag: str | None,
    modified: int | None = None,
    adopted: bool | None = None,
) -> ManifestFile:
    """An entry of values that need no validation."""
    return ManifestFile.model_construct(
        _FIELDS,
        path=path,
        size=size,
        sha256=sha256,
        verified_by=verified_by,
        etag=etag,
        modified=modified,
        adopted=adopted,
    )


def renamed(known: ManifestFile, path: str) -> ManifestFile:
    """An entry of the same bytes at another path."""
    return entry(**{name: getattr(known, name) for name in _FIELDS} | {"path": path})


def head(file: BinaryIO) -> dict[str, object]:
    """The fields of a manifest before its files; none for what is no manifest of our form."""
    lines: list[bytes] = []
    while len(lines) < _MOST_HEAD_LINES and (line := file.readline(_MOST_LINE)):
        if line.strip() == _BEGIN:
            with contextlib.suppress(ValueError, RecursionError):
                found = json.loads(b"".join(lines).rstrip().rstrip(b",") + b"}")
                return found if isinstance(found, dict) else {}
            break
        lines.append(line)
    return {}


def pinned(head: Mapping[str, object]) -> set[str]:
    """The commits that a manifest's head keeps."""
    found = head.get("pinned")
    return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()


def load(file: BinaryIO, most: int) -> dict[str, ManifestFile]:
    """The entries of a manifest's file by path, at most `most`; raises ValueError for what is none."""
    for _ in range(_MOST_HEAD_LINES):
        line = file.readline(_MOST_LINE)
        if line.strip() == _BEGIN:
            return _listed(file, most)
        if not line:
            break
    file.seek(0)
    return read(file.read(_MOST_WHOLE + 1))


def _listed(file: BinaryIO, most: int) -> dict[str, ManifestFile]:
    """The entries that follow in the file, a line each."""
    found: dict[str, ManifestFile] = {}
    held = 0
    while not (line := file.readline(_MOST_LINE).strip()).startswith(b"]"):
        each = _loaded(line.removesuffix(b","))
        if not isinstance(each, ManifestFile) or len(found) >= most:
            raise ValueError("not a manifest")
        held += sum(map(sys.getsizeof, (each.path, each.sha256, each.etag)))
        if held > _MOST_HELD:
            raise ValueError("more than a sync can have written")
        found[each.path] = each
    return found


def read(content: bytes) -> dict[str, ManifestFile]:
    """The entries of a manifest's text, by path; raises ValueError for what is no manifest."""
    if len(content) > _MOST_WHOLE or parsing_cost.values(content) > parsing_cost.MOST_VALUES:
        raise ValueError("more than a sync can have written")
    found = _loaded(content)
    files = found.get("files") if isinstance(found, dict) else None
    if not isinstance(files, list) or not all(isinstance(each, ManifestFile) for each in files):
        raise ValueError("not a manifest")
    return {each.path: each for each in files}


def _loaded(text: bytes) -> Any:
    try:
        return json.loads(text, object_hook=_bare)
    except RecursionError as error:
        raise ValueError("nested without end") from error


def _bare(fields: dict[str, Any]) -> dict[str, Any] | ManifestFile:
    if "verifiedBy" not in fields:
        return fields
    valid = ManifestFile.model_validate(fields)
    return entry(**{name: getattr(valid, name) for name in _FIELDS})


def text(manifest: Manifest, files: Iterable[ManifestFile] | None = None) -> Iterator[bytes]:
    """The manifest as JSON, a line for each file: its own, or these."""
    empty = manifest.replace(files=()).model_dump_json(by_alias=True, exclude_none=True, indent=1)
    head, _, tail = empty.partition(_EMPTY)
    yield f'{head}"files": ['.encode()
    yield from _lines(manifest.files if files is None else files)
    yield f"\n ]{tail}\n".encode()


def _lines(files: Iterable[ManifestFile]) -> Iterator[bytes]:
    comma = ""
    for file in files:
        yield f"{comma}\n  {file.model_dump_json(by_alias=True, exclude_none=True)}".encode()
        comma = ","
