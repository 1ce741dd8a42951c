"""One HTTP exchange: what an answer may look like, and what is made of one that lies."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from modelsync.worker.http.http1 import HEAD_BYTES, Broken, Headers, Response, Unanswered, Wire, request

OK = b"HTTP/1.1 200 OK\r\n"


@dataclass
class Server:
    """The other end of a connection."""

    socket: socket.socket
    wire: Wire
    rested: list[Wire] = field(default_factory=list)

    def answers(self, answer: bytes, *, ends: bool = False, method: str = "GET") -> Response:
        """Ask, and answer with these bytes."""

        def serve() -> None:
            self.socket.recv(HEAD_BYTES)
            self.socket.sendall(answer)
            if ends:
                self.socket.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return self.wire.ask(method, "/x", {"Host": "origin.example"})
        finally:
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    ours, theirs = socket.socketpair()
    ours.settimeout(5.0)
    with ours, theirs:
        rested: list[Wire] = []
        yield Server(theirs, Wire(ours, rested.append), rested)


BODIES = {
    "a length": (b"Content-Length: 5\r\n\r\nhello", b"hello", True),
    "no bytes": (b"Content-Length: 0\r\n\r\n", b"", True),
    "chunks": (b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello", True),
    "chunks with a trailer": (
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nDigest: x\r\n\r\n",
        b"hello",
        True,
    ),
    "an answer that closes": (b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
    "garbage behind it": (b"Content-Length: 5\r\n\r\nhellogarbage", b"hello", False),
    "another answer behind it": (b"Content-Length: 5\r\n\r\nhello" + OK, b"hello", False),
    "chunks and an answer behind them": (
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1",
        b"hello",
        False,
    ),
}


@pytest.mark.parametrize(("answer", "body", "again"), BODIES.values(), ids=BODIES.keys())
def test_a_body_is_read_and_its_connection_serves_again_if_it_can(
    server: Server, answer: bytes, body: bytes, again: bool
) -> None:
    response = server.answers(OK + answer)
    assert response.status == 200
    assert response.read() == body
    response.close()
    assert (
        [wire.idle() for wire in server.rested] == [True]
        if again
        else True not in [wire.idle() for wire in server.rested]
    )
    if again:
        assert server.answers(OK + b"Content-Length: 2\r\n\r\nok").read() == b"ok"


def test_a_body_without_a_length_ends_with_its_connection(server: Server) -> None:
    assert server.answers(OK + b"\r\nhello", ends=True).read() == b"hello"
    assert not server.rested


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_answers_have_no_body(server: Server, status: bytes) -> None:
    assert server.answers(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n").read() == b""
    assert len(server.rested) == 1


def test_the_answer_to_head_has_none_either(server: Server) -> None:
    response = server.answers(OK + b"Content-Length: 5\r\n\r\n", method="HEAD")
    assert (response.headers["Content-Length"], response.read()) == ("5", b"")
    assert len(server.rested) == 1


def test_informational_answers_are_passed_over(server: Server) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3
    assert server.answers(early + OK + b"Content-Length: 2\r\n\r\nok").read() == b"ok"


BROKEN = {
    "no HTTP": b"220 ftp.example ready\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a length and chunks": OK
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a negative length": OK + b"Content-Length: -5\r\n\r\nhello",
    "a head without end": OK + b"X: " + b"x" * HEAD_BYTES,
    "informational answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "a folded header": OK + b"Content-Length: 5\r\n X: y\r\n\r\nhello",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_sound_answer_is_refused(server: Server, answer: bytes) -> None:
    with pytest.raises(Broken) as caught:
        server.answers(answer, ends=True)
    assert not isinstance(caught.value, Unanswered)


def test_a_connection_that_ends_before_an_answer_is_distinguished(server: Server) -> None:
    with pytest.raises(Unanswered):
        server.answers(b"", ends=True)


CUT = {
    "in a body of a length": b"Content-Length: 5\r\n\r\nhel",
    "in chunks": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
}


@pytest.mark.parametrize("answer", CUT.values(), ids=CUT.keys())
def test_a_cut_gives_the_bytes_before_it_and_no_more(server: Server, answer: bytes) -> None:
    response = server.answers(OK + answer, ends=True)
    room = memoryview(bytearray(10))
    assert response.read_into(room) == 3
    try:
        assert response.read_into(room) == 0
    except Broken:
        assert b"chunked" in answer
    response.close()
    assert not server.rested


def test_chunks_that_make_no_sense_break_the_exchange(server: Server) -> None:
    response = server.answers(OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello")
    with pytest.raises(Broken):
        response.read()


def test_a_kept_connection_that_ends_before_the_request_is_distinguished_too(server: Server) -> None:
    assert server.answers(OK + b"Content-Length: 2\r\n\r\nok").read() == b"ok"
    server.socket.close()
    with pytest.raises(Unanswered):
        server.wire.ask("GET", "/", {})


def test_a_wait_without_an_answer_is_reported(server: Server) -> None:
    server.wire._socket.settimeout(0.05)  # type: ignore[attr-defined]
    with pytest.raises(Broken) as caught:
        server.wire.ask("GET", "/", {})
    assert isinstance(caught.value.__cause__, TimeoutError)


def test_headers_are_found_whatever_their_case() -> None:
    headers = Headers({"ETag": '"1"'})
    headers.add(b"Vary", b"a")
    headers.add(b"vary", b"b")
    assert (headers["etag"], headers.get("VARY"), headers.get("Date")) == ('"1"', "a, b", None)
    assert "eTag" in headers and "Date" not in headers and len(headers) == 2
    assert list(headers) == ["etag", "vary"]


SMUGGLED = {
    "a header's value": ("/x", {"A": "b\r\nHost: evil.example"}),
    "a target with a line": ("/x\r\nHost: evil.example", {}),
    "a target with a blank": ("/x HTTP/1.1", {}),
    "letters beyond Latin-1": ("/x", {"A": "\u0141"}),
}


@pytest.mark.parametrize(("target", "headers"), SMUGGLED.values(), ids=SMUGGLED.keys())
def test_a_request_is_one_request(target: str, headers: dict[str, str]) -> None:
    with pytest.raises(Broken):
        request("GET", target, headers)


def test_a_request_is_written_as_it_should_be() -> None:
    sent = request("GET", "/a?b=c", {"Host": "origin.example", "Range": "bytes=0-1"})
    assert sent == b"GET /a?b=c HTTP/1.1\r\nHost: origin.example\r\nRange: bytes=0-1\r\n\r\n"
