"""The one base of all API values: frozen, camelCase on the wire, absent means unknown.

`dump` leaves out what is None, because in a Kubernetes object a missing field says "unknown" and a zero
says "zero". Unknown fields are ignored on reading, so that an older operator lives with a newer CRD.
"""

from typing import Any, Self

import pydantic
from pydantic.alias_generators import to_camel


class Value(pydantic.BaseModel):
    """A frozen value with camelCase names on the wire."""

    model_config = pydantic.ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )

    def dump(self) -> dict[str, Any]:
        """The value as JSON data in wire names, without absent fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def dump_json(self) -> str:
        """The value as one line of JSON."""
        return self.model_dump_json(by_alias=True, exclude_none=True)

    def but(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return self.model_copy(update=changes)


def cel(rule: str, message: str, *, field: str | None = None) -> dict[str, str]:
    """One `x-kubernetes-validations` entry; the API server puts the field before the message, which must
    tell the mend. `field` names a field below the one that carries the rule, as `.target.layout`."""
    entry = {"rule": rule, "message": message}
    return entry if field is None else {**entry, "fieldPath": field}


def immutable(rule: str = "self == oldSelf") -> dict[str, str]:
    """A transition rule on a field that is always there (required, or with a default)."""
    return {**cel(rule, "cannot be changed; create another ModelSync"), "reason": "FieldValueForbidden"}


def immutable_optional(field: str) -> dict[str, str]:
    """The same for an optional field; stands on its parent, since a rule on an absent field does not run."""
    new, old = f"self.{field}", f"oldSelf.{field}"
    rule = f"has({new}) == has({old}) && (!has({new}) || {new} == {old})"
    return {**immutable(rule), "fieldPath": f".{field}"}


def rules(*validations: dict[str, str], **more: Any) -> dict[str, Any]:
    """`json_schema_extra` with CEL rules (and further `x-kubernetes-…` keys)."""
    return {"x-kubernetes-validations": list(validations), **more}
