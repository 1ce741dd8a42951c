"""One HTTP/1.1 exchange on a connected socket, and the body of its answer read into memory that is there.

A library that makes an object for every header and every piece of a body costs more than all else that small
files need (docs/decisions/0010-own-exchange.md). So a request is written in one go, the head of its answer is
parsed by llhttp, and the body's bytes go from the socket to where they belong.
"""

import functools
import re
import select
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import httptools

HEAD_BYTES = 64 * 1024
"""Most bytes of an answer's head; also read at once, so that a small file comes with its head."""
BODY_BYTES = 24 << 20
"""Most bytes of a body that is read as a whole: a page of a listing has less than 1 MiB, a Hub's information
on 200,000 files 20 MiB. A parser holds it several times, and with four bytes a character at worst."""
_MOST_INTERIM = 16
"""Informational answers (1xx) before the real one."""
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BLANK = re.compile(r"[\x00-\x20\x7f]")
_NOWHERE = memoryview(bytearray(HEAD_BYTES))
"""Where bytes go that nobody wants; all threads write here and none reads."""


class Broken(Exception):
    """The connection or the answer ended too early, or is not HTTP; its cause says why."""


class Unanswered(Broken):
    """The connection ended before a byte of an answer, as an idle one may at any time."""


class Silent(Broken):
    """The other end was reached, and no answer began in time."""


class TooLong(Broken):
    """A body has more bytes than are read as a whole."""


class Socket(Protocol):
    """What an exchange needs of a socket: plain, TLS, or TLS within TLS."""

    def recv_into(self, buffer: memoryview, /) -> int:
        """Bytes that came, 0 at the end."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""

    def close(self) -> None:
        """End it."""

    def fileno(self) -> int:
        """Its descriptor."""


class Headers(Mapping[str, str]):
    """An answer's headers by name, whatever its case; repeated ones are joined by ", "."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        self._fields: dict[bytes, bytes] = {}
        """As they came, names in lower case: most are never asked for."""
        for name, value in (fields or {}).items():
            self._fields[_key(name)] = value.encode("latin-1")

    def add(self, name: bytes, value: bytes) -> None:
        """Take in a header as it came."""
        key = name.lower()
        self._fields[key] = self._fields[key] + b", " + value if key in self._fields else value

    def __getitem__(self, name: str) -> str:
        return self._fields[_key(name)].decode("latin-1")

    def get(self, name: str, default: Any = None) -> Any:
        """A header's value. The mapping's own would raise and catch for each one that is not there."""
        value = self._fields.get(_key(name))
        return default if value is None else value.decode("latin-1")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _key(name) in self._fields

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@functools.lru_cache(maxsize=256)
def _key(name: str) -> bytes:
    """Each exchange asks for the same dozen names, which the program has and no origin makes."""
    return name.lower().encode("latin-1")


class _Parsed:
    """What llhttp calls back."""

    def __init__(self) -> None:
        self.headers = Headers()
        self.on_header = self.headers.add
        self.body = bytearray()
        self.ended = self.surplus = False

    def on_message_begin(self) -> None:
        self.surplus = self.ended

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.ended = True


class Wire:
    """A connected socket, and what came on it and is not taken yet. One exchange at a time."""

    def __init__(self, connected: Socket, rest: "Callable[[Wire], None]", address: str | None = None) -> None:
        """`rest` takes it when an exchange is over and another one is possible; `address` is what it leads
        to, if that is known."""
        self.address = address
        self._socket, self._rest = connected, rest
        self._buffer = bytearray(HEAD_BYTES)
        self._view = memoryview(self._buffer)
        self._taken = self._filled = 0
        self._waits = 1
        self._poll = select.poll()
        self._poll.register(connected.fileno(), select.POLLIN)
        self._pending = getattr(connected, "pending", lambda: 0)

    def idle(self) -> bool:
        """Whether it can serve another exchange: neither closed nor sending what nobody asked for."""
        return self._taken == self._filled and not self._pending() and not self._poll.poll(0)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def rest(self) -> None:
        """Its exchange is over."""
        self._rest(self)

    def ask(self, method: str, target: str, headers: Mapping[str, str], *, waits: int = 1) -> "Response":
        """Send a request and wait for its answer's head: for its first byte as many of the socket's time-outs
        as `waits`, for each later one a single one. Raises Broken."""
        self._taken = self._filled = 0  # what the exchange before left here is no part of this answer
        self._waits = waits
        try:
            self._socket.sendall(request(method, target, headers))
            for _ in range(_MOST_INTERIM):
                response = self._answer(method)
                if response.status >= 200:
                    return response
        except (ConnectionResetError, BrokenPipeError) as error:
            raise (Broken if self._filled else Unanswered)(str(error)) from error
        except TimeoutError as error:
            raise (Broken if self._filled else Silent)(str(error)) from error
        except (OSError, httptools.HttpParserError) as error:
            raise Broken(str(error)) from error
        raise Broken("there are too many informational answers")

    def _answer(self, method: str) -> "Response":
        parsed = _Parsed()
        parser = httptools.HttpResponseParser(parsed)
        try:
            parser.feed_data(self._head())
        except httptools.HttpParserUpgrade as error:
            raise Broken("the answer wants another protocol") from error
        status, headers = parser.get_status_code(), parsed.headers
        keeps = _keeps(parser.get_http_version(), headers.get("connection", "").lower())
        if method == "HEAD" or status < 200 or status in (204, 304):
            return Response(self, status, headers, keeps=keeps, length=0)
        if "transfer-encoding" in headers:
            return Response(self, status, headers, keeps=keeps, chunks=_Chunks(self, parser, parsed))
        announced = headers.get("content-length")
        return Response(
            self, status, headers, keeps=keeps, length=None if announced is None else int(announced)
        )

    def _head(self) -> memoryview:
        """The bytes of a head; what came after them stays."""
        searched = self._taken
        while True:
            end = self._buffer.find(b"\r\n\r\n", searched, self._filled)
            if end >= 0:
                head = self._view[self._taken : end + 4]
                self._taken = end + 4
                return head
            searched = max(self._taken, self._filled - 3)
            if self._taken == self._filled:
                searched = self._taken = self._filled = 0
            if self._filled == HEAD_BYTES:
                raise Broken("the head of the answer is too long")
            count = self._received()
            if not count:
                kind = Broken if self._filled else Unanswered
                raise kind("the connection was closed before the end of the answer's head")
            self._filled += count

    def _received(self) -> int:
        """Wait for more of a head, and return how many bytes came; raises OSError."""
        while True:
            try:
                return self._socket.recv_into(self._view[self._filled :])
            except TimeoutError:
                self._waits -= 1
                if self._filled or self._waits <= 0:
                    raise

    def read_into(self, view: memoryview) -> int:
        """Some bytes that follow the head, at least one, as many as the view takes; 0 when the connection
        ended. Raises OSError."""
        there = self._filled - self._taken
        if not there:
            return self._socket.recv_into(view)
        count = min(there, len(view))
        view[:count] = self._view[self._taken : self._taken + count]
        self._taken += count
        return count


