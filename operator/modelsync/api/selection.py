"""Which files of a source a ModelSync wants, and what it thinks of them before the source has told.

Field types of `spec`, apart from it because they say the same of any source.
"""

from typing import Annotated, Any

from pydantic import Field

from modelsync.api import requestsize
from modelsync.api.base import Value
from modelsync.api.quantity import parse_bytes
from modelsync.api.sources import DNS_LABEL
from modelsync.api.validations import cel, rules

_ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
Pattern = Annotated[
    str,
    Field(
        max_length=256,
        json_schema_extra=rules(
            cel(
                r"self != '' && !self.matches('^[.]{0,2}/|/$|[\\x00-\\x1f\\x7f]')",
                "must be a shell pattern of relative paths such as onnx/*, without '/' or './' before,"
                " '/' after, and control characters",
            )
        ),
    ),
]
Patterns = Annotated[
    tuple[Pattern, ...],
    Field(max_length=64, json_schema_extra={**_ATOMIC, **rules(requestsize.patterns_rule())}),
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


class Estimate(Value):
    """What the source is thought to hold, until the source itself tells."""

    size: Annotated[
        str | None,
        Field(
            max_length=24,
            json_schema_extra=rules(
                cel(
                    "isQuantity(self) && !quantity(self).isLessThan(quantity('1'))",
                    "must be a quantity of bytes, such as 5Gi",
                )
            ),
        ),
    ] = None
    """Size of all files, such as `5Gi`."""
    files: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    """Number of files."""

    @property
    def bytes(self) -> int | None:
        """The size as a number; None when it tells none (or is older than the schema's rule)."""
        try:
            return None if self.size is None else max(1, parse_bytes(self.size))
        except ValueError:
            return None
