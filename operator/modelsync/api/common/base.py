"""The one base of all API values: frozen, camelCase on the wire, absent means unknown.

`dump` leaves out what is None, because in a Kubernetes object a missing field says "unknown" and a zero
says "zero". Unknown fields are ignored on reading, so that an older operator lives with a newer CRD.
A class's validator is built when it is first used: a process needs a few of sixty.
"""

from typing import Any, Self

import pydantic
from pydantic.alias_generators import to_camel

from modelsync.api.common.field_docs import Documented


class Value(Documented):
    """A frozen value with camelCase names on the wire."""

    model_config = pydantic.ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,
    )

    def dump(self) -> dict[str, Any]:
        """The value as JSON data in wire names, without absent fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def dump_json(self) -> str:
        """The value as one line of JSON."""
        return self.model_dump_json(by_alias=True, exclude_none=True)

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return self.model_copy(update=changes)
