"""The types of the configuration's fields: each reads what a document holds and describes it for a schema.

A reader gets the value as JSON has it and returns the value, or raises ValueError with how to fix it; the
path of the field is put before that in `config_file`. Bounds stand here once: the reader and the schema have
the same.
"""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from modelsync.api.common import quantity, size_limits
from modelsync.api.worker_pod import pod_security
from modelsync.settings import parsers

Block = ipaddress.IPv4Network | ipaddress.IPv6Network
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = r"^([0-9]+(\.[0-9]+)?(ms|h|m|s))+$"
_QUANTITY = r"^[0-9]+(\.[0-9]+)?([eE][0-9]+|[A-Za-z]*)$"
_IDS = r"^[1-9][0-9]{0,9}(-[1-9][0-9]{0,9})?$"
_OBJECT_NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
_SERVICE_ACCOUNT = r"^(system:serviceaccount:[a-z0-9-]{1,63}:[a-z0-9.-]{1,253})?$"
IMAGE_RULE = "is needed; name the image that workers run, such as localhost/modelsync:dev"
_RESOURCES = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True, slots=True)
class FieldType:
    """How one field is read, as metadata of its annotation."""

    read: Callable[[Any], Any]
    schema: Mapping[str, Any]
    """The same for those who check a document before the operator does."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.schema)


def default(value: Any) -> Any:
    """A default as a document would write it, read like one."""
    return Field(default=value, validate_default=True)


def duration(low: str, high: str) -> FieldType:
    """Seconds, written as Kubernetes and Go do: 500ms, 15s, 1m30s."""

    def read(given: Any) -> float:
        if not isinstance(given, str) or not re.match(_DURATION, given):
            raise ValueError("must be a duration with a unit (ms, s, m or h), such as 15s or 1m30s")
        seconds = _seconds(given)
        if not _seconds(low) <= seconds <= _seconds(high):
            raise ValueError(f"must be a duration from {low} to {high}")
        return seconds

    return FieldType(read, {"type": "string", "pattern": _DURATION})


def _seconds(text: str) -> float:
    parts = re.findall(r"([0-9.]+)(ms|h|m|s)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def number(low: float, high: float) -> FieldType:
    """A number within bounds."""

    def read(given: Any) -> float:
        if isinstance(given, bool) or not isinstance(given, int | float) or not low <= given <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return float(given)

    return FieldType(read, {"type": "number", "minimum": low, "maximum": high})


def whole(low: int, high: int) -> FieldType:
    """A whole number within bounds."""

    def read(given: Any) -> int:
        number = not isinstance(given, bool) and isinstance(given, int | float)
        if not number or not math.isfinite(given) or int(given) != given or not low <= given <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(given)

    return FieldType(read, {"type": "integer", "minimum": low, "maximum": high})


def byte_count(low: str, high: str) -> FieldType:
    """A quantity of bytes, such as 8Mi, or their number."""

    def read(given: Any) -> int:
        try:
            value = quantity.parse_bytes(_quantity(given))
        except ValueError:
            value = -1
        if not quantity.parse_bytes(low) <= value <= quantity.parse_bytes(high):
            raise ValueError(f"must be a quantity of bytes from {low} to {high}, such as 8Mi")
        return value

    return FieldType(read, {"type": ["string", "integer"], "pattern": _QUANTITY})


def quantities() -> FieldType:
    """Quantities of cpu, memory and ephemeral-storage, as text."""

    def read(given: Any) -> dict[str, str]:
        try:
            found = {name: _quantity(value) for name, value in given.items()}
            least = min((quantity.parse(each) for each in found.values()), default=0)
            if least < 0 or not found.keys() <= set(_RESOURCES):
                raise ValueError(found)
            return found
        except (ValueError, AttributeError) as error:
            raise ValueError(
                f"must be quantities of {', '.join(_RESOURCES)}, such as cpu: 500m and memory: 512Mi"
            ) from error

    each = {"type": ["string", "number"], "pattern": _QUANTITY}
    return FieldType(
        read,
        {"type": "object", "propertyNames": {"enum": list(_RESOURCES)}, "additionalProperties": each},
    )


def _quantity(given: Any) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise ValueError(given)
    return str(given)


def text(read: Callable[[str], str], pattern: str | None = None) -> FieldType:
    """A text with a reader of its own; "" says none."""

    def checked(given: Any) -> str | None:
        if not isinstance(given, str):
            raise ValueError("must be text; put it in quotes")
        return read(given) if given else None

    return FieldType(checked, {"type": "string"} | ({"pattern": pattern} if pattern else {}))


def url() -> FieldType:
    """A base URL."""

    def read(given: Any) -> str:
        return parsers.url(given if isinstance(given, str) else "")

    return FieldType(read, {"type": "string", "pattern": "^https?://[^/?#@]+(/[^?#@]*)?$"})


def service_account() -> FieldType:
    """The user name of a ServiceAccount; empty for none."""

    def read(given: Any) -> str | None:
        if not isinstance(given, str) or not re.match(_SERVICE_ACCOUNT, given):
            raise ValueError(
                "must be a ServiceAccount's user name, such as"
                " system:serviceaccount:modelsync-system:modelsync-web"
            )
        return given or None

    return FieldType(read, {"type": "string", "pattern": _SERVICE_ACCOUNT})


def proxy() -> FieldType:
    """The address of a proxy; without a password, since it stands in every worker's Job."""
    return text(parsers.proxy, "^(https?://)?[^/?#@ ]*/?$")


