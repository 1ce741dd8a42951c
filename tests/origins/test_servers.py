"""The foreign origins come up, serve what was put, and are gone after the test."""

import hashlib
import os
import select
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from botocore.exceptions import ClientError

from dev.origins import processes
from dev.origins.programs import nginx, versitygw

BODY = bytes(range(256)) * 4000


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[versitygw.Versitygw]:
    with versitygw.running(tmp_path_factory.mktemp("s3")) as server:
        yield server


def test_s3_gives_back_what_was_put_with_its_checksum(s3: versitygw.Versitygw) -> None:
    s3.put("models", {"a/weights.bin": BODY, "a/config.json": b"{}"})
    with s3.client() as client:
        listed = client.list_objects_v2(Bucket="models", Prefix="a/")
        assert [(found["Key"], found["Size"]) for found in listed["Contents"]] == [
            ("a/config.json", 2),
            ("a/weights.bin", len(BODY)),
        ]
        head = client.head_object(Bucket="models", Key="a/weights.bin", ChecksumMode="ENABLED")
        assert "ChecksumSHA256" in head
        assert client.get_object(Bucket="models", Key="a/weights.bin")["Body"].read() == BODY


def test_s3_serves_ranges_of_presigned_urls(s3: versitygw.Versitygw) -> None:
    s3.put("presigned", {"weights.bin": BODY}, checksum=False)
    with s3.client() as client, urllib3.PoolManager(retries=False) as http:
        url = client.generate_presigned_url(
            "get_object", Params={"Bucket": "presigned", "Key": "weights.bin"}
        )
        etag = client.head_object(Bucket="presigned", Key="weights.bin")["ETag"]
        found = http.request("GET", url, headers={"Range": "bytes=10-19", "If-Match": etag})
        assert (found.status, found.data) == (206, BODY[10:20])
        assert http.request("GET", url, headers={"If-Match": '"other"'}).status == 412


def test_s3_refuses_a_wrong_secret(s3: versitygw.Versitygw) -> None:
    wrong = versitygw.Versitygw(url=s3.url, secret_key="wrong")
    with wrong.client() as client, pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client.list_buckets()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_nginx_serves_ranges_with_etags_and_counts_bytes(tmp_path: Path, tls: bool) -> None:
    with nginx.running(tmp_path, tls=tls) as server:
        server.put({"model/weights.bin": BODY})
        trust = str(server.authority) if server.authority else None
        with urllib3.PoolManager(retries=False, ca_certs=trust) as http:
            url = f"{server.url}/model/weights.bin"
            whole = http.request("GET", url)
            assert hashlib.sha256(whole.data).digest() == hashlib.sha256(BODY).digest()
            headers = {"Range": "bytes=5-9", "If-Range": whole.headers["ETag"]}
            part = http.request("GET", url, headers=headers)
            assert (part.status, part.data) == (206, BODY[5:10])
            moved = http.request("GET", f"{server.url}/moved/model/weights.bin", redirect=False)
            assert moved.status == 302
            assert urllib.parse.urlsplit(moved.headers["Location"]).path == "/model/weights.bin"
    assert server.bytes_sent("model/weights.bin") == len(BODY) + 5


def test_nginx_asks_for_a_password_below_private(tmp_path: Path) -> None:
    with nginx.running(tmp_path) as server, urllib3.PoolManager(retries=False) as http:
        server.put({"private/weights.bin": b"1"})
        url = f"{server.url}/private/weights.bin"
        headers = urllib3.make_headers(basic_auth=f"{server.user}:{server.password}")
        assert http.request("GET", url).status == 401
        assert http.request("GET", url, headers=headers).data == b"1"


def test_a_server_is_gone_after_the_block(tmp_path: Path) -> None:
    with nginx.running(tmp_path) as server:
        port = urllib.parse.urlsplit(server.url).port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port or 0), timeout=1)


def test_a_server_dies_with_a_killed_test_run(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys, signal\n"
        "from dev.origins.programs import nginx\n"
        "with nginx.running(pathlib.Path(sys.argv[1])) as server:\n"
        "    print(server.url, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True)
    port = urllib.parse.urlsplit(done.stdout.strip()).port
    assert port is not None, done.stderr
    pid = int((tmp_path / "nginx.pid").read_text())
    _wait_for_end(pid)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def _wait_for_end(pid: int) -> None:
    """Wait for a process that is not our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 10)[0]
    finally:
        os.close(descriptor)


def test_a_server_that_cannot_start_says_what_it_printed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such luck')"]
    with (
        pytest.raises(processes.OriginError, match="no such luck"),
        processes.running(lambda _: command, "127.0.0.1", tmp_path / "log"),
    ):
        pass
