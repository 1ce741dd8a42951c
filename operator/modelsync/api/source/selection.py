"""Which files of a source a ModelSync wants, and what it assumes of them until the source is listed.

Field types of `spec`, apart from it because they say the same of any source.
"""

import re
from typing import Annotated, Any

from pydantic import Field

from modelsync.api.common import quantity_fields, size_limits
from modelsync.api.common.base import Value
from modelsync.api.common.quantity import parse_bytes
from modelsync.api.common.validations import cel, literal, rules
from modelsync.api.source.sources import DNS_LABEL

_ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
_LONGEST_PATTERN = 256
_NO_PATTERN = r"^[.]{0,2}/|[\x00-\x1f\x7f]"
_PATTERN_RULE = (
    "must be a shell pattern of relative paths such as onnx/* or onnx/, without '/' or './' before, and"
    " control characters"
)
Pattern = Annotated[
    str,
    Field(
        max_length=_LONGEST_PATTERN,
        json_schema_extra=rules(cel(f"self != '' && !self.matches({literal(_NO_PATTERN)})", _PATTERN_RULE)),
    ),
]
Patterns = Annotated[
    tuple[Pattern, ...],
    Field(max_length=64, json_schema_extra={**_ATOMIC, **rules(size_limits.patterns_rule())}),
]
PresetName = Annotated[
    str,
    Field(
        max_length=63,
        json_schema_extra=rules(
            cel(
                DNS_LABEL,
                "must be the name of a preset, such as safetensors or gguf-q4-k-m: lower case letters,"
                " digits and '-'",
            )
        ),
    ),
]
ManifestDigest = Annotated[
    str,
    Field(
        max_length=71,
        json_schema_extra=rules(
            cel(
                "self.matches('^sha256:[0-9a-f]{64}$')",
                "must be sha256: and 64 hexadecimal digits, as in status.resolved.manifestDigest of a sync"
                " that holds the right files",
            )
        ),
    ),
]


def fault_of_pattern(text: str) -> str | None:
    """What the schema has against a pattern, in its words; None when it is good."""
    if len(text) > _LONGEST_PATTERN:
        return f"must have at most {_LONGEST_PATTERN} characters"
    return None if text and not re.search(_NO_PATTERN, text) else _PATTERN_RULE


class Estimate(Value):
    """What the source is thought to hold, until the source itself is listed."""

    size: Annotated[
        str | None,
        quantity_fields.AsText,
        quantity_fields.at_least("1", "must be a quantity of bytes, such as 5Gi"),
    ] = None
    """Size of all files, such as `5Gi`."""
    files: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    """Number of files."""

    @property
    def bytes(self) -> int | None:
        """The size as a number; None when there is none (or is older than the schema's rule)."""
        try:
            return None if self.size is None else max(1, parse_bytes(self.size))
        except ValueError:
            return None
