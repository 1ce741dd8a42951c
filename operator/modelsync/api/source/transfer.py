"""What a spec asks of a transfer, and what a source turned out to hold.

These words stand in the spec, in the status and in the documents between operator and worker.

They are apart from the resource itself, so that a worker and `modelsync pull` start without all of it.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelsync.api.common.base import Value
from modelsync.api.common.untrusted import Count, Word


class Layout(StrEnum):
    """How files are arranged in the target."""

    DIRECTORY = "Directory"
    HUGGING_FACE_CACHE = "HuggingFaceCache"


class Engine(StrEnum):
    """What fetches the files."""

    NATIVE = "Native"
    HF_TRANSFER = "HFTransfer"
    HUGGING_FACE_HUB = "HuggingFaceHub"


class Verification(StrEnum):
    """How much a file must prove before it is published."""

    CHECKSUM = "Checksum"
    SIZE = "Size"


VerifiedBy = Annotated[
    dict[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")], Count],
    Field(max_length=24),
]
"""How many files were compared with what: a checksum's name as in the manifest, or `size`."""


class Resolved(Value):
    """What the source turned out to hold; pinned for all attempts on this spec."""

    revision: Word | None = None
    """The commit, or a digest of object versions, that the files were taken from."""
    manifest_digest: Word | None = None
    """`sha256:` digest over the paths, sizes and known checksums of all files."""
    files: Count | None = None
    """Number of files."""
    bytes: Count | None = None
    """Their size in bytes."""
