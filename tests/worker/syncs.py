"""Builders for syncs from a test's origin: a source that lists what it is given, a run with small chunks."""

import hashlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from dev.origins.content import read
from dev.origins.files.web import WebOrigin
from modelsync.api import protocol
from modelsync.api.source import sources
from modelsync.api.source.transfer import Resolved, Verification
from modelsync.worker.attempt.pipeline import run
from modelsync.worker.common.model import Digest, FileSource, Listing, RemoteFile, Request
from modelsync.worker.common.rate_limiter import Limiter
from modelsync.worker.context import Context
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.state import State
from modelsync.worker.progress.throughput import Meter

CHUNK = 64 * 1024


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def listed(path: str, data: bytes, *, digest: bool = True) -> RemoteFile:
    digests = (Digest(algorithm="sha256", value=sha256(data)),) if digest else ()
    return RemoteFile(path=path, size=len(data), digests=digests, locator=path)


@dataclass
class ListSource:
    """A source that holds the given files at the given URL."""

    url: str
    files: list[RemoteFile]
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    def resolve(self, pinned: Resolved | None) -> Listing:
        return Listing(revision="r1", files=self.files)

    def request(self, file: RemoteFile) -> Request:
        self.asked += 1
        return Request(url=f"{self.url}/{file.locator}?signature={self.asked}", headers=self.headers)


@dataclass
class Sync:
    """One sync of all files of an origin into a directory; fields may be changed before `run`."""

    origin: WebOrigin
    volume: Path
    digests: bool = True
    uid: str = "uid-1"
    connections: int = 4
    max_retries: int = 3
    timeout: float = 5.0
    deadline: int = 60
    verification: Verification = Verification.CHECKSUM
    allow: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    resolved: Resolved | None = None
    expected_digest: str | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    state: State = field(default_factory=lambda: State(Meter()))
    limiter: Limiter = field(default_factory=Limiter)
    source: FileSource | None = None
    lock_wait: float = 0.0
    is_new: bool = False

    def list_source(self) -> ListSource:
        files = [
            listed(path, read(found.content), digest=self.digests)
            for path, found in sorted(self.origin.files.items())
        ]
        return ListSource(self.origin.url, files)

    def request(self) -> protocol.WorkRequest:
        return protocol.WorkRequest(
            uid=self.uid,
            namespace="team",
            name="llama",
            attempt=1,
            source=sources.Source(
                http=sources.HttpSource(files=(sources.HttpFile(url=f"{self.origin.url}/x", path="x"),))
            ),
            sub_path="model",
            allow_patterns=self.allow,
            ignore_patterns=self.ignore,
            verification=self.verification,
            resolved=self.resolved,
            expected_digest=self.expected_digest,
            progress_deadline_seconds=self.deadline,
            tuning=protocol.Tuning(
                connections=self.connections,
                chunk_bytes=CHUNK,
                max_retries=self.max_retries,
                timeout_seconds=self.timeout,
            ),
        )

    def run(self) -> protocol.Manifest:
        context = Context(
            request=self.request(),
            source=self.source or self.list_source(),
            network=Network(timeout_seconds=self.timeout, connections=self.connections),
            state=self.state,
            limiter=self.limiter,
            stop=self.stop,
            volume=self.volume,
            lock_wait_seconds=self.lock_wait,
            is_new_sync=self.is_new,
        )
        return run(context)

    def read(self, path: str) -> bytes:
        return (self.volume / "model" / path).read_bytes()

    def published(self) -> list[str]:
        return files_in(self.volume / "model")


def files_in(directory: Path) -> list[str]:
    """Paths of all files below, without modelsync's own directory."""
    paths = []
    for folder, folders, names in os.walk(directory):
        if Path(folder) == directory and ".modelsync" in folders:
            folders.remove(".modelsync")  # a worker that runs may be emptying it
        paths += [(Path(folder) / name).relative_to(directory).as_posix() for name in names]
    return sorted(paths)
