"""Names are looked up once for many connections, and again when that no longer helps."""

import socket
from pathlib import Path

import pytest

from dev.origins.files.web import WebOrigin
from modelsync.worker.common.model import Request
from modelsync.worker.common.retry import Transient
from modelsync.worker.http import connector
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from modelsync.worker.http.dns_cache import KEPT_SECONDS, Names


class Asked:
    """Answers lookups and counts them."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.count, self.now = list(addresses), 0, 0.0

    def __call__(self, host: str, port: int) -> list[str]:
        self.count += 1
        if not self.addresses:
            raise socket.gaierror(-2, "Name or service not known")
        return self.addresses

    def names(self) -> Names:
        return Names(self, clock=lambda: self.now)


def test_a_name_is_asked_once_a_while() -> None:
    asked = Asked("10.0.0.1")
    names = asked.names()
    for second in (0.0, 1.0, KEPT_SECONDS - 1):
        asked.now = second
        assert names.addresses("hub.example", 443) == ["10.0.0.1"]
    assert asked.count == 1
    asked.now = KEPT_SECONDS
    names.addresses("hub.example", 443)
    assert asked.count == 2


def test_an_unknown_name_is_asked_each_time() -> None:
    asked = Asked()
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            asked.names().addresses("nowhere.example", 443)
    assert asked.count == 2


@pytest.fixture
def transport() -> Transport:
    return Transport(Network(timeout_seconds=5.0))


def reached(transport: Transport, origin: WebOrigin) -> int:
    port = origin.url.rpartition(":")[2]
    answer = transport.get(Request(url=f"http://hub.example:{port}/x"), {})
    answer.response.close()
    return answer.response.status


def test_connections_share_a_lookup_and_try_each_address(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = Asked("127.0.0.2", "127.0.0.1")  # nobody listens at the first
    monkeypatch.setattr(connector, "NAMES", asked.names())
    with WebOrigin({"x": b"12345678"}) as origin:
        assert [reached(transport, origin) for _ in range(3)] == [200, 200, 200]
    assert asked.count == 1


def test_a_name_whose_addresses_all_fail_is_looked_up_again(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked("127.0.0.2")
    monkeypatch.setattr(connector, "NAMES", asked.names())
    with WebOrigin({"x": b"12345678"}) as origin:
        with pytest.raises(Transient):
            reached(transport, origin)
        asked.addresses = ["127.0.0.1"]
        assert reached(transport, origin) == 200


def test_a_name_that_cannot_be_resolved_is_reported(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "NAMES", Asked().names())
    with pytest.raises(Transient, match=r"hub\.example cannot be resolved"):
        transport.get(Request(url="http://hub.example/x"), {})
