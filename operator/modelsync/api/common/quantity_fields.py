"""Quantities of bytes as fields of the API: as text, or as the whole number that people and templates write
without quotes, as Kubernetes takes them in its own objects."""

from typing import Any

from pydantic import BeforeValidator, Field

from modelsync.api.common.quantity import parse_bytes
from modelsync.api.common.validations import cel, rules

MOST_CHARACTERS = 24
"""Of a quantity as text."""


def _as_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


AsText = BeforeValidator(_as_text)
"""Reads a whole number as the text of the same quantity."""


def at_least(least: str, message: str) -> Any:
    """The schema of a quantity of at least so much; the message says how to fix any other."""
    number = f"self >= {parse_bytes(least)}"
    text = f"size(self) <= {MOST_CHARACTERS} && isQuantity(self)"
    text += f" && !quantity(self).isLessThan(quantity('{least}'))"
    return Field(
        json_schema_extra={
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            **rules(cel(f"type(self) == int ? {number} : {text}", message)),
        }
    )