def image() -> FieldType:
    """The reference of an image, which must be there."""

    def read(given: Any) -> str:
        if not isinstance(given, str) or not given or re.search(r"\s", given):
            raise ValueError(IMAGE_RULE)
        return given

    return FieldType(read, {"type": "string"})


def object_name() -> FieldType:
    """The name of a Kubernetes object; "" says none."""
    schema = {"type": "string", "maxLength": 253, "pattern": f"^$|{_OBJECT_NAME}"}
    return FieldType(text(parsers.object_name).read, schema)


def object_names() -> FieldType:
    """Names of Kubernetes objects."""
    each = {"type": "string", "maxLength": 253, "pattern": _OBJECT_NAME}
    return _list(parsers.object_name, each)


def hosts() -> FieldType:
    """Hosts that are reached without a proxy."""

    def host(given: str) -> str:
        if not re.fullmatch(r"[^\s,]+", given):
            raise ValueError("must be hosts such as .svc or 10.0.0.0/8, one an entry")
        return given

    return _list(host, {"type": "string", "pattern": r"^[^\s,]+$"})


def blocks() -> FieldType:
    """CIDR blocks."""

    def read(given: Any) -> tuple[Block, ...]:
        return parsers.blocks(",".join(_texts(given)))

    each = {"type": "string", "pattern": "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"}
    most = size_limits.MOST_BLOCKS_TEXT // 2
    return FieldType(read, {"type": "array", "items": each, "maxItems": most})


def ids() -> FieldType:
    """Ranges of uids and gids, as their first and last."""

    def read(given: Any) -> tuple[tuple[int, int], ...]:
        if not isinstance(given, list) or not given:
            raise ValueError('must be a list of ids or ranges of them, such as ["1000", "65532-65540"]')
        return tuple(_range(each) for each in given)

    each = {"type": ["string", "integer"], "pattern": _IDS, "minimum": 1, "maximum": pod_security.MOST_ID}
    return FieldType(read, {"type": "array", "minItems": 1, "items": each})


def _range(given: Any) -> tuple[int, int]:
    match = re.match(_IDS, "" if isinstance(given, bool) else str(given))
    first, _, last = match[0].partition("-") if match else ("0", "", "0")
    if not 1 <= int(first) <= int(last or first) <= pod_security.MOST_ID:
        raise ValueError(
            f"must be ids or ranges from 1 to {pod_security.MOST_ID}, such as 1000660000-1000669999; never 0"
        )
    return int(first), int(last or first)


def some_of(*words: str) -> FieldType:
    """Some of a few words; at least one."""

    def read(given: Any) -> tuple[str, ...]:
        if not isinstance(given, list) or not given or not all(each in words for each in given):
            raise ValueError(f"must be a list of some of {', '.join(words)}")
        return tuple(dict.fromkeys(given))

    items = {"enum": list(words)}
    return FieldType(read, {"type": "array", "minItems": 1, "uniqueItems": True, "items": items})


def _list(read: Callable[[str], str], each: Mapping[str, Any]) -> FieldType:
    def checked(given: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys(read(entry) for entry in _texts(given)))

    return FieldType(checked, {"type": "array", "items": dict(each)})


def _texts(given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(entry, str) for entry in given):
        raise ValueError("must be a list of texts")
    return given
