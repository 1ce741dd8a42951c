"""What a fault is: a value with one name, which changes an answer.

The name is the class's, in text with hyphens: `IdleClose` is `idle-close`. Its first field is what stands
behind `=`.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self
from urllib.parse import quote

from dev.origins.content import Content
from dev.origins.serving.log import Entry
from dev.origins.serving.messages import Answer, Object, Request
from dev.origins.serving.ranges import file_answer

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """What a fault has at hand."""

    answer: Answer
    request: Request
    entry: Entry
    offset: int | None
    """The position in the file at which the rule puts the fault, in bytes."""
    revoked: set[str]
    """Signatures of URLs that are not accepted any more."""

    def after(self, own: int) -> int:
        """Bytes of body before the fault: from the rule's position, else the fault's own number."""
        return own if self.offset is None else self.offset - self.answer.start

    def as_if(self, found: Object, *, content: Content | None = None, etag: str | None = None) -> None:
        """Answer as an origin does that holds this file, or one with other content and another ETag."""
        same = content is None and etag is None
        held = Object(content=content or found.content, etag=etag or found.tag)
        held.modified = found.modified if same else ""
        answer, made = self.answer, file_answer(held, self.request, self.answer.form)
        answer.headers = {**answer.headers, "Content-Range": "", **made.headers}
        answer.status, answer.content = made.status, made.content
        answer.start, answer.end = made.start, made.end


@dataclass(frozen=True)
class Fault:
    """The base of all faults; each is a frozen value."""

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        """Name the fault after its class."""
        cls.name = _WORD.sub("-", cls.__name__).lower()

    def change(self, struck: Struck) -> None:
        """Change the answer, and for some faults the file."""
        self._change(struck)

    def _change(self, struck: Struck) -> None:
        raise NotImplementedError

    @classmethod
    def of(cls, value: str) -> Self:
        """The fault from the text behind `=`; raises ValueError."""
        fields = dataclasses.fields(cls)
        if not value:
            return cls()
        if not fields:
            raise ValueError(f"{cls.name} takes no value")
        kind = fields[0].type
        first: dict[str, Any] = {fields[0].name: kind(value) if kind in (int, float) else value}
        return cls(**first)

    @property
    def value(self) -> str:
        """The text behind `=`; empty for the default."""
        fields = dataclasses.fields(self)
        if not fields:
            return ""
        value = getattr(self, fields[0].name)
        return "" if value == fields[0].default else str(value)

    def __str__(self) -> str:
        """The fault as text; `@` and `%`, which would begin a position, are quoted."""
        value = self.value
        return self.name + (f"={quote(value, safe=''.join(_PLAIN))}" if value else "")


_PLAIN = [chr(code) for code in range(0x20, 0x7F) if chr(code) not in "@%+/"] + ["/"]


def refuse(answer: Answer, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """An error in place of the answer."""
    answer.headers = {"Content-Type": "application/xml", **headers}
    answer.replace_body(body, status)
