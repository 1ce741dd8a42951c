"""The fault origin: one set of files, served as a Hub, as S3 and as a plain web server, with faults by wish.

    /web/PATH                                 plain files
    /api/models/org/model…, /org/model/…      the Hub; files of its CDN come from a second port
    /bucket/KEY                               S3
    /f/FAULT[+FAULT…]/…                       any of these, with faults that begin anew for each such prefix

It reads and writes its sockets itself, because a fault is a matter of single bytes. Faults are named by path
and attempt (see `faults`), and the log of requests is the judge.
"""

import contextlib
import itertools
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from dev.origins.scripted import changes, faults, hub, quota, s3, web
from dev.origins.scripted.content import Content, Fixed
from dev.origins.scripted.log import Entry, Log
from dev.origins.scripted.messages import Answer, Object, Request, Role
from dev.origins.scripted.sending import Wire

SEND_BUFFER = 128 * 1024
"""Keeps the kernel from taking much ahead of a reader, so that what was sent is near what was read."""
_MOST_HEAD = 64 * 1024


class Origin:
    """The origin: put objects into `files` and faults onto them with `strike`."""

    def __init__(
        self,
        files: Mapping[str, bytes | Content | Object] | None = None,
        *,
        certificate: tuple[Path, Path] | None = None,
        host: str = "127.0.0.1",
        token: str | None = None,
    ) -> None:
        self.files = {path: _object(value) for path, value in (files or {}).items()}
        self.log = Log()
        self.lock = threading.Lock()
        self.revoked: set[str] = set()
        self.closing = threading.Event()
        self.token = token
        """Who does not send it gets a 401 from the Hub."""
        self.page_size = 1000
        self.pages_at = ""
        """Where a Hub's listing says that its next page is, in place of here."""
        self.s3 = s3.Habits()
        """What it does as S3 that others do not."""
        self.endless = False
        """Whether listings never come to an end."""
        self.most_connections: int | None = None
        """Connections beyond so many to one listener are reset."""
        self.quota: quota.Quota | None = None
        """Of its first listener; a CDN answers whoever comes."""
        self.signatures = itertools.count(1)
        self.proxy = ""
        """Its own address, where `url` leads elsewhere."""
        self.accepted = 0
        """Connections so far."""
        self._connections: dict[str, int] = {}
        self._faults: dict[tuple[str, str], list[faults.Fault]] = {}
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
        scheme = "http" if context is None else "https"
        self._servers = [_Server(self, name, host, context) for name in ("origin", "cdn")]
        self.url, self.cdn_url = (f"{scheme}://{host}:{each.server_address[1]}" for each in self._servers)
        for each, url in zip(self._servers, (self.url, self.cdn_url), strict=True):
            each.url = url

    def strike(self, path: str, *texts: str) -> list[faults.Fault]:
        """Lay faults onto a path; "" for requests that are about no file."""
        made = [faults.parse(text) for text in texts]
        with self.lock:
            self._faults.setdefault(("", path), []).extend(made)
        return made

    def clear(self) -> None:
        """Take all faults away."""
        with self.lock:
            self._faults.clear()

    def change(self, answer: Answer, request: Request, role: Role, path: str) -> Entry:
        """Record the request, and let the faults that strike it change the answer."""
        entry = self.log.add(request, role, path)
        refusal = self.quota.refusal() if self.quota is not None and request.listener == "origin" else None
        if refusal is not None:
            changes.refuse(answer, *refusal)
            return entry
        with self.lock:
            laid = list(self._faults.get(("", path), ()))
            if request.faults:
                key = request.faults, path
                if key not in self._faults:
                    self._faults[key] = [faults.parse(text) for text in request.faults.split("+")]
                laid += self._faults[key]
            striking = [fault for fault in laid if fault.strikes(role, answer)]
            for fault in striking:
                fault.apply(answer, request, self.files.get(path), entry.number, self.revoked)
                entry.faults.append(fault.text)
        return entry

    def joined(self, listener: str, by: int) -> bool:
        """One connection more or less; tells whether there are not too many."""
        with self.lock:
            self.accepted += by > 0
            count = self._connections[listener] = self._connections.get(listener, 0) + by
            return self.most_connections is None or count <= self.most_connections

    @contextlib.contextmanager
    def serving(self) -> Iterator["Origin"]:
        """Serve until the block ends."""
        threads = [
            threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            for each in self._servers
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            for each, thread in zip(self._servers, threads, strict=True):
                each.shutdown()
                each.server_close()
                thread.join()


def _object(value: bytes | Content | Object) -> Object:
    if isinstance(value, Object):
        return value
    return Object(content=Fixed(value) if isinstance(value, bytes) else value)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256
    url = ""

    def __init__(self, origin: Origin, name: str, host: str, context: ssl.SSLContext | None) -> None:
        self.origin, self.name, self.context = origin, name, context
        super().__init__((host, 0), _Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that leave in the middle are what is tested."""


class _Connection(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Serve one connection."""
        origin, plain = self.server.origin, self.request
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        try:
            if not origin.joined(self.server.name, 1):
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                return
            context = self.server.context
            self.request = context.wrap_socket(plain, server_side=True) if context else plain
            self._converse(self.request)
        except (OSError, ValueError):
            pass
        finally:
            origin.joined(self.server.name, -1)
            self.request.close()
            plain.close()

    def _converse(self, connection: socket.socket) -> None:
        wire = Wire(connection, self.server.origin.closing)
        with connection.makefile("rb") as reader:
            going_on = True
            while going_on and (line := reader.readline(_MOST_HEAD)).strip():
                headers = {}
                while (field := reader.readline(_MOST_HEAD)).strip():
                    name, _, value = field.decode("latin-1").partition(":")
                    headers[name.strip().lower()] = value.strip()
                method, target, _ = line.decode("latin-1").split(" ", 2)
                going_on = self._answer(wire, self._request(method, target, headers))

    def _request(self, method: str, target: str, headers: dict[str, str]) -> Request:
        local = target
        if "://" in target:  # as a proxy is asked
            local = "/" + target.split("/", 3)[3]
        path, _, query = local.partition("?")
        prefix = ""
        if path.startswith("/f/"):
            prefix, _, path = path.removeprefix("/f/").partition("/")
            path = f"/{path}"
        return Request(
            method=method,
            target=target,
            path=unquote(path),
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers=headers,
            faults=unquote(prefix),
            listener=self.server.name,
            base=self.server.url + (f"/f/{prefix}" if prefix else ""),
        )

    def _answer(self, wire: Wire, request: Request) -> bool:
        origin = self.server.origin
        role, path, answer = _dialect(origin, request)(origin, request)
        entry = origin.change(answer, request, role, path)
        return wire.send(answer, entry, body=request.method != "HEAD")


def _dialect(origin: Origin, request: Request) -> web.Dialect:
    if request.method == "CONNECT":
        return web.connect
    if request.path.startswith("/web/"):
        return web.file
    if s3.in_host(request) or request.path.startswith((s3.ROOT, f"/{origin.s3.bucket}")):
        return s3.answer
    return hub.answer
