"""An HTTP server whose every answer can be made wrong: the origin of the engine's tests.

Threads and blocking sockets, so that a test sees exactly what was sent before a fault struck. Content is held
in memory; the log tells for each request what was asked and how many bytes of body went out.
"""

import contextlib
import hashlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_BLOCK = 64 * 1024


def noise(size: int, seed: str = "noise") -> bytes:
    """Bytes that look random and are the same each time."""
    return hashlib.shake_128(seed.encode()).digest(size)


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with an answer. Only what is set differs from a good answer."""

    path: str = ""
    """Path that it strikes; all when empty."""
    times: int = 1
    least_start: int = 0
    """Strikes requests from this offset on only."""
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    """Set over those of the answer; an empty value removes one."""
    cut_after: int | None = None
    """Bytes of body after which the connection ends."""
    ignore_range: bool = False
    flip: int | None = None
    """Offset in the file of a byte that is sent with one bit changed."""
    stall: threading.Event | None = None
    """Send nothing of the body until this is set."""
    extra: bytes = b""
    """Sent after the body."""
    replace: "Object | None" = None
    """Put another object in place before answering."""


@dataclass(kw_only=True)
class Object:
    """A file of the origin."""

    data: bytes
    etag: str | None = '"one"'
    modified: str | None = None


@dataclass(kw_only=True)
class Asked:
    """One request, as it was seen."""

    path: str
    range: str | None
    headers: dict[str, str]
    sent: int = 0


class Origin:
    """The server: put objects into `files` and faults into `faults`."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = {f"/{path}": Object(data=data) for path, data in (files or {}).items()}
        self.faults: list[Fault] = []
        self.log: list[Asked] = []
        self.block_seconds = 0.0
        """Pause after each 64 KiB of every answer."""
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.origin = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def sent(self, path: str | None = None) -> int:
        """Bytes of body that went out."""
        return sum(asked.sent for asked in self.log if path in (None, asked.path.lstrip("/")))

    def strike(self, path: str, start: int) -> Fault | None:
        """The fault for this request, used up once."""
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.path in ("", path.lstrip("/")) and start >= fault.least_start:
                    fault.times -= 1
                    return fault
        return None

    @contextlib.contextmanager
    def serving(self) -> Iterator["Origin"]:
        """Serve until the block ends."""
        thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()
        try:
            yield self
        finally:
            for fault in self.faults:
                if fault.stall:
                    fault.stall.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    origin: Origin

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Keep the kernel from taking much ahead of a reader."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _BLOCK)
        super().setup()

    def do_GET(self) -> None:
        origin, path = self.server.origin, self.path.partition("?")[0]
        asked = Asked(path=path, range=self.headers.get("Range"), headers=dict(self.headers))
        origin.log.append(asked)
        start = int((asked.range or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        fault = origin.strike(path, start) or Fault()
        if fault.replace is not None:
            origin.files[path] = fault.replace
        if path not in origin.files or (fault.status is not None and fault.status != 200):
            self._head(fault.status or 404, {"Content-Length": "0", **fault.headers})
            return
        self._file(origin.files[path], asked, fault)

    def _file(self, found: Object, asked: Asked, fault: Fault) -> None:
        data, start, end = found.data, 0, len(found.data)
        ranged = asked.range is not None and not fault.ignore_range and self._same(found)
        if ranged and asked.range is not None:
            first, _, last = asked.range.removeprefix("bytes=").partition("-")
            start, end = int(first), min(len(data), int(last) + 1 if last else len(data))
            if start >= len(data):
                self._head(416, {"Content-Length": "0", "Content-Range": f"bytes */{len(data)}"})
                return
        headers = {"Content-Length": str(end - start)}
        if ranged:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        if found.etag:
            headers["ETag"] = found.etag
        if found.modified:
            headers["Last-Modified"] = found.modified
        self._head(206 if ranged else 200, {**headers, **fault.headers})
        if fault.stall is not None:
            fault.stall.wait(30)
        body = bytearray(data[start:end])
        if fault.flip is not None and start <= fault.flip < end:
            body[fault.flip - start] ^= 1
        self._body(bytes(body) + fault.extra, asked, fault.cut_after)

    def _same(self, found: Object) -> bool:
        condition = self.headers.get("If-Range")
        return condition is None or condition in (found.etag, found.modified)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def _body(self, body: bytes, asked: Asked, cut_after: int | None) -> None:
        view = memoryview(body if cut_after is None else body[:cut_after])
        while view:
            block = view[:_BLOCK]
            self.wfile.write(block)
            asked.sent += len(block)
            view = view[_BLOCK:]
            if self.server.origin.block_seconds:
                time.sleep(self.server.origin.block_seconds)
        if cut_after is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass
