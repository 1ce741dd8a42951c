"""`python -m dev.origins.hub` serves a folder, says where, and obeys its own routes until it is stopped."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from dev.origins import certificates
from dev.origins.hub import repository


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {"org/model/model.bin": b"12345", "org/model/sub/a.json": b"{}", "datasets/org/data/t.csv": b"1"}
    for name, body in files.items():
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_bytes(body)
    return tmp_path / "root"


@contextlib.contextmanager
def command(*arguments: str) -> Iterator[str]:
    """The URL that a running server prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.origins.hub", *arguments], stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[1]
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_a_folder_is_served_with_gating_rate_log_and_branches(root: Path, http: urllib3.PoolManager) -> None:
    arguments = ["--root", str(root), "--token", "hf_good", "--gated", "org/model", "--rate", "3MB"]
    with command(*arguments) as url:
        info = http.request("GET", f"{url}/api/models/org/model").json()
        assert [file["rfilename"] for file in info["siblings"]] == ["model.bin", "sub/a.json"]
        assert http.request("GET", f"{url}/org/model/resolve/main/model.bin").status == 401
        headers = {"Authorization": "Bearer hf_good"}
        found = http.request("GET", f"{url}/org/model/resolve/main/model.bin", headers=headers, retries=2)
        assert found.data == b"12345"
        assert http.request("GET", f"{url}/api/datasets/org/data").status == 200
        log = http.request("GET", f"{url}/-/log?file=model.bin").json()
        assert [(entry["listener"], entry["status"], entry["sent"]) for entry in log] == [
            ("hub", 401, 0),
            ("hub", 302, 0),
            ("cdn", 200, 5),
        ]
        assert http.request("PUT", f"{url}/-/rate", body='{"rate": "9MB"}').status == 204
        assert http.request("PUT", f"{url}/-/rate", body='{"rate": "fast"}').status == 400
        move = {"repository": "org/model", "branch": "next", "revision": "main"}
        assert http.request("POST", f"{url}/-/refs", body=json.dumps(move)).status == 204
        assert http.request("GET", f"{url}/api/models/org/model/revision/next").status == 200
        move["revision"] = "nowhere"
        assert http.request("POST", f"{url}/-/refs", body=json.dumps(move)).status == 400


def test_it_speaks_tls(root: Path, tmp_path: Path) -> None:
    made = certificates.make(tmp_path, "127.0.0.1")
    arguments = ["--root", str(root), "--tls-cert", str(made.certificate), "--tls-key", str(made.key)]
    with command(*arguments) as url, urllib3.PoolManager(ca_certs=str(made.authority)) as http:
        assert url.startswith("https://")
        assert http.request("GET", f"{url}/org/model/resolve/main/model.bin").data == b"12345"


def test_the_same_folder_gives_the_same_commits(root: Path) -> None:
    assert [one.sha for one in repository.from_root(root)] == [one.sha for one in repository.from_root(root)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gated", "org/none"], "no such repository"),
        (["--tls-cert", "x"], "--tls-key"),
        (["--host", "192.0.2.1"], "assign requested address"),
    ],
    ids=["unknown repository", "half of TLS", "foreign address"],
)
def test_a_bad_argument_is_one_line(root: Path, arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dev.origins.hub", "--root", str(root), *arguments],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
