"""The record of requests: what judges a client, rather than the client's own word."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from dev.origins.serving.messages import Request, Role


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request and what became of it; `status`, `sent` and `seconds` change while it is answered."""

    number: int
    request: Request
    role: Role
    path: str
    """Of the file in its repository or bucket; empty where the request is about none."""
    listener: str
    """Which server of the origin was asked, such as `hub` or `cdn`."""
    status: int = 0
    span: tuple[int, int] = (0, 0)
    """The bytes of the file that the answer carries."""
    sent: int = 0
    """Bytes of the file that went out; those that are being sent count already, errors do not."""
    faults: list[str] = field(default_factory=list)
    """The faults that changed the answer, as text."""
    time: float = field(default_factory=time.monotonic)
    """When it came, by the monotonic clock."""
    seconds: float | None = None
    """Duration, or None while it runs."""

    @property
    def authorization(self) -> str:
        """The credentials that came along."""
        return self.request.headers.get("authorization", "")


class Log:
    """All requests in their order. Thread-safe."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._count = 0
        self._lock = threading.Lock()

    def add(self, request: Request, role: Role, path: str, listener: str) -> Entry:
        """Record a request."""
        with self._lock:
            self._count += 1
            entry = Entry(number=self._count, request=request, role=role, path=path, listener=listener)
            self._entries.append(entry)
        return entry

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._entries.clear()

    def __iter__(self) -> Iterator[Entry]:
        with self._lock:
            return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def entries(
        self,
        *,
        role: Role | None = None,
        path: str | None = None,
        listener: str | None = None,
        method: str | None = None,
    ) -> list[Entry]:
        """Requests so far, narrowed to a role, a file, a listener or a method."""
        return [
            each
            for each in self
            if role in (None, each.role)
            and path in (None, each.path)
            and listener in (None, each.listener)
            and method in (None, each.request.method)
        ]

    def sent(self, path: str | None = None) -> int:
        """Bytes of files that went out, of one file or of all."""
        return sum(each.sent for each in self.entries(role=Role.DATA, path=path))

    def struck(self) -> int:
        """How many answers a fault changed."""
        return sum(bool(each.faults) for each in self)

    def heard(self, secret: str) -> list[Entry]:
        """The requests that carried a secret, in target or headers."""
        return [
            each
            for each in self
            if secret in each.request.target
            or any(secret in value for value in each.request.headers.values())
        ]
