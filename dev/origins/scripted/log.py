"""The record of requests: what judges a client, rather than the client's own word."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from dev.origins.scripted.messages import Request, Role


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request and what became of it."""

    number: int
    request: Request
    role: Role
    path: str
    """Of the object; empty where there is none."""
    status: int = 0
    span: tuple[int, int] = (0, 0)
    """The bytes of the file that the answer carries."""
    sent: int = 0
    """Bytes of body that went out."""
    faults: list[str] = field(default_factory=list)
    time: float = field(default_factory=time.monotonic)
    """When it came, by the monotonic clock."""

    @property
    def authorization(self) -> str:
        """The credentials that came along."""
        return self.request.headers.get("authorization", "")


class Log:
    """All requests in their order. Thread-safe."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def add(self, request: Request, role: Role, path: str) -> Entry:
        """Record a request."""
        with self._lock:
            entry = Entry(number=len(self._entries) + 1, request=request, role=role, path=path)
            self._entries.append(entry)
        return entry

    def __iter__(self) -> Iterator[Entry]:
        with self._lock:
            return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def of(self, role: Role | None = Role.DATA, path: str | None = None) -> list[Entry]:
        """The requests of a role, or of one path."""
        return [each for each in self if role in (None, each.role) and path in (None, each.path)]

    def sent(self, path: str | None = None) -> int:
        """Bytes of files that went out."""
        return sum(each.sent for each in self.of(Role.DATA, path))

    def struck(self) -> int:
        """How many answers a fault changed."""
        return sum(bool(each.faults) for each in self)

    def heard(self, secret: str) -> list[Entry]:
        """The requests that a secret came along with, in target or headers."""
        return [
            each
            for each in self
            if secret in each.request.target
            or any(secret in value for value in each.request.headers.values())
        ]
