"""What all listings have in common: bounds against endless ones, and a revision where the source has none.

A listing is hostile input. One that repeats its pages or never ends must not fill the memory; and a bucket
or a list of URLs, which has no commit to pin, gets a name from what it holds, so that a later attempt can
see whether it still holds the same.
"""

import hashlib
from collections.abc import Iterable

from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Resolved
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import RemoteFile
from modelsync.worker.progress.stages import Stages

MOST_LISTED = 1_000_000
"""Beyond any known model; about 1 GiB of listing."""
MOST_PAGES = 10_000
"""Ten times what a listing of MOST_LISTED has at a thousand a page, since a server may give shorter ones."""


class Pages:
    """Counts the pages of a listing: one whose pages are empty, or repeat, has neither too many files nor an
    end."""

    def __init__(self) -> None:
        self._count = 0

    def turn(self) -> None:
        """One more page; raises Failure when there are too many."""
        self._count += 1
        if self._count > MOST_PAGES:
            text = f"The source's listing has more than {MOST_PAGES} pages and does not end."
            raise Failure(Reason.ORIGIN_ERROR, f"{text} Check the origin that spec.source names.")


def gathered(files: Iterable[RemoteFile], stages: Stages) -> tuple[RemoteFile, ...]:
    """All files once, sorted by path; raises Failure for a listing without end.

    A file that was listed before is no progress.
    """
    found: dict[tuple[str, str], RemoteFile] = {}
    for file in files:
        if (file.path, file.locator) not in found:
            stages.advance(files=1)
        found[file.path, file.locator] = file
        if len(found) > MOST_LISTED:
            text = (
                f"The source lists more than {MOST_LISTED} files. Name a smaller part of it in spec.source."
            )
            raise Failure(Reason.INVALID_SPEC, text)
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
