"""Faults of versions: the file is replaced, or another node of the origin holds another one."""

from dataclasses import dataclass
from typing import Self

from dev.origins.content import Content
from dev.origins.faults.altered import other
from dev.origins.faults.fault import Fault, Struck


@dataclass(frozen=True)
class Replace(Fault):
    """From now on the file is another one of the same size; `quiet`: under the same ETag."""

    etag: str | None = '"replaced"'
    """None for the one that it had."""
    content: Content | None = None
    """None for what differs in every block."""

    def _change(self, struck: Struck) -> None:
        found = struck.answer.found
        if found is None:
            return
        found.etag = found.tag if self.etag is None else self.etag
        found.stated, found.content = found.announced, self.content or other(found.content)
        struck.as_if(found)

    @classmethod
    def of(cls, value: str) -> Self:
        """The fault from "" or `quiet`."""
        if value not in ("", "quiet"):
            raise ValueError(f"replace={value}: give quiet or nothing")
        return cls(etag=None) if value else cls()

    @property
    def value(self) -> str:
        """`quiet` where the ETag stays."""
        return "quiet" if self.etag is None else ""


@dataclass(frozen=True)
class Old(Fault):
    """This answer comes from a node that holds other bytes, under an ETag of its own."""

    def _change(self, struck: Struck) -> None:
        if struck.answer.found is not None:
            struck.as_if(struck.answer.found, content=other(struck.answer.found.content), etag='"old"')


FAULTS: tuple[type[Fault], ...] = (Replace, Old)
