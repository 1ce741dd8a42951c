"""`modelsync pull`: variables, tokens and names as people have them, before the first request and after."""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.origins.files.web import WebOrigin
from dev.origins.hub import HubServer, Repository
from tests.worker.conftest import Refusal
from tests.worker.test_pull import GOOD, arguments, environment, pull, pull_by_python


@pytest.fixture
def hub() -> Iterator[HubServer]:
    repositories = (
        Repository("org/model", {"config.json": b"{}"}),
        Repository("org/gated", {"config.json": b"{}"}, gated=True),
    )
    with HubServer(*repositories, tokens={GOOD: None}) as server:
        yield server


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"SSL_CERT_FILE": "/no/such.pem"}, "SSL_CERT_FILE: '/no/such.pem'"),
        ({"SSL_CERT_FILE": __file__}, "no certificate in it"),
        ({"HF_ENDPOINT": "hub.example.org"}, "HF_ENDPOINT: 'hub.example.org' must be a base URL"),
        ({"HTTPS_PROXY": "socks5://user:canary@proxy:1080"}, "HTTPS_PROXY: must be the address of an HTTP"),
        ({"http_proxy": "http://proxy:port"}, "http_proxy: must be the address"),
        ({"ALL_PROXY": "http://"}, "ALL_PROXY: must be the address"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_a_wrong_variable_is_named_before_the_first_request(
    refused: Refusal, hub: HubServer, tmp_path: Path, variables: dict[str, str], says: str
) -> None:
    done = refused("hf://org/model", "--to", tmp_path / "new", **{"HF_ENDPOINT": hub.url} | variables)
    assert (done.code, done.stdout) == (2, "")
    assert says in done.stderr and "canary" not in done.stderr
    assert not (tmp_path / "new").exists() and not hub.log.entries()


def test_a_profile_is_not_read_and_says_so(refused: Refusal, tmp_path: Path) -> None:
    done = refused("s3://bucket/x", "--to", tmp_path / "new", AWS_PROFILE="work")
    assert done.code == 2 and "AWS_PROFILE: profiles are not read" in done.stderr


@pytest.mark.parametrize(
    "stored", [f"{GOOD}\n", f"  {GOOD}\r\n", f"\ufeff{GOOD}"], ids=["a line end", "blanks", "a mark of UTF-8"]
)
def test_a_token_is_read_alike_from_variable_and_file(hub: HubServer, tmp_path: Path, stored: str) -> None:
    (tmp_path / "token").write_text(stored, encoding="utf-8", newline="")
    by_file = ("--token-file", tmp_path / "token", "--endpoint", hub.url)
    done = pull("hf://org/gated", "--to", tmp_path / "file", *by_file)
    assert done.returncode == 0, done.stderr
    done = pull(
        "hf://org/gated", "--to", tmp_path / "variable", HF_ENDPOINT=hub.url, HF_TOKEN=stored.strip("\ufeff")
    )
    assert done.returncode == 0, done.stderr


def test_a_token_file_that_is_no_text_says_so(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(GOOD, encoding="utf-16")
    done = pull(
        "hf://org/gated", "--to", tmp_path / "x", "--token-file", tmp_path / "token", "--endpoint", hub.url
    )
    assert done.returncode == 2 and "is not text in UTF-8" in done.stderr and "Traceback" not in done.stderr


def test_a_file_gets_the_name_that_is_given(tmp_path: Path) -> None:
    with WebOrigin({"download": b"weights"}) as origin:
        done = pull(f"{origin.url}/download", "--to", tmp_path, "--name", "deep/model.safetensors")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "deep/model.safetensors").read_bytes() == b"weights"


def test_names_are_utf8_whatever_the_locale(tmp_path: Path) -> None:
    files = {"größe-模型.txt": b"x"}
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    with HubServer(Repository("org/model", files)) as hub:
        done = pull_by_python("hf://org/model", "--to", tmp_path, HF_ENDPOINT=hub.url, **plain)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "größe-模型.txt").read_bytes() == b"x"


@pytest.mark.parametrize("limit", [8, 10, 11, 12, 13])
def test_too_few_open_files_are_named_wherever_they_run_out(tmp_path: Path, limit: int) -> None:
    """In the loader, a connection, the staging directory or the journal."""
    with WebOrigin({"model.bin": b"weights" * 100_000}) as origin:
        command = shlex.join(arguments(f"{origin.url}/model.bin", "--to", tmp_path / "new"))
        limited = ["sh", "-c", f"ulimit -n {limit}; exec {command}"]
        done = subprocess.run(limited, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "open files" in done.stderr, done.stderr
    assert limit > 8 or done.returncode
