"""The children's only way out: a proxy on loopback, inside the worker.

Their libraries look up names, connect and follow redirects by themselves; what all of them honour is a
proxy. So each connection is judged here as those of the engine Native are, and led through the user's own
proxy where one is configured. TLS stays between the library and the origin (CONNECT); of plain http the heads
of requests and answers are read, since a connection of http may be used for another host next.

Which request led to which redirect is not seen within TLS. So an origin that the user named is judged as
such, and any other as where answers led to: once a child has reached the internet, such an origin must be of
it too.
"""

import base64
import contextlib
import hmac
import re
import secrets
import socket
import threading
from collections.abc import Callable, Iterator

from urllib3.exceptions import HTTPError

from modelsync.worker.common.failures import Failure
from modelsync.worker.engines.library import relay
from modelsync.worker.http import urls
from modelsync.worker.http.address_policy import Forbidden, Trail
from modelsync.worker.http.client import trouble
from modelsync.worker.http.connector import Connector, Network, ProxyTrouble, Route, Tunnel, UnknownProxy
from modelsync.worker.http.urls import Origin, Url

MOST_CONNECTIONS = 512
"""At once; a worker's libraries have at most 64 in use (`Tuning.connections`) and keep some more idle. Those
beyond wait in the kernel's queue."""
_HEAD_SECONDS = 10.0
"""For a whole request's head, which our own child sends at once."""
_REQUEST = re.compile(rb"(CONNECT|GET|HEAD) ([\x21-\x7e]+) HTTP/1\.[01]\r\n")
_HOP = re.compile(rb"(?im)^(?:connection|keep-alive|proxy-[a-z-]+|host|upgrade|te)[ \t]*:[^\r\n]*\r\n")
_AUTHORIZATION = re.compile(rb"(?im)^proxy-authorization[ \t]*:[ \t]*basic[ \t]+([A-Za-z0-9+/=]+)[ \t]*\r\n")
_REFUSED = b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Gateway:
    """Serves the children of one engine from `start` to `close`."""

    def __init__(self, network: Network, refused: Callable[[Failure], None]) -> None:
        """`refused` hears that an address is forbidden, from any thread."""
        self._network, self._refused = network, refused
        self._connector = Connector(network)
        self._secret = secrets.token_urlsafe(24)
        self._lock = threading.Lock()
        self._named: dict[tuple[str, int], Trail] = {}
        self._led = Trail()
        """Of all origins that nobody named."""
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._open: set[socket.socket] = set()
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://modelsync:{self._secret}@127.0.0.1:{self._listener.getsockname()[1]}"
        """With its password, for the child's environment alone."""
        self._thread = threading.Thread(target=self._accept, name="gateway", daemon=True)

    def name(self, origin: Origin, *, outside: bool = False) -> None:
        """Judge an origin as what the user named, or as what the named origin has led to: `outside` if by the
        internet."""
        with self._lock:
            self._named[origin.host, origin.port] = Trail(outside=outside)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """End all connections."""
        with self._lock:
            self._closed = True
            left = list(self._open)
        for each in (self._listener, *left):
            _end(each)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                self._room.acquire()
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), name="gateway", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError, relay.Malformed), self._held(client):
                self._answer(client, *relay.head(client, within=_HEAD_SECONDS))
        finally:
            self._room.release()

    def _answer(self, client: socket.socket, head: bytes, rest: bytes) -> None:
        found = _REQUEST.match(head)
        if not self._authorized(head):
            client.sendall(_REFUSED % b"407 Proxy Authentication Required")
            return
        if found is None:
            client.sendall(_REFUSED % b"501 Not Implemented")
            return
        method, asked = found[1], found[2].decode("ascii")
        try:
            url = urls.parsed(f"https://{asked}/" if method == b"CONNECT" else asked)
        except ValueError:
            client.sendall(_REFUSED % b"400 Bad Request")
            return
        if method != b"CONNECT" and url.origin.scheme != "http":
            client.sendall(_REFUSED % b"400 Bad Request")
            return
        reached = self._reached(url.origin)
        if reached is None:
            return  # the library reports a host that does not answer, and which
        route, tunnel = reached
        with self._held(tunnel.socket):
            client.settimeout(None)
            tunnel.socket.settimeout(None)
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                tunnel.socket.sendall(rest)
                relay.both_ways(client, tunnel.socket)
            else:
                tunnel.socket.sendall(_forwarded(method, url, route, head[found.end() :]))
                relay.answer(tunnel.socket, client)

    def _authorized(self, head: bytes) -> bool:
        found = _AUTHORIZATION.search(head)
        right = base64.b64encode(f"modelsync:{self._secret}".encode())
        return found is not None and hmac.compare_digest(found[1], right)

    def _reached(self, origin: Origin) -> tuple[Route, Tunnel] | None:
        """A connection to an origin or to its proxy; None when there is none, or it may not be."""
        with self._lock:
            trail = self._named.get((origin.host, origin.port), self._led)
        try:
            route = self._connector.route(origin)
            tunnel = self._connector.tunnel(route, trail)
        except (ProxyTrouble, UnknownProxy, HTTPError, OSError, Forbidden) as error:
            found = trouble(error, f"{origin.scheme}://{origin.authority}/")
            if isinstance(found, Failure):
                self._refused(found)
            return None
        self._led.passed(tunnel.address)
        return route, tunnel

    @contextlib.contextmanager
    def _held(self, one: socket.socket) -> Iterator[None]:
        """Known to `close`, and closed in the end."""
        with self._lock:
            self._open.add(one)
            closed = self._closed
        try:
            if closed:
                raise ConnectionAbortedError
            yield
        finally:
            with self._lock:
                self._open.discard(one)
            one.close()


def _forwarded(method: bytes, url: Url, route: Route, fields: bytes) -> bytes:
    """A request of plain http as it goes on: for one answer, to the origin or to the proxy before it."""
    target, more = url.target, ""
    if route.forwarded:
        target = f"{url.origin.scheme}://{url.origin.authority}{target}"
        more = "".join(f"{name}: {value}\r\n" for name, value in route.secret.items())
    line = f" {target} HTTP/1.1\r\nHost: {url.origin.authority}\r\nConnection: close\r\n{more}"
    return method + line.encode("latin-1") + _HOP.sub(b"", fields)


def _end(connection: socket.socket) -> None:
    """Wake the thread that waits for it, which then closes it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
