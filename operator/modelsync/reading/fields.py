"""Reading objects of any version: a field that is missing, of another type or out of bounds is unknown.

A screen shows thousands of objects, and one that an older or newer operator wrote must not take it away. So
nothing here raises, and every text is one printable line of bounded length.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from modelsync.api.common import untrusted

_NOTHING: Mapping[str, Any] = {}
_MOST = 1024


class Fields:
    """The fields of a JSON object."""

    __slots__ = ("_data",)

    def __init__(self, data: object) -> None:
        self._data: Mapping[str, Any] = data if isinstance(data, Mapping) else _NOTHING

    def __bool__(self) -> bool:
        return bool(self._data)

    def names(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(name for name in self._data if isinstance(name, str))

    def of(self, *names: str) -> "Fields":
        """The object in a field, or in a field of that; empty where it is none."""
        data: object = self._data
        for name in names:
            data = data.get(name) if isinstance(data, Mapping) else None
        return Fields(data)

    def each(self, name: str, most: int = 1000) -> Iterator["Fields"]:
        """The objects of a list."""
        found = self._data.get(name)
        for one in found[:most] if isinstance(found, list | tuple) else ():
            if isinstance(one, Mapping):
                yield Fields(one)

    def texts(self, name: str, most: int = 1000) -> tuple[str, ...]:
        """The texts of a list."""
        found = self._data.get(name)
        listed = found[:most] if isinstance(found, list | tuple) else ()
        return tuple(untrusted.clean(one, _MOST) for one in listed if isinstance(one, str))

    def text(self, name: str, most: int = _MOST) -> str | None:
        """A text that is not empty, as one printable line."""
        found = self._data.get(name)
        return untrusted.clean(found, most) if isinstance(found, str) and found else None

    def quantity(self, name: str) -> str | None:
        """A quantity, which may be a text or a number."""
        found = self._data.get(name)
        return str(found) if type(found) is int and abs(found) <= untrusted.MAX_COUNT else self.text(name, 30)

    def count(self, name: str) -> int | None:
        """A whole number from 0 to `untrusted.MAX_COUNT`."""
        found = self.number(name)
        return found if found is not None and found >= 0 else None

    def number(self, name: str) -> int | None:
        """A whole number."""
        found = self._data.get(name)
        return found if type(found) is int and abs(found) <= untrusted.MAX_COUNT else None

    def flag(self, name: str) -> bool:
        """Whether a field is true."""
        return self._data.get(name) is True

    def time(self, name: str) -> datetime | None:
        """A time with its zone, or one of UTC."""
        found = self._data.get(name)
        if isinstance(found, str):
            try:
                found = datetime.fromisoformat(found[:40])
            except ValueError:
                return None
        if not isinstance(found, datetime) or not untrusted.is_sane(found):
            return None
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def seconds_since(then: datetime | None, now: datetime) -> int | None:
    """Whole seconds since a time; 0 where a clock is ahead, None where the time is unknown."""
    return None if then is None else max(0, int((now - then).total_seconds()))
