"""Floods of a small HTTP server, and the probe that has to get through them.

Only the standard library and no module of ours, so that a Pod can be given this file's text to run:
`python -c TEXT KIND HOST PORT SECONDS`. Each flood is bounded in connections and in time.
"""

import contextlib
import itertools
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator

_LINE = b"X-%d: " + b"a" * 8000 + b"\r\n"
_LARGE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"".join(_LINE % number for number in range(100))
_ENDLESS = b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 800_000
_SMALL = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
_WHOLE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
_BODY = b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n" + b"a" * 800_000
_PIPELINED = _WHOLE * 1000
_NONSENSE = b"\x16\x03\x01\xff\x00 nonsense\r\n\r\n"
_TIMEOUT = 2.0
"""Seconds that the kubelet waits for readiness in the chart; for liveness it waits longer."""

KINDS: dict[str, tuple[bytes, int]] = {
    "unfinished heads of 800 KB": (_LARGE, 300),
    "one endless header": (_ENDLESS, 300),
    "small heads without an end": (_SMALL, 1000),
    "nothing sent": (b"", 1000),
    "answers that nobody reads": (_WHOLE, 300),
    "bodies without an end": (_BODY, 300),
    "pipelined requests": (_PIPELINED, 300),
    "nonsense": (_NONSENSE, 1000),
}
"""What each connection sends, and how many are held at once."""


def hold(kind: str, host: str, port: int, seconds: float, source: str = "") -> int:
    """Keep a flood's connections open a while, and open lost ones again; returns how many it tried."""
    payload, most = KINDS[kind]
    end, tried = time.monotonic() + seconds, 0
    with contextlib.ExitStack() as stack:
        ready = stack.enter_context(selectors.DefaultSelector())
        held: list[socket.socket] = []
        stack.callback(_close, held)
        for _ in itertools.count():
            if time.monotonic() > end:
                return tried
            if len(held) < most:
                held.append(_connecting(host, port, source))
                ready.register(held[-1], selectors.EVENT_WRITE, memoryview(payload))
                tried += 1
            for key, _ in ready.select(0 if len(held) < most else 0.02):
                if not _pushed(ready, key):
                    ready.unregister(key.fileobj)
            if len(held) == most:
                for each in [each for each in held if _is_over(each)]:
                    held.remove(each)
                    with contextlib.suppress(KeyError):
                        ready.unregister(each)
                    each.close()
    return tried


def hurry(host: str, port: int, seconds: float, source: str = "") -> int:
    """Ask one whole request after the other, as fast as it goes; returns how many."""
    end, tried = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        tried += 1
        with contextlib.suppress(OSError), _blocking(host, port, source) as each:
            each.sendall(_WHOLE)
            while each.recv(65536):
                pass
    return tried


def probe(host: str, port: int, path: str, source: str = "") -> str:
    """Ask as the kubelet does; returns what was wrong, or ""."""
    began = time.monotonic()
    try:
        with _blocking(host, port, source) as each:
            each.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: each.recv(65536), b""))
    except OSError as error:
        return f"{type(error).__name__} after {time.monotonic() - began:.1f} s"
    first = answer.partition(b"\r\n")[0].decode(errors="replace")
    return "" if first == "HTTP/1.1 200 OK" else f"answered {first!r}"


def _pushed(ready: selectors.BaseSelector, key: selectors.SelectorKey) -> bool:
    """Send what goes; whether there is more to send."""
    assert isinstance(key.fileobj, socket.socket)
    try:
        rest = key.data[key.fileobj.send(key.data) :]
    except BlockingIOError:
        return True
    except OSError:
        return False
    if rest:
        ready.modify(key.fileobj, selectors.EVENT_WRITE, rest)
    return bool(rest)


def _close(connections: list[socket.socket]) -> None:
    for each in connections:
        each.close()


def _is_over(connection: socket.socket) -> bool:
    """Whether the other side has ended a connection; what it sent is left unread."""
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _connecting(host: str, port: int, source: str) -> socket.socket:
    connection = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    connection.setblocking(False)
    if source:
        connection.bind((source, 0))
    with contextlib.suppress(OSError):
        connection.connect((host, port))
    return connection


@contextlib.contextmanager
def _blocking(host: str, port: int, source: str) -> Iterator[socket.socket]:
    origin = (source, 0) if source else None
    with socket.create_connection((host, port), timeout=_TIMEOUT, source_address=origin) as connection:
        yield connection


def main(kind: str, host: str, port: str, seconds: str) -> None:
    """Flood once."""
    flood: Callable[..., int] = hurry if kind == "hurry" else lambda *where: hold(kind, *where)
    print(flood(host, int(port), float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:5])
