"""Connections to one host share a TLS session."""

import http.server
import ssl
import threading
from collections.abc import Iterator

import pytest

from dev.origins import certificates
from modelsync.worker.common.model import Request
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network


class Server(http.server.ThreadingHTTPServer):
    """Notes for each connection whether it resumed a session."""

    daemon_threads = True

    def __init__(self, tls: certificates.Tls) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.resumed: list[bool] = []
        self.url = f"https://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.resumed.append(bool(self.connection.session_reused))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> certificates.Tls:
    return certificates.make(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture
def server(tls: certificates.Tls) -> Iterator[Server]:
    with Server(tls) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_a_second_connection_resumes_the_first_ones_session(server: Server, tls: certificates.Tls) -> None:
    transport = Transport(Network(ca_file=str(tls.authority)))
    assert transport.get(Request(url=server.url), {}).response.read() == b"ok"
    first, second = (transport.get(Request(url=server.url), {}) for _ in range(2))
    assert (first.response.read(), second.response.read()) == (b"ok", b"ok")
    assert server.resumed == [False, False, True], "two requests of one connection, and one of another"
    transport.close()


def test_many_connections_at_once_do_not_disturb_each_other(server: Server, tls: certificates.Tls) -> None:
    """A session taken from a socket in another thread's handshake failed now and then."""
    transport = Transport(Network(ca_file=str(tls.authority), connections=1))
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(20):
                assert transport.get(Request(url=server.url), {}).response.read() == b"ok"
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    transport.close()
    assert not failed
