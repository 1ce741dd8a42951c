"""How an origin is reached: directly or by way of a proxy, with names looked up once, with TLS where it asks
for it. Connecting is urllib3's: certificates, tunnels and time-outs are its trade."""

import socket
import ssl
import struct
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError
from urllib3.util import parse_url

from modelsync.worker.http import no_proxy, tls_sessions
from modelsync.worker.http.address_policy import Reach, Trail
from modelsync.worker.http.dns_cache import Names
from modelsync.worker.http.http1 import Socket
from modelsync.worker.http.urls import PORTS, Origin

NAMES = Names()
"""Of this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How the outside is reached; made of the environment by `modelsync.settings.environment`."""

    timeout_seconds: float = 10.0
    connections: int = 8
    ca_file: str | None = None
    """Bundle of CA certificates instead of the system's."""
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Proxy URL by scheme, and `no` for the hosts that need none; may hold a password, so not in repr."""
    reach: Reach = field(default_factory=Reach)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How an origin is reached."""

    origin: Origin
    proxy: urllib3.util.Url | None = None
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers for the proxy alone."""

    @property
    def forwarded(self) -> bool:
        """Whether the proxy sees each request, and is given the whole URL."""
        return self.proxy is not None and self.origin.scheme == "http"


class Connected(NamedTuple):
    """A connection to an origin."""

    socket: Socket
    address: str | None
    """That it leads to; None where a proxy alone knows it."""


class Tunnel(NamedTuple):
    """A connection to an origin, as a socket for whatever is spoken there."""

    socket: socket.socket
    address: str | None


class ProxyTrouble(Exception):
    """The proxy is not there, or does not connect."""


class UnknownProxy(Exception):
    """The proxy speaks what is not spoken here, such as SOCKS; its argument is the scheme."""


class _Resolving(HTTPConnection):
    """Takes the host's addresses from the names that are known; the host stays what headers and
    certificates are about."""

    permitted: Callable[[Sequence[str]], Sequence[str]] = staticmethod(lambda addresses: addresses)
    """Which of them may be tried."""
    reached: str | None = None

    def _new_conn(self) -> socket.socket:
        host = self._dns_host
        try:
            known = NAMES.addresses(host, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except UnicodeError as error:
            raise NameResolutionError(self.host, self, socket.gaierror(str(error))) from error
        addresses = self.permitted(known)
        for number, address in enumerate(addresses, 1):
            self._dns_host = self.reached = address
            try:
                return super()._new_conn()
            except (NewConnectionError, ConnectTimeoutError):
                if number == len(addresses):
                    NAMES.forget(host)
                    raise
            finally:
                self._dns_host = host
        raise NameResolutionError(self.host, self, socket.gaierror("it has no address"))


class _Http(_Resolving):
    pass


class _Https(_Resolving, HTTPSConnection):
    pass


class _Tunnel(_Https):
    """Ends where a proxy has connected to the origin; TLS is spoken with the proxy only."""

    def connect(self) -> None:
        self.sock = self._new_conn()
        if self.proxy is not None and self.proxy.scheme == "https":
            self.sock = self._connect_tls_proxy(self.host, self.sock)
        self._has_connected_to_proxy = True
        self._tunnel()


class _Timed:
    """A socket whose time-out the kernel keeps (socket(7), SO_RCVTIMEO): Python's own costs one more system
    call, and one more fight for the interpreter, for each wait."""

    def __init__(self, plain: socket.socket) -> None:
        seconds, part = divmod(plain.gettimeout() or 0.0, 1.0)
        kept = struct.pack("ll", int(seconds), int(part * 1e6))
        plain.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            plain.setsockopt(socket.SOL_SOCKET, option, kept)
        self._plain = plain
        self.close, self.fileno = plain.close, plain.fileno

    def recv_into(self, buffer: memoryview, /) -> int:
        try:
            return self._plain.recv_into(buffer)
        except BlockingIOError as error:
            raise TimeoutError("timed out") from error

    def sendall(self, data: bytes, /) -> None:
        try:
            self._plain.sendall(data)
        except BlockingIOError as error:
            raise TimeoutError("timed out") from error


class Connector:
    """Makes connections. Thread-safe."""

    def __init__(self, network: Network) -> None:
        self._network = network
        if network.ca_file is not None:  # a file without certificates shows before the first request
            tls_sessions.client_context(network.ca_file)

    @property
    def _context(self) -> tls_sessions.ResumingContext:
        return tls_sessions.client_context(self._network.ca_file)

    def route(self, origin: Origin) -> Route:
        """The way to an origin, by the proxies and their exceptions; raises UnknownProxy."""
        proxies = self._network.proxies
        if no_proxy.spared(origin.host, origin.port, proxies.get("no", "")):
            return Route(origin=origin)
        address = proxies.get(origin.scheme) or proxies.get("all")
        if not address:
            return Route(origin=origin)
        proxy = parse_url(address if "://" in address else f"http://{address}")
        if proxy.scheme not in PORTS:
            raise UnknownProxy(proxy.scheme)
        secret = {}
        if proxy.auth:
            secret = urllib3.make_headers(proxy_basic_auth=urllib.parse.unquote(proxy.auth))
        return Route(origin=origin, proxy=proxy._replace(auth=None), secret=secret)

    def connect(self, route: Route, trail: Trail) -> Connected:
        """A connected socket, whose waits end after the network's time-out.

        Raises reach.Forbidden, ProxyTrouble, what urllib3 raises, and OSError (of it ssl.SSLError).
        """
        found, address = self._opened(route, self._connection(route), trail)
        connected: Socket = _Timed(found) if type(found) is socket.socket else found
        return Connected(connected, address)

    def tunnel(self, route: Route, trail: Trail) -> Tunnel:
        """A socket that leads to an origin, or to the proxy that wants to see each request for it; raises as
        `connect` does. What is spoken over it is the caller's, TLS included."""
        if route.proxy is None:
            return self._opened(route, self._plain(route.origin.host, route.origin.port), trail)
        return self._opened(route, self._to_proxy(route, _Tunnel), trail)

    def _opened(self, route: Route, connection: _Resolving, trail: Trail) -> Tunnel:
        if route.proxy is None:
            connection.permitted = lambda addresses: self._network.reach.permitted(addresses, trail)
        elif (number := _numeric(route.origin.host)) is not None:
            self._network.reach.permitted([number], trail)
        try:
            connection.connect()
        except BaseException as error:
            connection.close()
            through_proxy = route.proxy is not None and not isinstance(error, ssl.SSLError)
            if through_proxy and isinstance(error, (OSError, HTTPError)):
                raise ProxyTrouble(type(error).__name__) from error
            raise
        found, connection.sock = connection.sock, None
        return Tunnel(found, None if route.proxy else connection.reached)

    def remember(self, connected: Socket) -> None:
        """An exchange over a connection has ended well: the next one to its host may begin shorter."""
        if isinstance(connected, ssl.SSLSocket):
            self._context.remember(connected)

    def _connection(self, route: Route) -> _Resolving:
        origin = route.origin
        if route.proxy is not None:
            return self._to_proxy(route, _Https)
        if origin.scheme == "http":
            return self._plain(origin.host, origin.port)
        seconds = self._network.timeout_seconds
        return _Https(origin.host, origin.port, timeout=seconds, ssl_context=self._context)

    def _plain(self, host: str, port: int) -> _Resolving:
        return _Http(host, port, timeout=self._network.timeout_seconds)

    def _to_proxy(self, route: Route, kind: type[_Https]) -> _Resolving:
        proxy, origin = route.proxy, route.origin
        assert proxy is not None
        host, port = (proxy.host or "").strip("[]"), proxy.port or PORTS.get(proxy.scheme or "", 80)
        if route.forwarded and proxy.scheme != "https":
            return self._plain(host, port)
        made = (_Https if route.forwarded else kind)(
            host,
            port,
            timeout=self._network.timeout_seconds,
            ssl_context=self._context,
            proxy=proxy,
            proxy_config=ProxyConfig(self._context, False, None, None),
        )
        if not route.forwarded:
            made.set_tunnel(origin.host, origin.port, route.secret, scheme=proxy.scheme or "http")
        return made


def _numeric(host: str) -> str | None:
    """The address that a host is in any of its spellings, without a lookup; None for a name."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        return None
    return str(found[0][4][0])
