"""The progress endpoint under attack: threads and time are bounded, and the operator is answered."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from modelsync.api import naming
from modelsync.api.protocol import ProgressReport
from modelsync.api.reasons import Stage
from modelsync.worker.attempt import progress_server

KEY = "the-key"
POLL_SECONDS = 5.0
"""How long the operator waits for an answer."""
REPORT = ProgressReport(uid="uid-1", attempt=1, stage=Stage.DOWNLOADING)


@pytest.fixture
def limits() -> list[int | None]:
    return []


@pytest.fixture
def serving(limits: list[int | None]) -> Iterator[progress_server.ProgressServer]:
    with progress_server.serving(
        progress_server.ProgressServer(0, KEY, lambda: REPORT, limits.append)
    ) as served:
        yield served


def asked(port: int, method: str = "GET", path: str = "/progress", body: str = "", key: str = KEY) -> int:
    """The status of one request; raises as sockets do."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=POLL_SECONDS)
    try:
        connection.request(method, path, body or None, {naming.KEY_HEADER: key})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def opened(port: int, count: int, first: bytes = b"") -> list[socket.socket]:
    found = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for each in found:
        with contextlib.suppress(OSError):
            each.sendall(first)
    return found


def ended(connection: socket.socket, within: float) -> bool:
    """Whether the other side ends a connection."""
    connection.settimeout(within)
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


@contextlib.contextmanager
def dripping(connections: list[socket.socket]) -> Iterator[None]:
    """A byte to each, again and again: no wait for the next bytes ever ends."""
    enough = threading.Event()

    def drip() -> None:
        while not enough.wait(0.2):
            for each in connections:
                with contextlib.suppress(OSError):
                    each.send(b"a")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def test_silent_and_dripping_connections_neither_make_threads_nor_keep_the_operator_out(
    serving: progress_server.ProgressServer, limits: list[int | None]
) -> None:
    before = threading.active_count()
    silent = opened(serving.port, 200)
    slow = opened(serving.port, 50, b"GET /progress HTTP/1.1\r\nX-Slow: ")
    try:
        with dripping(slow):
            for _ in range(20):
                assert asked(serving.port) == 200
                assert asked(serving.port, "PUT", "/limit", '{"bytesPerSecond": 7}') == 200
                silent += opened(serving.port, 5)
                assert threading.active_count() <= before + progress_server._MOST_CONNECTIONS + 1
    finally:
        for each in silent + slow:
            each.close()
    assert limits == [7] * 20


REQUESTS = {
    "silence": b"",
    "half a line": b"GET /prog",
    "a head without end": b"GET /progress HTTP/1.1\r\nX-A: b\r\n",
    "a body that never comes": b"PUT /limit HTTP/1.1\r\n"
    + f"{naming.KEY_HEADER}: {KEY}\r\nContent-Length: 9\r\n\r\n".encode(),
}


@pytest.mark.parametrize("start", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("drips", [False, True], ids=["then nothing", "then a byte now and then"])
def test_a_connection_has_a_bounded_time_in_all(
    serving: progress_server.ProgressServer, monkeypatch: pytest.MonkeyPatch, start: bytes, drips: bool
) -> None:
    monkeypatch.setattr(progress_server, "_SECONDS", 0.6)
    (connection,) = opened(serving.port, 1, start)
    with dripping([connection] if drips and "Content-Length" not in str(start) else []):
        assert ended(connection, 10), "it may live for 0.6 s"
    connection.close()
    assert asked(serving.port) == 200


def test_a_head_without_end_is_not_read_forever(
    serving: progress_server.ProgressServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_server, "_SECONDS", 3600.0)  # what ends it is its size
    (connection,) = opened(serving.port, 1, b"GET /progress HTTP/1.1\r\n")
    with contextlib.suppress(ConnectionError):
        for _ in range(1000):
            connection.sendall(b"X-Filler: " + b"a" * 1000 + b"\r\n")
    assert ended(connection, 60)
    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "key", "status"),
    [
        ("GET", "/progress", "", KEY, 200),
        ("GET", "/progress", "", "wrong", 403),
        ("GET", "/other", "", KEY, 404),
        ("PUT", "/limit", "{}", KEY, 200),
        ("PUT", "/limit", '{"bytesPerSecond": 0}', KEY, 422),
        ("PUT", "/limit", " " * 5000, KEY, 413),
    ],
)
def test_each_request_has_its_answer(
    serving: progress_server.ProgressServer, method: str, path: str, body: str, key: str, status: int
) -> None:
    assert asked(serving.port, method, path, body, key) == status


def test_the_end_does_not_wait_for_callers(limits: list[int | None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_server, "_SECONDS", 120.0)
    began = time.monotonic()
    with progress_server.serving(
        progress_server.ProgressServer(0, KEY, lambda: REPORT, limits.append)
    ) as served:
        connections = opened(served.port, 20)
    assert time.monotonic() - began < 60
    for each in connections:
        each.close()
