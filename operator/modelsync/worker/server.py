"""The worker's window: `GET /progress` and `PUT /limit`, for whoever has the attempt's key.

A thread with the standard library's server: one reader every second or two needs no more, and it lives and
dies with the process. Nothing of it can end the transfer.
"""

import contextlib
import hmac
import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pydantic

from modelsync.api import naming
from modelsync.api.wire import MAX_PROGRESS_BYTES, LimitRequest, ProgressReport

_MOST_BODY = 4096
_TIMEOUT = 5.0


class ProgressServer(http.server.ThreadingHTTPServer):
    """Serves reports and takes limits; start it with `serving`."""

    daemon_threads = True
    request_queue_size = 16

    def __init__(
        self,
        port: int,
        key: str,
        report: Callable[[], ProgressReport],
        limit: Callable[[int | None], None],
    ) -> None:
        self.key, self.report, self.limit = key, report, limit
        dual = socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if dual else socket.AF_INET
        super().__init__(("", port), _Handler)

    def server_bind(self) -> None:
        """Bind for IPv4 and IPv6 where the machine has both."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that goes away in the midst is nobody's trouble."""

    @property
    def port(self) -> int:
        """The port that was bound."""
        return int(self.server_address[1])


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ProgressServer
    server_version = "modelsync"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT

    def do_GET(self) -> None:
        if self._allowed("/progress"):
            self._answer(200, fitting(self.server.report()))

    def do_PUT(self) -> None:
        if not self._allowed("/limit"):
            return
        text = self.headers.get("Content-Length", "")
        if not text.isdecimal() or int(text) > _MOST_BODY:
            self._answer(413, {"error": f"the body must have at most {_MOST_BODY} bytes"}, close=True)
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
            self._answer(403, {"error": f"{naming.KEY_HEADER} is missing or wrong"}, close=True)
            return False
        if self.path.partition("?")[0] != path:
            self._answer(404, {"error": "not found"}, close=True)
            return False
        return True

    def _answer(self, status: int, body: dict[str, Any] | str, *, close: bool = False) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.close_connection = close or self.close_connection
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class names it)
        """A line for each poll would bury the log."""


def fitting(report: ProgressReport) -> str:
    """The report as JSON of at most MAX_PROGRESS_BYTES: the list of files gives way."""
    text = report.dump_json()
    return text if len(text.encode()) <= MAX_PROGRESS_BYTES else report.but(files=()).dump_json()


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
