"""The server stops at once, whatever its clients do."""

import gc
import socket
import warnings

from dev.origins.hub.repository import Repository
from dev.origins.hub.server import HubServer

REPOSITORY = Repository("org/model", {"model.bin": bytes(32_000_000)})


def test_a_client_that_takes_nothing_holds_no_connection_after_the_stop() -> None:
    with warnings.catch_warnings(record=True) as seen, socket.socket() as client:
        warnings.simplefilter("always")
        with HubServer(REPOSITORY, cdn_port=None) as hub:
            host, _, port = hub.url.removeprefix("http://").partition(":")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((host, int(port)))
            client.sendall(f"GET /org/model/resolve/main/model.bin HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = client.recv(4096).decode()
            location = next(line for line in head.splitlines() if line.lower().startswith("location:"))
            path = location.split(" ", 1)[1].split(hub.url)[-1]
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert client.recv(16)
        gc.collect()
    assert not [str(each.message) for each in seen]
