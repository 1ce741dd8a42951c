"""The worker's progress endpoint: `GET /progress` and `PUT /limit`, for callers that have the attempt's key.

The standard library's server with a few threads: one caller every second or two needs no more, and it lives
and dies with the process. Nothing of it can end the transfer.

Any Pod may be able to connect, and a caller is known only by its request. So a connection carries one
request and has `_SECONDS` in all, however its bytes trickle; there are `_MOST_CONNECTIONS` at once, and one
more takes the place of the oldest. The operator sends its whole request at once and is answered within
milliseconds, so only another `_MOST_CONNECTIONS` that come in between could cost it a poll.
"""

import contextlib
import hmac
import http.server
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pydantic

from modelsync.api import naming
from modelsync.api.protocol import MAX_PROGRESS_BYTES, LimitRequest, ProgressReport

_MOST_BODY = 4096
_MOST_REQUEST = 16 * 1024
"""Bytes of a request in all."""
_MOST_CONNECTIONS = 8
_SECONDS = 5.0
"""Longest life of a connection."""


class ProgressServer(http.server.HTTPServer):
    """Serves reports and takes limits; start it with `serving`."""

    request_queue_size = 64

    def __init__(
        self,
        port: int,
        key: str,
        report: Callable[[], ProgressReport],
        limit: Callable[[int | None], None],
    ) -> None:
        self.key, self.report, self.limit = key, report, limit
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}
        """When each connection began, the oldest first."""
        self._threads = ThreadPoolExecutor(_MOST_CONNECTIONS, thread_name_prefix="progress")
        dual = socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if dual else socket.AF_INET
        super().__init__(("", port), _Handler)

    def server_bind(self) -> None:
        """Bind for IPv4 and IPv6 where the machine has both."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand a connection to a thread; the oldest gives way where there are too many."""
        with self._lock:
            while len(self._open) >= _MOST_CONNECTIONS:
                self._drop(next(iter(self._open)))
            self._open[request] = time.monotonic()
        self._threads.submit(self._serve, request, client_address)

    def service_actions(self) -> None:
        """Drop the connections whose time is over; the base class calls this several times a second."""
        with self._lock:
            for connection, began in list(self._open.items()):
                if time.monotonic() - began > _SECONDS:
                    self._drop(connection)

    def server_close(self) -> None:
        """Stop listening, and drop all connections."""
        super().server_close()
        with self._lock:
            for connection in list(self._open):
                self._drop(connection)
        self._threads.shutdown()

    def _drop(self, connection: socket.socket) -> None:
        """End a connection, so that its thread's wait ends; the thread closes it."""
        del self._open[connection]
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket, address: Any) -> None:
        try:
            # Whatever a request brings about, the transfer goes on; a caller that went away is no error.
            with contextlib.suppress(Exception):
                self.finish_request(connection, address)
        finally:
            with self._lock:
                self._open.pop(connection, None)
            self.shutdown_request(connection)

    @property
    def port(self) -> int:
        """The port that was bound."""
        return int(self.server_address[1])


class _Bounded(io.RawIOBase):
    """Reads a connection to the most that a request may have; then it ends."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._left = connection, _MOST_REQUEST

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Some bytes; 0 at the end."""
        count = self._connection.recv_into(buffer, min(len(buffer), self._left)) if self._left else 0
        self._left -= count
        return count


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ProgressServer
    server_version = "modelsync"
    sys_version = ""
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        """Read no more than a request may have."""
        super().setup()
        self.rfile = io.BufferedReader(_Bounded(self.connection))

    def do_GET(self) -> None:
        if self._allowed("/progress"):
            self._answer(200, fitting(self.server.report()))

    def do_PUT(self) -> None:
        if not self._allowed("/limit"):
            return
        text = self.headers.get("Content-Length", "")
        if not text.isdecimal() or int(text) > _MOST_BODY:
            self._answer(413, {"error": f"the body must have at most {_MOST_BODY} bytes"})
            return
        try:
            wanted = LimitRequest.model_validate_json(self.rfile.read(int(text)))
        except pydantic.ValidationError:
            self._answer(422, {"error": "the body must be a LimitRequest"})
            return
        self.server.limit(wanted.bytes_per_second)
        self._answer(200, wanted.dump())

    def _allowed(self, path: str) -> bool:
        given = self.headers.get(naming.KEY_HEADER, "")
        if not self.server.key or not hmac.compare_digest(given.encode(), self.server.key.encode()):
            self._answer(403, {"error": f"{naming.KEY_HEADER} is missing or wrong"})
            return False
        if self.path.partition("?")[0] != path:
            self._answer(404, {"error": "not found"})
            return False
        return True

    def _answer(self, status: int, body: dict[str, Any] | str) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class names it)
        """A line for each poll would bury the log."""


def fitting(report: ProgressReport) -> str:
    """The report as JSON of at most MAX_PROGRESS_BYTES: the list of files gives way."""
    text = report.dump_json()
    return text if len(text.encode()) <= MAX_PROGRESS_BYTES else report.replace(files=()).dump_json()


@contextlib.contextmanager
def serving(server: ProgressServer) -> Iterator[ProgressServer]:
    """Serve in a thread until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
