"""What the options of `modelsync pull` may say, in the API's own rules and a command line's words."""

import re
from pathlib import Path
from typing import Any

from modelsync.api import presets, protocol
from modelsync.api.common import quantity
from modelsync.api.source import selection
from modelsync.api.source.sources import AddressingStyle, Source
from modelsync.api.source.transfer import Engine, Layout
from modelsync.errors import UsageError
from modelsync.settings import parsers
from modelsync.worker.sources import credentials as creds

_ONLY_FOR = {"hugging_face": "hf://", "s3": "s3://", "http": "https://"}
_OPTIONS = {
    "revision": ("--revision", ("hugging_face",)),
    "dataset": ("--dataset", ("hugging_face",)),
    "endpoint": ("--endpoint", ("hugging_face", "s3")),
    "region": ("--region", ("s3",)),
    "addressing_style": ("--addressing-style", ("s3",)),
    "requester_pays": ("--requester-pays", ("s3",)),
    "token_file": ("--token-file", ("hugging_face", "http")),
    "sha256": ("--sha256", ("http",)),
    "name": ("--name", ("http",)),
}
"""Options by flag, with the kinds of sources that have a use for them."""


def check(source: Source, flags: dict[str, Any]) -> None:
    """Raise UsageError for what a ModelSync's schema refuses, and for an option of another kind of source:
    a user who gives one expects something of it."""
    kind = next(name for name in _ONLY_FOR if getattr(source, name) is not None)
    for flag, (option, kinds) in _OPTIONS.items():
        if flags[flag] not in (None, False, AddressingStyle.AUTO) and kind not in kinds:
            fitting = " and ".join(_ONLY_FOR[each] for each in kinds)
            raise UsageError(f"{option}: applies to {fitting} sources only; remove it for {_ONLY_FOR[kind]}")
    if flags["layout"] == Layout.HUGGING_FACE_CACHE and source.hugging_face is None:
        raise UsageError("--layout: HuggingFaceCache applies to hf:// sources only; use Directory")
    if flags["engine"] == Engine.HUGGING_FACE_HUB and source.hugging_face is None:
        raise UsageError("--engine: HuggingFaceHub applies to hf:// sources only; use Native or HFTransfer")
    if flags["engine"] != Engine.NATIVE and flags["limit_rate"]:
        raise UsageError("--limit-rate: requires --engine Native")


def patterns(flag: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """The patterns of an option, as `spec.allowPatterns` takes them; raises UsageError."""
    for pattern in given:
        if (fault := selection.fault_of_pattern(pattern)) is not None:
            raise UsageError(f"{flag}: {pattern!r} {fault}")
    return given


def rate(text: str | None) -> int | None:
    """The bytes per second of --limit-rate, as `spec.bandwidthLimit`; raises UsageError."""
    try:
        return None if text is None else quantity.parse_rate(text)
    except ValueError as error:
        raise UsageError(f"--limit-rate: {text!r} {error}") from None


def preset(name: str | None) -> presets.Preset:
    """The preset of --preset; one without patterns when absent. Raises UsageError."""
    if name is not None and name not in presets.BUILT_IN:
        raise UsageError(f"--preset: {presets.unknown(name, presets.BUILT_IN)}")
    return presets.BUILT_IN[name] if name else presets.Preset()


def blocks(texts: tuple[str, ...]) -> tuple[protocol.AddressBlock, ...]:
    """The CIDR blocks of --allow-address; raises UsageError."""
    try:
        return parsers.blocks(",".join(texts))
    except ValueError as error:
        raise UsageError(f"--allow-address: {error}") from None


def digest(text: str | None) -> str | None:
    """The digest of --expected-digest; raises UsageError."""
    if text is not None and not re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        raise UsageError(f"--expected-digest: {text!r} must be sha256: and 64 hexadecimal digits")
    return text


def token(file: Path) -> str:
    """The token of --token-file, read as a Secret's key is; raises UsageError."""
    try:
        return creds.text(file.read_bytes())
    except ValueError:
        raise UsageError(
            f"--token-file: {file} is not text in UTF-8; save the plain token in it, and nothing else"
        ) from None
    except OSError as error:
        raise UsageError(f"--token-file: {file} cannot be read: {error.strerror}") from None
