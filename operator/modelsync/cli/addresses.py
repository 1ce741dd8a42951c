"""What a user names on the command line, as `spec.source` would say it.

    hf://org/name[@revision]   hf://datasets/org/name[@revision]   s3://bucket/prefix   https://host/file

So `modelsync pull` and a ModelSync go the same way from here on.
"""

import re
import shlex
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pydantic

from modelsync.api.source import bucket_names, hub_pages
from modelsync.api.source.sources import (
    NO_RELATIVE_PATH,
    RELATIVE_PATH_FIX,
    AddressingStyle,
    HttpFile,
    HttpSource,
    HuggingFaceSource,
    RepositoryType,
    S3Source,
    Source,
)
from modelsync.cli import wording
from modelsync.errors import UsageError

_HUB, _S3, _WEB = "hf://", "s3://", ("https://", "http://")
_FORMS = "expected hf://org/name, s3://bucket/prefix or https://host/file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What further options say about a source; None where they say nothing."""

    revision: str | None = None
    dataset: bool = False
    endpoint: str | None = None
    region: str | None = None
    style: AddressingStyle = AddressingStyle.AUTO
    requester_pays: bool = False
    sha256: str | None = None
    name: str | None = None
    """Path of the one file of an https:// address, in place of its last part."""
    hubs: tuple[str, ...] = ()
    """Base URLs of Hubs besides huggingface.co."""


def source_of(addresses: Sequence[str], options: Options) -> Source:
    """The source that the addresses name; raises UsageError with the fix."""
    first, several = addresses[0], len(addresses) > 1
    if several and not all(address.startswith(_WEB) for address in addresses):
        raise UsageError("several sources are allowed for https:// only; give one hf:// or s3:// source")
    for address in addresses:
        _check_page(address, options)
    try:
        if first.startswith(_HUB):
            return Source(hugging_face=_hub(first, options))
        if first.startswith(_S3):
            return Source(s3=_bucket(first, options))
        if first.startswith(_WEB):
            return Source(http=HttpSource(files=_files(addresses, options)))
    except pydantic.ValidationError as error:
        raise UsageError(f"{shown(first)}: {error.errors()[0]['msg']}") from None
    raise UsageError(f"invalid source {first!r}: {_FORMS}")


def shown(address: str) -> str:
    """An address for messages: without its query, which may be a signature."""
    return address.partition("?")[0]


def _check_page(address: str, options: Options) -> None:
    """Raise UsageError for the address of a Hub's page, with what says the same."""
    found = None if address.startswith((_HUB, _S3)) else hub_pages.page(address, options.hubs)
    if found is not None:
        choice = f" --allow {shlex.quote(found.pattern)}" if found.pattern else ""
        raise UsageError(f"{shown(address)} is a page of the Hub, not a file; use {found.address}{choice}")


def _hub(address: str, options: Options) -> HuggingFaceSource:
    name, at, revision = address.removeprefix(_HUB).partition("@")
    kind = RepositoryType.DATASET if options.dataset else RepositoryType.MODEL
    if name.startswith("datasets/"):
        name, kind = name.removeprefix("datasets/"), RepositoryType.DATASET
    name = name.rstrip("/")
    parts = name.split("/")
    if len(parts) > 2 or not all(parts) or (at and not revision):
        raise UsageError(
            f"{address} is not a repository; use hf://org/name[@revision], and select files with --allow"
        )
    if revision and options.revision not in (None, revision):
        raise UsageError(f"{address} and --revision {options.revision} differ; give only one of them")
    return HuggingFaceSource(
        repository=name,
        repository_type=kind,
        revision=revision or options.revision or "main",
        endpoint=options.endpoint,
    )


def _bucket(address: str, options: Options) -> S3Source:
    bucket, _, prefix = address.removeprefix(_S3).partition("/")
    if not bucket:
        raise UsageError(f"{address} has no bucket; use s3://bucket/prefix")
    virtual = options.style is AddressingStyle.VIRTUAL_HOSTED
    problem = bucket_names.fault(bucket, endpoint=options.endpoint is not None, virtual=virtual)
    if problem is not None:
        raise UsageError(f"{address}: {bucket!r} {wording.for_terminal(problem)}")
    return S3Source(
        bucket=bucket,
        prefix=prefix,
        endpoint=options.endpoint,
        region=options.region,
        addressing_style=options.style,
        requester_pays=options.requester_pays,
    )


def _files(addresses: Sequence[str], options: Options) -> tuple[HttpFile, ...]:
    for option, value in (("--sha256", options.sha256), ("--name", options.name)):
        if value and len(addresses) > 1:
            raise UsageError(f"{option} applies to one file; give one https:// URL with it")
    if options.name is not None and re.search(NO_RELATIVE_PATH, options.name):
        raise UsageError(f"--name: {options.name!r} {RELATIVE_PATH_FIX}")
    if options.sha256 and not re.fullmatch("[0-9a-fA-F]{64}", options.sha256):
        raise UsageError(f"--sha256: {options.sha256!r} must be 64 hexadecimal digits, as sha256sum prints")
    files: dict[str, HttpFile] = {}  # by name; one without a name may get it from its server
    for address in addresses:
        parts = urllib.parse.urlsplit(address)
        name = options.name or urllib.parse.unquote(parts.path.rpartition("/")[2])
        if not parts.hostname:
            raise UsageError(f"{shown(address)} has no host; use https://host/file")
        if parts.username or parts.password:
            raise UsageError(
                "a URL must not contain a password; put a token into a file and pass it with --token-file"
            )
        if name and name in files:
            raise UsageError(f"two URLs end in {name!r}; download them into different directories")
        more: dict[str, Any] = {"sha256": options.sha256.lower()} if options.sha256 else {}
        files[name or address] = HttpFile(url=address, path=name, **more)
    return tuple(files.values())
