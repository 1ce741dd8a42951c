"""Faults of the connection: it ends, falls silent, or is slow."""

from dataclasses import dataclass

from dev.origins.faults.fault import Fault, Struck
from dev.origins.serving.messages import Ending


@dataclass(frozen=True)
class Cut(Fault):
    """The connection ends after so many bytes of body; over TLS without a close_notify."""

    after: int = 0

    def _change(self, struck: Struck) -> None:
        struck.answer.cut_after, struck.answer.ending = struck.after(self.after), Ending.CLOSE


@dataclass(frozen=True)
class Reset(Fault):
    """The connection ends with a TCP reset after so many bytes of body."""

    after: int = 0

    def _change(self, struck: Struck) -> None:
        struck.answer.cut_after, struck.answer.ending = struck.after(self.after), Ending.RESET


@dataclass(frozen=True)
class Drop(Fault):
    """The connection ends without an answer, as an idle one that is used again just as its server ends it."""

    def _change(self, struck: Struck) -> None:
        struck.answer.lines, struck.answer.cut_after, struck.answer.ending = b"", 0, Ending.CLOSE


@dataclass(frozen=True)
class IdleClose(Fault):
    """A whole answer that promises to keep the connection, which then ends."""

    def _change(self, struck: Struck) -> None:
        struck.answer.ending = Ending.CLOSE


@dataclass(frozen=True)
class Stall(Fault):
    """Nothing comes after so many bytes of body, until faults are cleared; the connection stays open."""

    after: int = 0

    def _change(self, struck: Struck) -> None:
        struck.answer.stall_after = struck.after(self.after)


@dataclass(frozen=True)
class Silent(Fault):
    """Not even a head comes, until faults are cleared; the connection stays open."""

    def _change(self, struck: Struck) -> None:
        struck.answer.stall_after = -1


@dataclass(frozen=True)
class Late(Fault):
    """The answer begins so many seconds later."""

    seconds: float = 1.0

    def _change(self, struck: Struck) -> None:
        struck.answer.begins_after = self.seconds


@dataclass(frozen=True)
class Slow(Fault):
    """The body comes at so many bytes per second."""

    rate: float = 1000.0

    def _change(self, struck: Struck) -> None:
        struck.answer.bytes_per_second = self.rate


@dataclass(frozen=True)
class SlowHead(Fault):
    """Status line and headers come byte by byte, so many a second."""

    rate: float = 10.0

    def _change(self, struck: Struck) -> None:
        struck.answer.head_bytes_per_second = self.rate


FAULTS: tuple[type[Fault], ...] = (Cut, Reset, Drop, IdleClose, Stall, Silent, Late, Slow, SlowHead)
