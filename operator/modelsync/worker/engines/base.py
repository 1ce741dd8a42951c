"""What fetches files: modelsync's own engine (`NativeEngine`), or a library in a process of its own.

All of them leave verified files in the staging directory and report how far they are; what is published, and
how, is the same for all (`pipeline`, `publisher`).
"""

import threading
from typing import Protocol

from modelsync.api.protocol import FileProgress
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Fetched
from modelsync.worker.engines.self_blocking import SelfBlocked


class DownloadEngine(Protocol):
    """Fetches and verifies files into a staging directory. One use: start, wait for `done`, end."""

    results: list[Fetched]
    """Files that are whole and right."""
    failure: Failure | None
    """Why it ended before all files were; set before `done`."""
    done: threading.Event

    def start(self) -> None:
        """Begin; returns at once."""

    def end(self, timeout: float = 2.0) -> None:
        """Stop whatever runs and keep what there is; raises nothing."""

    def amounts(self) -> tuple[int, int | None]:
        """Bytes that are there, and of all files; None while the size of one is unknown."""

    def active(self) -> list[FileProgress]:
        """The files being fetched, the oldest first."""

    def fetching(self) -> bool:
        """Whether bytes are still to come from the origin, rather than only to be hashed."""

    def stuck(self) -> SelfBlocked | None:
        """The error, when it waits for itself rather than for the origin; asked ten times a second."""
