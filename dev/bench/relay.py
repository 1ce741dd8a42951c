"""A link of a held rate: a relay that passes bytes on no faster than its rate, over all connections together.

nginx's own limit is one of each connection, so an engine with more connections would have a faster link. The
bytes never come to Python: splice(2) moves pages from socket to pipe to socket. A thread a connection, as
blocking calls need no readiness to be asked for; the bucket is a time from which the next byte may leave.
"""

import argparse
import contextlib
import fcntl
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator

from dev.bench import helper

PIPE_BYTES = 1 << 20
QUANTUM_SECONDS = 0.001
LEAST_QUANTUM, MOST_QUANTUM = 16 << 10, 512 << 10
IDLE_SECONDS = 0.01
"""How much unused time counts later: the depth of the bucket."""


class Bucket:
    """Shares a rate among connections."""

    def __init__(self, rate: float) -> None:
        """`rate` is in bytes per second; 0 holds nothing back."""
        self.rate = rate
        self.quantum = MOST_QUANTUM
        if rate:
            self.quantum = int(min(MOST_QUANTUM, max(LEAST_QUANTUM, rate * QUANTUM_SECONDS)))
        self._lock = threading.Lock()
        self._next = 0.0

    def take(self, count: int) -> None:
        """Wait until `count` bytes may leave."""
        if not self.rate:
            return
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now - IDLE_SECONDS) + count / self.rate
            wait = self._next - now
        if wait > 0:
            time.sleep(wait)


def _pump(source: socket.socket, sink: socket.socket, bucket: Bucket) -> None:
    """Pass on what a server sends, until its end."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        while moved := os.splice(source.fileno(), writer, bucket.quantum):
            bucket.take(moved)
            while moved:
                moved -= os.splice(reader, sink.fileno(), moved)
    except OSError:
        pass  # one side is gone: the other sees the end below
    finally:
        os.close(reader)
        os.close(writer)
        _shut(source, sink)


def _requests(client: socket.socket, server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := client.recv(1 << 16):
            server.sendall(data)
    _shut(client, server)


def _shut(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def _connection(client: socket.socket, to: tuple[str, int], bucket: Bucket) -> None:
    with client, socket.create_connection(to) as server:
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        upward = threading.Thread(target=_requests, args=(client, server), daemon=True)
        upward.start()
        _pump(server, client, bucket)
        upward.join()


def _accept(listener: socket.socket, to: tuple[str, int], bucket: Bucket) -> None:
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_connection, args=(client, to, bucket), daemon=True).start()


def main() -> int:
    """Relay until standard input ends, so that no relay outlives the process that started it."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.relay", description=__doc__)
    parser.add_argument("hosts", nargs="+", help="addresses of the origin, relayed from one port of each")
    parser.add_argument("--to", type=int, required=True, help="the origin's port")
    parser.add_argument("--rate", type=float, default=0, help="bytes per second (default: not held)")
    options = parser.parse_args()
    bucket = Bucket(options.rate)
    port = 0
    for host in options.hosts:
        listener = socket.create_server((host, port), backlog=512)
        port = listener.getsockname()[1]
        threading.Thread(target=_accept, args=(listener, (host, options.to), bucket), daemon=True).start()
    print(port, flush=True)
    sys.stdin.read()
    return 0


@contextlib.contextmanager
def running(to: int, rate: float, hosts: tuple[str, ...]) -> Iterator[int]:
    """Run a relay as a process of its own; gives its port."""
    with helper.running("dev.bench.relay", *hosts, "--to", str(to), "--rate", str(rate)) as port:
        yield int(port)


if __name__ == "__main__":
    sys.exit(main())
