"""Moves bytes between a child's connection and an origin's: by the kernel alone (splice(2)) where both are
plain sockets, since what passes here has no need to be seen."""

import contextlib
import fcntl
import os
import re
import select
import socket
import ssl
import time
from collections.abc import Iterator

from modelsync.worker.http.http1 import HEAD_BYTES

_AT_ONCE = 1 << 20
"""Bytes; also the pipe's size, the most that the kernel gives without privileges (pipe(7))."""
_MOST_INTERIM = 16
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5])[0-9]{2}[ \r]")
_HOP = re.compile(rb"(?im)^(?:connection|keep-alive|proxy-[a-z-]+)[ \t]*:[^\r\n]*\r\n")
_END = b"\r\n\r\n"


class Malformed(Exception):
    """A head that is no HTTP, has no end, or is too long."""


def head(
    connection: socket.socket, begun: bytes = b"", *, within: float | None = None
) -> tuple[bytes, bytes]:
    """A head with its last empty line, and what came behind it, within so many seconds in all; raises
    Malformed and OSError."""
    found, began = bytearray(begun), time.monotonic()
    while (end := found.find(_END)) < 0:
        if within is not None:
            connection.settimeout(max(0.001, began + within - time.monotonic()))
        piece = connection.recv(HEAD_BYTES) if len(found) < HEAD_BYTES else b""
        if not piece:
            raise Malformed
        found += piece
    end += len(_END)
    return bytes(found[:end]), bytes(found[end:])


def both_ways(client: socket.socket, origin: socket.socket) -> None:
    """Until one of them ends; raises OSError."""
    with _pipe() as pipe:
        for ready in _ready(client, origin):
            ends = (origin, client) if ready is origin else (client, origin)
            if not _move(*ends, pipe):
                return


def answer(origin: socket.socket, client: socket.socket) -> None:
    """One answer of plain http, with word that no other comes on this connection; raises Malformed and
    OSError."""
    rest = b""
    for _ in range(_MOST_INTERIM):
        found, rest = head(origin, rest)
        status = _STATUS.match(found)
        if status is None:
            raise Malformed
        if status[1] != b"1":
            break
    else:
        raise Malformed
    client.sendall(_HOP.sub(b"", found)[: -len(b"\r\n")] + b"Connection: close\r\n\r\n" + rest)
    with _pipe() as pipe:
        for ready in _ready(client, origin):
            if ready is client or not _move(origin, client, pipe):
                return


def _ready(*connections: socket.socket) -> Iterator[socket.socket]:
    """The next one with bytes to read, or at its end."""
    poll = select.poll()
    by_number = {each.fileno(): each for each in connections}
    for number in by_number:
        poll.register(number, select.POLLIN)
    decrypted = [each for each in connections if isinstance(each, ssl.SSLSocket)]
    while True:
        yield from (each for each in decrypted if each.pending())
        for number, _ in poll.poll():
            yield by_number[number]


def _move(source: socket.socket, sink: socket.socket, pipe: tuple[int, int]) -> int:
    """Some bytes; their number, 0 at the end."""
    if isinstance(source, ssl.SSLSocket) or isinstance(sink, ssl.SSLSocket):
        data = source.recv(HEAD_BYTES)
        sink.sendall(data)
        return len(data)
    count = left = os.splice(source.fileno(), pipe[1], _AT_ONCE)
    while left:
        left -= os.splice(pipe[0], sink.fileno(), left)
    return count


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe2(os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # the user's share of pipes is spent: a smaller one does as well
            fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _AT_ONCE)
        yield ends
    finally:
        for end in ends:
            os.close(end)
