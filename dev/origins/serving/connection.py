"""One connection to an origin: reads its requests and writes the answers."""

import socket
import ssl
import time
from dataclasses import dataclass
from io import BufferedIOBase
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, unquote

from dev.origins.serving.messages import Request
from dev.origins.serving.sending import LINGER_NOT, Wire

if TYPE_CHECKING:
    from dev.origins.serving.server import Listener, Server

SEND_BUFFER = 128 * 1024
"""Keeps the kernel from taking much ahead of a reader, so that what was sent is near what was read."""
MOST_BODY = 8 << 20
"""Bytes of a request's body, for paths-info with many paths."""
_MOST_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that was accepted."""

    server: "Server"
    listener: "Listener"
    plain: socket.socket

    def serve(self) -> None:
        """Answer until one side ends."""
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        connection = self.plain
        try:
            if not self.server.joined(self.listener, 1):
                self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
                return
            context: ssl.SSLContext | None = self.listener.context
            connection = context.wrap_socket(self.plain, server_side=True) if context else self.plain
            self._converse(connection)
        except (OSError, ValueError):
            pass  # clients that leave in the middle are what is tested
        finally:
            self.server.joined(self.listener, -1)
            connection.close()
            self.plain.close()

    def _converse(self, connection: socket.socket) -> None:
        wire = Wire(connection, self.server.pacer, self.server.closing)
        with connection.makefile("rb") as reader:
            while (request := self._read(cast(BufferedIOBase, reader))) is not None:
                if (
                    not self._answer(wire, request)
                    or request.headers.get("connection", "").lower() == "close"
                ):
                    return

    def _read(self, reader: BufferedIOBase) -> Request | None:
        """The next request; None at the end."""
        line = reader.readline(_MOST_HEAD)
        if not line.strip():
            return None
        headers = {}
        while (field := reader.readline(_MOST_HEAD)).strip():
            name, _, value = field.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = reader.read(min(MOST_BODY, int(headers.get("content-length", 0))))
        method, target, _ = line.decode("latin-1").split(" ", 2)
        return self._request(method, target, headers, body)

    def _request(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Request:
        # As a proxy is asked, the target names a host too.
        local = "/" + target.split("/", 3)[3] if "://" in target else target
        path, _, query = local.partition("?")
        prefix = ""
        if path.startswith("/f/"):
            prefix, _, path = path.removeprefix("/f/").partition("/")
            path = f"/{path}"
        return Request(
            method=method,
            target=target,
            path=unquote(path),
            raw_path=path,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers=headers,
            body=body,
            faults=unquote(prefix),
            listener=self.listener.name,
            base=self.listener.url + (f"/f/{prefix}" if prefix else ""),
        )

    def _answer(self, wire: Wire, request: Request) -> bool:
        begun = time.monotonic()
        role, path, answer = self.server.answer(request)
        entry = self.server.change(answer, request, role, path)
        try:
            return wire.send(answer, entry, body=request.method != "HEAD")
        finally:
            entry.seconds = time.monotonic() - begun
