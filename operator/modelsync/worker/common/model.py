"""The values that pass between a source and the engine.

A source says which files there are and how to ask for one; the engine fetches ranges and knows nothing of the
Hub, S3 or lists of URLs. This file is all that the two sides share.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from modelsync.api.source.transfer import Resolved
from modelsync.worker.common.failures import Failure

MOST_FILES = 200_000
"""Keeps a hostile listing within the worker's memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A checksum that the source reports of a file."""

    algorithm: str
    """sha256, git-sha1, sha1, md5, crc64nvme, crc32c or crc32; `composite-` before it where the value is a
    checksum over those of an upload's parts."""
    value: str
    """Lower-case hexadecimal."""
    parts: tuple[int, ...] = ()
    """Sizes of the parts, of a composite checksum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One file of a source at a pinned revision."""

    path: str
    """Relative path as the source names it; not yet checked."""
    size: int | None
    """Size in bytes; None when the source does not report it."""
    digests: tuple[Digest, ...] = ()
    etag: str | None = None
    """Strong entity tag without quotes, where the listing has one."""
    locator: str
    """How the source finds the file again: a key, a path or a URL."""
    version: str | None = None
    """Version of the object, where the source has versions."""

    @property
    def named(self) -> bool:
        """Whether a SHA-256 says which bytes these are, so that no ETag, date or version is needed for
        that."""
        return "sha256" in [digest.algorithm for digest in self.digests]

    @property
    def marks(self) -> tuple[str, str]:
        """ETag and version as far as they distinguish this file from another; empty where its SHA-256 does,
        since two mirrors may tag the same bytes differently (docs/decisions/0009)."""
        return ("", "") if self.named else (self.etag or "", self.version or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a source holds at a revision."""

    revision: str
    files: Iterable[RemoteFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What an origin's error answer means."""

    failure: Failure
    again: bool = False
    """Whether the source has another way to ask for this file, which it takes from now on."""


class Explain(Protocol):
    """Reads an error answer in the words of the source's own kind."""

    def __call__(self, status: int, headers: Mapping[str, str], body: bytes) -> Refused | None:
        """What it means; None where it says no more than its status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How to GET a file: a URL and the headers for its own origin."""

    url: str = field(repr=False)
    """May carry a signature in its query, so not in repr."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """May hold Authorization; sent to the URL's exact origin only."""
    outside: bool = False
    """Whether an answer from the internet led here, rather than the user."""
    explain: Explain | None = field(default=None, repr=False, compare=False)
    """Reads the errors of this origin; None where a redirect led here."""


class FileSource(Protocol):
    """Where files come from."""

    def resolve(self, pinned: Resolved | None) -> Listing:
        """List the files, at the pinned revision when one is given; raises failures.Failure."""

    def request(self, file: RemoteFile) -> Request:
        """A fresh way to GET the file; called again when a URL has expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file in the staging directory, found right."""

    file: RemoteFile
    staged: str
    """Its name in the staging directory."""
    size: int
    sha256: str | None
    verified_by: str
    etag: str | None
    modified: int | None = None
    """Its modification time in nanoseconds since 1970, once it is durable and where there is no SHA-256."""
