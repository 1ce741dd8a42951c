"""What all listings have in common: bounds against endless ones, and a revision where the source has none.

A listing is hostile input. One that repeats its pages or never ends must not fill the memory; and a bucket
or a list of URLs, which has no commit to pin, gets a name from what it holds, so that a later attempt can
tell whether it still holds the same.
"""

import hashlib
from collections.abc import Iterable

from modelsync.api.reasons import Reason
from modelsync.api.transfer import Resolved
from modelsync.worker.failures import Failure
from modelsync.worker.model import RemoteFile

MOST_FILES = 1_000_000
"""Beyond any known model; about 1 GiB of listing."""


def gathered(files: Iterable[RemoteFile]) -> tuple[RemoteFile, ...]:
    """All files once, sorted by path; raises Failure for a listing without end."""
    found: dict[tuple[str, str], RemoteFile] = {}
    for count, file in enumerate(files, start=1):
        if count > MOST_FILES:
            text = f"The source lists more than {MOST_FILES} files. Name a smaller part of it in spec.source."
            raise Failure(Reason.INVALID_SPEC, text)
        found[file.path, file.locator] = file
    return tuple(sorted(found.values(), key=lambda file: file.path))


def revision_of(files: Iterable[RemoteFile]) -> str:
    """A short name for these contents: 16 hexadecimal digits of SHA-256."""
    summary = hashlib.sha256()
    for file in files:
        known = ",".join(f"{digest.algorithm}={digest.value}" for digest in file.digests)
        etag, version = file.marks
        parts = (file.locator, etag, "" if file.size is None else str(file.size), version)
        summary.update("\0".join((*parts, known, "")).encode("utf-8", "surrogatepass"))
    return summary.hexdigest()[:16]


def check_pinned(pinned: Resolved | None, revision: str, what: str) -> None:
    """Refuse objects other than those an earlier attempt resolved; raises Failure with SourceChanged."""
    if pinned is not None and pinned.revision is not None and pinned.revision != revision:
        text = f"{what} changed since the sync began. The next attempt takes what is there then."
        raise Failure(Reason.SOURCE_CHANGED, text)
