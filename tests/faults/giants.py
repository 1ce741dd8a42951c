"""An origin and a worker for what is too large to exist: a hundred thousand files, a file of a terabyte.

    python -m tests.faults.giants JOB     the worker; JOB is JSON

The large file is zeros from end to end. The origin sends the holes of a sparse file; the worker writes what
comes, as always, and behind each write the blocks are given back (a punched hole reads as the same zeros). So
offsets, requests, journal, hashes and memory are those of a terabyte; disk space alone is left out, and the
volume says that it has enough.
"""

import contextlib
import ctypes
import hashlib
import http.server
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from modelsync.api import protocol
from modelsync.worker.attempt.process import Attempt, PodInterface
from modelsync.worker.common.model import Digest, Listing, RemoteFile, Request
from modelsync.worker.http.connector import Network
from modelsync.worker.storage.safe_directory import Tree
from modelsync.worker.storage.staging import Staging, key_of
from tests.faults import operations
from tests.faults.operations import Operation

TERABYTE = 10**12
LARGE = "model.bin"
ETAG = "one"


def small(number: int) -> tuple[str, bytes]:
    """Path and content of one of many files: up to a KiB, a hundred in a directory."""
    content = hashlib.sha256(b"%d" % number).digest() * (number % 32)
    return f"shards/{number // 100:04}/{number:06}.json", content


class Source:
    """Lists many small files, or the large one; a stream, never a list."""

    def __init__(self, url: str, files: int) -> None:
        self._url, self._files = url, files

    def resolve(self, pinned: object) -> Listing:
        """The listing."""
        return Listing(revision="r1", files=self._many() if self._files else [large()])

    def _many(self) -> Iterator[RemoteFile]:
        for number in range(self._files):
            path, content = small(number)
            digest = Digest(algorithm="sha256", value=hashlib.sha256(content).hexdigest())
            yield RemoteFile(path=path, size=len(content), digests=(digest,), locator=str(number))

    def request(self, file: RemoteFile) -> Request:
        """A GET of it."""
        return Request(url=f"{self._url}/{file.locator}")


def large() -> RemoteFile:
    """The large file; no checksum is known of it."""
    return RemoteFile(path=LARGE, size=TERABYTE, etag=ETAG, locator=LARGE)


class Origin(http.server.ThreadingHTTPServer):
    """Serves both; `sent` counts the bytes of bodies."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, sparse: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.sent = 0
        self.lock = threading.Lock()
        with sparse.open("wb") as file:
            file.truncate(TERABYTE)
        self.zeros = os.open(sparse, os.O_RDONLY)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A worker that is killed resets its connections."""

    @contextlib.contextmanager
    def serving(self) -> Iterator["Origin"]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()
            os.close(self.zeros)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Origin
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        if name != LARGE:
            content = small(int(name))[1]
            self._head(200, len(content))
            self.wfile.write(content)
            return
        first, _, last = (self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")
        start, end = int(first), int(last) + 1 if last else TERABYTE
        whole = "Range" not in self.headers
        self._head(200 if whole else 206, end - start, "" if whole else f"bytes {start}-{end - 1}/{TERABYTE}")
        while start < end:
            count = os.sendfile(self.connection.fileno(), self.server.zeros, start, min(end - start, 1 << 20))
            start += count
            with self.server.lock:
                self.server.sent += count

    def _head(self, status: int, length: int, span: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", f'"{ETAG}"')
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


_PUNCH_HOLE = 0x03
"""FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE of fallocate(2)."""


class _Sparse:
    """Gives blocks back behind each write, and dies at one of them."""

    def __init__(self, kill_at: int) -> None:
        self._kill_at = kill_at
        self._library = ctypes.CDLL(None, use_errno=True)

    def __call__(self, operation: Operation, act: Callable[[], Any]) -> Any:
        """Make the call; reserving space is what this volume does not know."""
        if operation.name == "fallocate":
            raise OSError(95, "no space is reserved here")
        if operation.name == "pwrite" and operation.nth == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        result = act()
        if operation.name == "pwrite":
            span = ctypes.c_longlong(operation.offset), ctypes.c_longlong(len(operation.data))
            self._library.fallocate(operation.descriptor, _PUNCH_HOLE, *span)
        return result


def missing_only(volume: Path, sub_path: str, uid: str, gap: tuple[int, int]) -> None:
    """Leave what a worker leaves that was killed when all but one range was there and synced."""
    with Tree.open(volume, sub_path) as target:
        staging = Staging(target, uid, stop=threading.Event(), wait_seconds=0)
        key = key_of(large())
        path = f"{key}.0"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, dir_fd=staging.directory.descriptor)
        os.ftruncate(descriptor, TERABYTE)
        os.close(descriptor)
        staging.journal.file(key, generation=0, size=TERABYTE, validator=f"etag:{ETAG}")
        for start, end in ((0, gap[0]), (gap[1], TERABYTE)):
            if start < end:
                staging.journal.ranges([(key, 0, start, end)])
        staging.close()


def main() -> None:
    """The worker."""
    job = json.loads(sys.argv[1])
    if not job["files"]:
        space = os.statvfs_result((4096, 4096, 1 << 40, 1 << 40, 1 << 40, 1 << 30, 1 << 30, 1 << 30, 0, 255))
        os.fstatvfs = lambda _descriptor: space
        operations.install(_Sparse(job["kill_at"]))
    request = protocol.WorkRequest.model_validate_json(job["request"])
    pod = PodInterface(volume=Path(job["volume"]), termination_log=Path(job["termination"]), port=0, key="")
    network = Network(timeout_seconds=30, connections=request.tuning.connections)
    os._exit(Attempt(request, pod, threading.Event()).run(Source(job["url"], job["files"]), network))


if __name__ == "__main__":
    main()
