"""Takes connections for a small HTTP server, and bounds what they can cost before anybody is known.

Any Pod may be able to connect, and nothing is known of it but its address. A server behind a `Listener` sees
a connection only when a whole request head has come. Until then a connection is a few hundred bytes here, of
which there are `connections` at once, `per_peer` of them of one address. One more takes the place of the
oldest of the address that has the most, so an address that floods gets into nobody's way but its own. What
comes faster than an address may is closed right after accept, which costs some microseconds: no transport,
no task.

A connection carries one request and lives `seconds` in all, however its bytes trickle and however slowly it
takes its answer. What follows the head is dropped: these servers have nothing that reads a body.
"""

import asyncio
import collections
import contextlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass

from modelsync.runtime.common import supervision, token_bucket

_log = logging.getLogger(__name__)
_END = b"\r\n\r\n"
_ACCEPTS_AT_ONCE = 64
"""So many accepts, about a millisecond, between two turns of everything else."""
_PEERS = 1024
"""Addresses whose rate is remembered."""
_OUT_OF_FILES = 1.0
"""Seconds without accepting after the system refused one, as it does without a free descriptor."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What connections may take."""

    connections: int = 16
    per_peer: int = 8
    rate: float = 20.0
    """Connections a second from one address."""
    burst: float = 40.0
    head_bytes: int = 8 * 1024
    seconds: float = 10.0
    """Longest life of a connection; Prometheus waits as long by default."""


class Listener:
    """Accepts on a port, all interfaces where no host is named, until it is closed."""

    def __init__(
        self, server: Callable[[], asyncio.Protocol], *, host: str, port: int, bounds: Bounds
    ) -> None:
        self._server = server
        self._bounds = bounds
        self._loop = asyncio.get_running_loop()
        self._open: dict[socket.socket, _Connection] = {}
        """Who is connected, the oldest first."""
        self._rates: collections.OrderedDict[str, token_bucket.Bucket] = collections.OrderedDict()
        self._socket = _bound(host, port)
        self._socket.setblocking(False)
        self._listen()

    @property
    def port(self) -> int:
        """The port that was bound."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Stop listening, and end all connections."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for connection in list(self._open.values()):
            connection.end()

    def _listen(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        try:
            for _ in range(_ACCEPTS_AT_ONCE):
                self._take(*self._socket.accept())
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            pass
        except OSError as error:
            _log.warning("cannot accept connections to port %d for a moment: %s", self.port, error)
            self._loop.remove_reader(self._socket)
            self._loop.call_later(_OUT_OF_FILES, self._listen)

    def _take(self, accepted: socket.socket, address: tuple[str, int]) -> None:
        peer = address[0]
        if not self._in_time(peer):
            accepted.close()
            return
        held = collections.Counter(connection.peer for connection in self._open.values())
        if held[peer] >= self._bounds.per_peer:
            self._drop_oldest(peer)
        elif len(self._open) >= self._bounds.connections:
            self._drop_oldest(held.most_common(1)[0][0])
        accepted.setblocking(False)
        connection = _Connection(peer, self._server, self._bounds, on_lost=lambda: self._lost(accepted))
        self._open[accepted] = connection
        task = self._loop.create_task(self._connect(connection, accepted))
        task.add_done_callback(supervision.report)

    async def _connect(self, connection: "_Connection", accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, accepted)
        except BaseException:
            self._lost(accepted)
            accepted.close()
            raise

    def _in_time(self, peer: str) -> bool:
        """Whether a connection more keeps an address within its rate; counts it if so."""
        rate = self._rates.pop(peer, None) or token_bucket.Bucket(
            rate=self._bounds.rate, burst=self._bounds.burst
        )
        self._rates[peer] = rate
        if len(self._rates) > _PEERS:
            self._rates.popitem(last=False)
        now = self._loop.time()
        if rate.wait(now, urgent=True) > 0:
            return False
        rate.take(now)
        return True

    def _drop_oldest(self, peer: str) -> None:
        accepted, connection = next(each for each in self._open.items() if each[1].peer == peer)
        del self._open[accepted]
        connection.end()

    def _lost(self, accepted: socket.socket) -> None:
        self._open.pop(accepted, None)


class _Connection(asyncio.Protocol):
    """Collects a request's head, and hands it to a server's protocol once it is whole."""

    def __init__(
        self,
        peer: str,
        server: Callable[[], asyncio.Protocol],
        bounds: Bounds,
        *,
        on_lost: Callable[[], None],
    ) -> None:
        self.peer = peer
        self._make, self._bounds, self._on_lost = server, bounds, on_lost
        self._head = b""
        self._transport: asyncio.Transport | None = None
        self._server: asyncio.Protocol | None = None
        self._ended = False
        self._timer = asyncio.get_running_loop().call_later(bounds.seconds, self.end)

    def end(self) -> None:
        """End the connection, whatever has not been sent yet."""
        self._ended = True
        self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The base class's."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._ended:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take a piece of the head; drop what follows it."""
        if self._server is not None or self._ended or self._transport is None:
            return
        head, end, _ = (self._head + data).partition(_END)
        if len(head) > self._bounds.head_bytes:
            self._head, self._ended = b"", True
            self._transport.write(_TOO_LARGE)
            self._transport.close()
        elif end:
            self._head = b""
            self._server = self._make()
            self._server.connection_made(self._transport)
            self._server.data_received(head + end)
        else:
            self._head = head

    def eof_received(self) -> bool:
        """A caller that has sent its request may still wait for the answer."""
        return self._server is not None

    def pause_writing(self) -> None:
        """The base class's."""
        if self._server is not None:
            self._server.pause_writing()

    def resume_writing(self) -> None:
        """The base class's."""
        if self._server is not None:
            self._server.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The base class's."""
        self._timer.cancel()
        self._on_lost()
        if self._server is not None:
            self._server.connection_lost(exc)


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket: of one host, or of all interfaces for IPv4 and IPv6 where the machine has both."""
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
