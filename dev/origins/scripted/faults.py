"""What can go wrong with an answer, and when.

A fault is one word of text, so that it can stand in a URL and in a table: `cut@10%`, `status=503x4`,
`etag-swap@2`, `head:status=403x*`.

    [ROLE:]NAME[=VALUE][@POSITION%|@POSITIONb][@FIRST][xTIMES]

It strikes requests of its role (`data` when absent) for the path it was given for: with a position, those
whose range holds this offset of the file, else all; beginning with the FIRST such request, TIMES times
(once when absent, `*` for always).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from dev.origins.scripted import changes
from dev.origins.scripted.messages import Answer, Object, Request, Role

ALWAYS = 1 << 60
_FAULT = re.compile(
    r"(?:(?P<role>[a-z]+):)?(?P<name>[a-z][a-z-]*)(?:=(?P<value>.*?))?"
    r"(?:@(?P<position>\d+(?:\.\d+)?)(?P<unit>[%b]))?(?:@(?P<first>\d+))?(?:x(?P<times>\d+|\*))?"
)


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault, and how often it still strikes."""

    text: str
    role: Role
    change: Callable[[changes.Struck], None]
    value: str
    position: float | None
    relative: bool
    """Whether the position is a share of the file's size."""
    first: int
    times: int
    matched: int = 0
    struck: int = 0

    def offset(self, size: int) -> int | None:
        """The position in bytes."""
        if self.position is None:
            return None
        return min(int(self.position * size / 100), max(0, size - 1)) if self.relative else int(self.position)

    def strikes(self, role: Role, answer: Answer) -> bool:
        """Whether it strikes this answer; counts. The caller holds the origin's lock."""
        if role is not self.role:
            return False
        offset = self.offset(answer.content.size)
        if offset is not None and not answer.start <= offset < max(answer.end, answer.start + 1):
            return False
        self.matched += 1
        if self.matched < self.first or self.struck >= self.times:
            return False
        self.struck += 1
        return True

    def apply(
        self, answer: Answer, request: Request, found: Object | None, number: int, revoked: set[str]
    ) -> None:
        """Change the answer, and for some faults the object."""
        struck = changes.Struck(
            answer=answer,
            request=request,
            found=found,
            value=self.value,
            offset=self.offset(answer.content.size),
            number=number,
            revoked=revoked,
        )
        self.change(struck)


def parse(text: str) -> Fault:
    """A fault from its text; raises ValueError."""
    found = _FAULT.fullmatch(text)
    if found is None or found["name"] not in changes.BY_NAME:
        raise ValueError(f"no such fault: {text}")
    times = found["times"]
    return Fault(
        text=text,
        role=Role(found["role"] or "data"),
        change=changes.BY_NAME[found["name"]],
        value=unquote(found["value"] or ""),
        position=float(found["position"]) if found["position"] else None,
        relative=found["unit"] == "%",
        first=int(found["first"] or 1),
        times=ALWAYS if times == "*" else int(times or 1),
    )
