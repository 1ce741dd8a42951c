"""Origins that need long before their answer begins: they were reached, so they are waited for."""

import contextlib
import itertools
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from dev.origins import certificates
from dev.origins.content import Synthetic
from dev.origins.files.origin import Origin
from modelsync.api.reasons import Reason
from modelsync.worker.common.retry import Transient
from modelsync.worker.http import client as transports
from modelsync.worker.http.client import PATIENCE, Transport
from modelsync.worker.http.connector import Network
from tests.origins.syncs import CHUNK, Sync
from tests.worker.test_connections import ANSWER, Serve, body, head, serving, tunnels
from tests.worker.test_pull import pull

TIMEOUT = 0.1


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> certificates.Tls:
    return certificates.make(tmp_path_factory.mktemp("tls"), "origin.example", "127.0.0.1")


def late(seconds: float, asked: list[float], answer: bytes = ANSWER) -> Serve:
    """An origin whose every answer begins so late, whether or not it was asked before."""
    ended = threading.Event()

    def serve(connected: socket.socket) -> None:
        while head(connected):
            asked.append(time.monotonic())
            ended.wait(seconds)
            connected.sendall(answer)

    return serve


def tries(transport: Transport, url: str) -> tuple[bytes, int]:
    """What comes in the end, and after how many tries."""
    for number in range(1, 9):
        try:
            return body(transport, url), number
        except Transient as trouble:
            assert "was reached" in str(trouble)
            assert "worker.timeout" in str(trouble)
    raise AssertionError("it is given up")


def test_each_silence_makes_the_next_try_wait_longer_and_the_next_file_wait_at_once() -> None:
    asked: list[float] = []
    transport = Transport(Network(timeout_seconds=TIMEOUT))
    with serving(late(0.7, asked)) as port, contextlib.closing(transport):
        assert tries(transport, f"http://127.0.0.1:{port}/a")[1] > 1
        assert tries(transport, f"http://127.0.0.1:{port}/b") == (b"ok", 1)
    waited = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert all(
        seconds >= waits * TIMEOUT * 0.9 for seconds, waits in zip(waited[:-1], PATIENCE, strict=False)
    )


def over_tls(tls: certificates.Tls, plain: Serve) -> Serve:
    """The same origin behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)

    def serve(connected: socket.socket) -> None:
        with context.wrap_socket(connected, server_side=True) as speaking:
            plain(speaking)

    return serve


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_wait_goes_on_over_tls_and_over_tls_within_tls(tls: certificates.Tls, scheme: str) -> None:
    asked: list[float] = []
    seconds = 1.0
    with serving(over_tls(tls, late(2.5 * seconds, asked))) as origin:
        tunnel = tunnels(origin, [])
        with serving(over_tls(tls, tunnel) if scheme == "https" else tunnel) as proxy:
            proxies = {"https": f"{scheme}://127.0.0.1:{proxy}"}
            network = Network(timeout_seconds=seconds, ca_file=str(tls.authority), proxies=proxies)
            with contextlib.closing(Transport(network)) as transport:
                assert tries(transport, "https://origin.example/x") == (b"ok", len(asked))
    assert len(asked) == 2


def test_many_that_wait_at_once_are_one_silence(caplog: pytest.LogCaptureFixture) -> None:
    transport = Transport(Network(timeout_seconds=1.0))
    troubles: list[str] = []

    def ask(port: int) -> None:
        try:
            body(transport, f"http://127.0.0.1:{port}/")
        except Transient as trouble:
            troubles.append(str(trouble))

    with serving(late(2.5, [])) as port:
        threads = [threading.Thread(target=ask, args=(port,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(troubles) == 6
        assert set(transport._silences.values()) == {1}
    assert len(caplog.records) == 1


LIMITS = {"0.1 s": (0.1, [0.1, 0.5, 2.5, 3.0]), "10 s": (10, [10, 50, 250, 300]), "5 min": (300, [300] * 4),
    "an hour": (3600, [3600] * 4), "29 s": (29, [29, 145, 290, 290])}  # fmt: skip


@pytest.mark.parametrize(("seconds", "expected"), LIMITS.values(), ids=LIMITS)
def test_no_wait_is_longer_than_five_minutes_or_the_time_out(seconds: float, expected: list[float]) -> None:
    found = [transports.waits_of(silences, seconds) * seconds for silences in range(len(PATIENCE))]
    assert found == pytest.approx(expected)


def test_bytes_that_stop_within_a_head_are_not_waited_for_so_long() -> None:
    def serve(connected: socket.socket) -> None:
        head(connected)
        connected.sendall(b"HTTP/1.1 200 OK\r\nContent-")
        head(connected)

    transport = Transport(Network(timeout_seconds=TIMEOUT))
    with serving(serve) as port:
        for _ in range(3):
            with pytest.raises(Transient, match="does not answer in time"):
                body(transport, f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("kind", ["web", "hub"])
def test_a_file_whose_every_answer_begins_late_arrives(tmp_path: Path, kind: str) -> None:
    content = Synthetic(CHUNK, 5)
    with Origin({"model.bin": content}) as origin:
        origin.strike("model.bin", "late=0.7x*", "head:late=0.7x*", "resolve:late=0.7x*")
        sync = Sync(origin=origin, volume=tmp_path, kind=kind, digests=False, sizes=False, timeout=0.2)
        end = sync.run()
        assert end.reason is Reason.SYNCED, end.message
        assert sync.wrong() == []


def test_pull_waits_too_and_names_its_own_setting(tmp_path: Path) -> None:
    with Origin({"model.bin": b"weights"}) as origin:
        origin.strike("model.bin", "late=0.7x*")
        done = pull(f"{origin.url}/web/model.bin", "--to", tmp_path, HF_HUB_DOWNLOAD_TIMEOUT="0.2")
    assert done.returncode == 0, done.stderr
    assert "HF_HUB_DOWNLOAD_TIMEOUT" in done.stderr
    assert (tmp_path / "model.bin").read_bytes() == b"weights"
