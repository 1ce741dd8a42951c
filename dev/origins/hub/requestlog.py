"""What was asked and how many bytes went out: the record that tests compare a client's own figures with."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request; `status` and `sent` grow while it is answered."""

    time: float
    """Unix time of arrival, in seconds."""
    server: str
    """`hub`, `cdn` or `cas`."""
    method: str
    path: str
    """Path of the URL, without the query, which may hold a signature."""
    file: str | None
    """Path in the repository, for requests of a file."""
    range: str | None
    authorization: bool
    """Whether an Authorization header was given (its value is never kept)."""
    user_agent: str | None = None
    status: int = 0
    sent: int = 0
    """Bytes of file content handed to the socket."""
    seconds: float | None = None
    """Duration, or None while it runs."""


class RequestLog:
    """All requests in the order of arrival; safe to read from any thread."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        """Append a request."""
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._entries.clear()

    def entries(
        self, *, file: str | None = None, server: str | None = None, method: str | None = None
    ) -> list[Entry]:
        """Requests so far, narrowed to a file of a repository, a server or a method."""
        with self._lock:
            found: Iterable[Entry] = list(self._entries)
        return [
            entry
            for entry in found
            if file in (None, entry.file)
            and server in (None, entry.server)
            and method in (None, entry.method)
        ]

    def bytes_sent(self, path: str | None = None) -> int:
        """Bytes of content sent so far, of one file of a repository or of all."""
        return sum(entry.sent for entry in self.entries(file=path))
