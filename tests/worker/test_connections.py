"""How connections are kept, left and led through proxies."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dev.origins import certificates
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Request
from modelsync.worker.common.retry import Transient
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network

Serve = Callable[[socket.socket], None]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def serving(serve: Serve) -> Iterator[int]:
    """Each connection to this port is served in a thread of its own."""

    def quietly(connected: socket.socket) -> None:
        with connected, suppress(OSError):  # the client may be gone, which is what some tests are about
            serve(connected)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connected, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=quietly, args=(connected,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def head(connected: socket.socket) -> bytes:
    """The next request; empty when the other end is done."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        piece = connected.recv(65536)
        if not piece:
            return b""
        data += piece
    return data


def body(transport: Transport, url: str) -> bytes:
    return transport.get(Request(url=url), {}).response.read()


@pytest.fixture
def transport() -> Iterator[Transport]:
    found = Transport(Network(timeout_seconds=2.0))
    yield found
    found.close()


def test_a_connection_serves_many_requests(transport: Transport) -> None:
    connections: list[socket.socket] = []

    def serve(connected: socket.socket) -> None:
        connections.append(connected)
        with connected:
            while head(connected):
                connected.sendall(ANSWER)

    with serving(serve) as port:
        assert [body(transport, f"http://127.0.0.1:{port}/{number}") for number in range(5)] == [b"ok"] * 5
        assert len(connections) == 1


LEFT = {
    "after its answer": lambda connected: connected.shutdown(socket.SHUT_RDWR),
    "at the next request": lambda connected: head(connected),
}


@pytest.mark.parametrize("leave", LEFT.values(), ids=LEFT.keys())
def test_a_kept_connection_that_the_origin_left_is_replaced_at_once(
    transport: Transport, leave: Callable[[socket.socket], object]
) -> None:
    connections: list[socket.socket] = []
    left = threading.Event()

    def serve(connected: socket.socket) -> None:
        connections.append(connected)
        with connected:
            head(connected)
            connected.sendall(ANSWER)
            leave(connected)
        left.set()

    with serving(serve) as port:
        url = f"http://127.0.0.1:{port}/"
        assert body(transport, url) == b"ok"
        if leave is LEFT["after its answer"]:
            assert left.wait(5)
        assert body(transport, url) == b"ok"
        assert len(connections) == 2


def test_a_new_connection_that_ends_without_an_answer_is_tried_again_by_the_budget(
    transport: Transport,
) -> None:
    asked: list[bytes] = []

    def serve(connected: socket.socket) -> None:
        with connected:
            asked.append(head(connected))

    with serving(serve) as port, pytest.raises(Transient) as caught:
        body(transport, f"http://127.0.0.1:{port}/")
    assert caught.value.refused
    assert len(asked) == 1


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> certificates.Tls:
    return certificates.make(tmp_path_factory.mktemp("tls"), "origin.example", "127.0.0.1")


def secured(tls: certificates.Tls) -> Serve:
    """An origin that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)

    def serve(connected: socket.socket) -> None:
        with context.wrap_socket(connected, server_side=True) as speaking:
            while head(speaking):
                speaking.sendall(ANSWER)

    return serve


def tunnels(to: int, asked: list[bytes], context: ssl.SSLContext | None = None) -> Serve:
    """A proxy that connects to one port, whatever it is asked for."""

    def pipe(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass

    def serve(connected: socket.socket) -> None:
        if context is not None:
            connected = context.wrap_socket(connected, server_side=True)
        with connected, socket.create_connection(("127.0.0.1", to)) as origin:
            asked.append(head(connected))
            connected.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            threading.Thread(target=pipe, args=(origin, connected), daemon=True).start()
            pipe(connected, origin)

    return serve


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_https_origin_is_reached_through_a_tunnel(tls: certificates.Tls, scheme: str) -> None:
    asked: list[bytes] = []
    context = None
    if scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
    with serving(secured(tls)) as origin, serving(tunnels(origin, asked, context)) as proxy:
        network = Network(
            ca_file=str(tls.authority), proxies={"https": f"{scheme}://me:a%20b@127.0.0.1:{proxy}"}
        )
        transport = Transport(network)
        assert [body(transport, "https://origin.example/x") for _ in range(2)] == [b"ok", b"ok"]
        transport.close()
    assert len(asked) == 1
    assert asked[0].startswith(b"CONNECT origin.example:443 HTTP/1.")
    assert b"basic bWU6YSBi" in asked[0].replace(b"Basic", b"basic")


def test_a_proxy_of_another_kind_is_refused_before_anything_is_sent() -> None:
    transport = Transport(Network(proxies={"all": "socks5://127.0.0.1:9"}))
    with pytest.raises(Failure, match=r"speaks socks5\. Name one that begins with http://"):
        body(transport, "https://origin.example/x")


def test_a_proxy_that_refuses_is_named(tls: certificates.Tls) -> None:
    def serve(connected: socket.socket) -> None:
        with connected:
            head(connected)
            connected.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with serving(serve) as proxy:
        transport = Transport(Network(proxies={"https": f"http://127.0.0.1:{proxy}"}))
        with pytest.raises(Transient, match=r"proxy does not connect to origin\.example"):
            body(transport, "https://origin.example/x")


def test_an_origin_behind_a_tunnel_must_be_trusted_too(tls: certificates.Tls, tmp_path: Path) -> None:
    other = certificates.make(tmp_path, "elsewhere.example")
    with serving(secured(tls)) as origin, serving(tunnels(origin, [])) as proxy:
        network = Network(ca_file=str(other.authority), proxies={"https": f"http://127.0.0.1:{proxy}"})
        transport = Transport(network)
        with pytest.raises(Exception, match=r"certificate of origin\.example is not trusted"):
            body(transport, "https://origin.example/x")


def test_an_origin_that_never_answers_is_left_after_the_time_out() -> None:
    wait = threading.Event()

    def serve(connected: socket.socket) -> None:
        with connected:
            wait.wait(10)

    transport = Transport(Network(timeout_seconds=0.1))
    with serving(serve) as port, pytest.raises(Transient, match="was reached, but its answer did not begin"):
        body(transport, f"http://127.0.0.1:{port}/")
    wait.set()
