"""CEL rules as the CRD's `x-kubernetes-validations` carry them.

Apart from the base of all values, because a process's first lines read sizes that stand beside such rules,
and must not load pydantic for that.
"""

from typing import Any


def cel(rule: str, message: str, *, field: str | None = None) -> dict[str, str]:
    """One `x-kubernetes-validations` entry; the API server puts the field before the message, which must
    say how to fix it. `field` names a field below the one that carries the rule, as `.target.layout`."""
    entry = {"rule": rule, "message": message}
    return entry if field is None else {**entry, "fieldPath": field}


def literal(regex: str) -> str:
    """CEL: a regular expression as a string literal, so that Python and the API server read the same one."""
    return "'" + regex.replace("\\", "\\\\") + "'"


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