def _keeps(version: str, connection: str) -> bool:
    """Whether the other end keeps the connection (RFC 9112, section 9.3)."""
    return "keep-alive" in connection if version == "1.0" else "close" not in connection


class _Chunks:
    """A body in chunks: llhttp takes them apart."""

    def __init__(self, wire: Wire, parser: httptools.HttpResponseParser, parsed: _Parsed) -> None:
        self._wire, self._parser, self._parsed = wire, parser, parsed
        self._piece = memoryview(bytearray(HEAD_BYTES))

    @property
    def complete(self) -> bool:
        """Whether all was read, and nothing came behind it."""
        return self._parsed.ended and not self._parsed.surplus and not self._parsed.body

    def read_into(self, view: memoryview) -> int:
        body = self._parsed.body
        while not body and not self._parsed.ended:
            count = self._wire.read_into(self._piece)
            if not count:
                raise Broken("the connection was closed in the middle of the answer")
            self._parser.feed_data(self._piece[:count])
        count = min(len(body), len(view))
        view[:count] = body[:count]
        del body[:count]
        return count


class Response:
    """An answer; its body is read once. Close it in the end."""

    def __init__(
        self,
        wire: Wire,
        status: int,
        headers: Headers,
        *,
        keeps: bool,
        length: int | None = None,
        chunks: _Chunks | None = None,
    ) -> None:
        """The body has `length` bytes, or comes in `chunks`, or ends with the connection."""
        self.status, self.headers = status, headers
        self._wire, self._keeps, self._left, self._chunks = wire, keeps, length, chunks
        self._closed = False

    def _read_to_its_end(self) -> bool:
        return self._keeps and (self._left == 0 or (self._chunks is not None and self._chunks.complete))

    def read_into(self, view: memoryview) -> int:
        """Wait for bytes of the body and return how many came; 0 at its end, also at an early one of a body
        whose length is announced. Raises Broken."""
        try:
            if self._chunks is not None:
                return self._chunks.read_into(view)
            if self._left is None:
                return self._wire.read_into(view)
            count = self._wire.read_into(view[: self._left]) if self._left else 0
        except (OSError, httptools.HttpParserError) as error:
            raise Broken(str(error)) from error
        self._left -= count
        return count

    def read(self, most: int = BODY_BYTES) -> bytes:
        """All of a body of at most so many bytes, and the end of the exchange; raises Broken."""
        body, room = bytearray(), memoryview(bytearray(HEAD_BYTES))
        try:
            if (self._left or 0) > most:
                raise TooLong(f"the answer has {self._left} bytes")
            while count := self.read_into(room):
                body += room[:count]
                if len(body) > most:
                    raise TooLong(f"the answer has more than {most} bytes")
            if self._left:
                raise Broken("the connection was closed in the middle of the answer")
        finally:
            self.close()
        return bytes(body)

    def skip(self) -> None:
        """Read a short body that nobody wants, so that its connection can serve another exchange. Raises
        Broken."""
        if self._left is not None and self._left <= HEAD_BYTES:
            while self.read_into(_NOWHERE):
                pass

    def close(self) -> None:
        """End the exchange; its connection serves another one if the body was read to its end."""
        if self._closed:
            return
        self._closed = True
        if self._read_to_its_end():
            self._wire.rest()
        else:
            self._wire.close()


def request(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The bytes of a request without a body; raises Broken for what would be more than one."""
    if _BLANK.search(target) or any(_UNSAFE.search(value) for value in headers.values()):
        raise Broken("a request can hold no control characters")
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    try:
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
    except UnicodeEncodeError:
        raise Broken("a request can hold no characters beyond Latin-1") from None
