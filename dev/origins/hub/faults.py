"""Faults that a test or an operator of the server asks for, one class each.

Two families: a `Refusal` answers in place of the server; an `Alteration` changes how a file is sent. A
new fault is a new class in `KINDS` and nothing else.
"""

import dataclasses
import fnmatch
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dev.origins.hub.content import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How a file is about to be sent."""

    content: Content
    etag: str
    """Value without quotes."""
    honour_range: bool = True
    cut_after: int | None = None
    """Bytes of this answer after which the connection ends."""
    reset: bool = False
    """Whether it ends with a TCP reset in place of an orderly close."""
    stall_after: int | None = None
    """Bytes of this answer after which nothing comes until `stalled` says no."""
    stalled: Callable[[], bool] = lambda: False


@dataclass(kw_only=True)
class Fault:
    """What all faults share: where, and how often."""

    path: str = "*"
    """Pattern (fnmatch) of the file's path in its repository, or of the URL's path for other requests."""
    server: str | None = None
    """`hub`, `cdn` or `cas`; None for all."""
    times: int | None = None
    """How often it strikes; None until it is removed."""

    def applies(self, server: str, path: str) -> bool:
        """Whether it strikes this request."""
        here = self.server in (None, server) and self.times != 0
        return here and fnmatch.fnmatchcase(path, self.path)


class Alteration(Fault):
    """A fault in how a file is sent."""

    def alter(self, sending: Sending) -> Sending:
        """Return how to send it instead."""
        raise NotImplementedError


@dataclass(kw_only=True)
class Refuse(Fault):
    """Answer with an error: 429 or 503 with Retry-After, 403, 500."""

    status: int = 503
    retry_after: str | None = None
    """Seconds or an HTTP date, sent as it is."""


@dataclass(kw_only=True)
class Cut(Alteration):
    """End the connection after some bytes of an answer."""

    after: int = 0
    reset: bool = False

    def alter(self, sending: Sending) -> Sending:
        """Set the cut."""
        return dataclasses.replace(sending, cut_after=self.after, reset=self.reset)


@dataclass(kw_only=True)
class Stall(Alteration):
    """Fall silent after some bytes of an answer, the connection open, until all faults are cleared."""

    after: int = 0
    cleared = False  # no field: it is not for JSON

    def alter(self, sending: Sending) -> Sending:
        """Set the stall."""
        return dataclasses.replace(sending, stall_after=self.after, stalled=lambda: not self.cleared)


@dataclass(kw_only=True)
class Swap(Alteration):
    """Send other bytes of the same size under the same ETag: what a broken cache does."""

    mask: int = 0xFF
    """Every byte is combined with it by XOR, from `start` on."""
    start: int = 0

    def alter(self, sending: Sending) -> Sending:
        """Replace the content."""
        return dataclasses.replace(sending, content=Masked(sending.content, self.mask, self.start))


@dataclass(kw_only=True)
class ChangeETag(Alteration):
    """Send another ETag: the object was replaced; together with `Swap`, by other bytes."""

    etag: str = "changed"

    def alter(self, sending: Sending) -> Sending:
        """Replace the ETag."""
        return dataclasses.replace(sending, etag=self.etag)


@dataclass(kw_only=True)
class IgnoreRange(Alteration):
    """Answer 200 with the whole file to a request of a range."""

    def alter(self, sending: Sending) -> Sending:
        """Do not honour ranges."""
        return dataclasses.replace(sending, honour_range=False)


@dataclass(frozen=True, slots=True)
class Masked:
    """Content with every byte from `start` on changed by XOR."""

    original: Content
    mask: int
    start: int

    @property
    def size(self) -> int:
        """The original's size."""
        return self.original.size

    def read(self, offset: int, length: int) -> bytes:
        """Read the original and change it."""
        data = self.original.read(offset, length)
        kept = min(len(data), max(0, self.start - offset))
        table = bytes(value ^ self.mask for value in range(256))
        return data[:kept] + data[kept:].translate(table)


KINDS: dict[str, type[Fault]] = {
    kind.__name__: kind for kind in (Refuse, Cut, Stall, Swap, ChangeETag, IgnoreRange)
}


class Faults:
    """The faults in force; safe to change from any thread."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._stalls: list[Fault] = []
        """Stalls that strike no more, and still hold answers."""
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Put a fault in force, after those that are."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """End all faults."""
        with self._lock:
            for fault in [*self._faults, *self._stalls]:
                if isinstance(fault, Stall):
                    fault.cleared = True
            self._faults.clear()
            self._stalls.clear()

    def refusal(self, server: str, path: str) -> Refuse | None:
        """The first refusal that strikes this request, counted as struck."""
        return next(
            (fault for fault in self._strike(server, path, Refuse, 1) if isinstance(fault, Refuse)), None
        )

    def alter(self, server: str, path: str, sending: Sending) -> Sending:
        """Let all alterations that strike work on a sending, in the order in which they were added."""
        for fault in self._strike(server, path, Alteration):
            if isinstance(fault, Alteration):
                sending = fault.alter(sending)
        return sending

    def _strike(
        self, server: str, path: str, family: type[Fault], limit: int | None = None
    ) -> Iterable[Fault]:
        with self._lock:
            found = [f for f in self._faults if isinstance(f, family) and f.applies(server, path)][:limit]
            for fault in found:
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self._stalls.append(fault)
            self._faults = [fault for fault in self._faults if fault.times != 0]
            return found

    def as_json(self) -> list[dict[str, Any]]:
        """All faults in force, as `from_json` takes them."""
        with self._lock:
            return [{"kind": type(fault).__name__, **dataclasses.asdict(fault)} for fault in self._faults]


def from_json(document: dict[str, Any]) -> Fault:
    """Make a fault of a document such as `{"kind": "Cut", "path": "*.bin", "after": 1000, "times": 3}`.

    Raises ValueError with the fix.
    """
    fields = dict(document)
    kind = KINDS.get(str(fields.pop("kind", "")))
    if kind is None:
        raise ValueError(f"kind: give one of {', '.join(KINDS)}")
    try:
        return kind(**fields)
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from None
