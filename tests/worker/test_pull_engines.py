"""`modelsync pull` with a library as engine, over what the libraries must get right beyond plain HTTP."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.origins import certificates
from dev.origins.hub import HubServer, Repository, Synthetic
from dev.origins.programs import nginx, versitygw
from tests.worker import forked
from tests.worker.conftest import Refusal
from tests.worker.hubs import library
from tests.worker.test_pull import environment, hashes, pull

BODY = bytes(range(256)) * 9000
HASH = hashlib.sha256(BODY).hexdigest()
LIBRARIES = ("HFTransfer", "HuggingFaceHub")


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(Repository("org/model", {"config.json": b"{}", "model.onnx": BODY})) as server:
        yield server


@pytest.mark.parametrize("engine", LIBRARIES)
def test_a_cache_is_pulled_that_loads_offline(hub: HubServer, tmp_path: Path, engine: str) -> None:
    done = pull(
        "hf://org/model", "--to", tmp_path / "home", "--layout", "HuggingFaceCache", "--engine", engine,
        "--endpoint", hub.url,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    program = "from huggingface_hub import hf_hub_download as get; print(get('org/model', 'model.onnx'))"
    found = Path(library(tmp_path / "home", program))
    assert hashlib.sha256(found.read_bytes()).hexdigest() == HASH


def test_a_bucket_is_pulled_through_hf_transfer(tmp_path: Path) -> None:
    (tmp_path / "s3").mkdir()
    with versitygw.running(tmp_path / "s3") as server:
        server.put("models", {"llama/a.bin": BODY, "llama/deep/b": b""})
        done = pull(
            "s3://models/llama", "--to", tmp_path / "new", "--engine", "HFTransfer",
            AWS_ENDPOINT_URL=server.url,
            AWS_ACCESS_KEY_ID=server.access_key,
            AWS_SECRET_ACCESS_KEY=server.secret_key,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "new") == {"a.bin": HASH, "deep/b": hashlib.sha256(b"").hexdigest()}


def test_a_file_behind_https_is_pulled_through_hf_transfer_with_an_own_authority(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    with nginx.running(tmp_path / "web", tls=True) as server:
        server.put({"a.bin": BODY})
        done = pull(
            f"{server.url}/a.bin", "--to", tmp_path / "new", "--engine", "HFTransfer",
            SSL_CERT_FILE=str(server.authority),
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "new") == {"a.bin": HASH}


@pytest.mark.parametrize("engine", LIBRARIES)
def test_a_hub_behind_https_is_pulled_with_an_own_authority(tmp_path: Path, engine: str) -> None:
    made = certificates.make(tmp_path, "127.0.0.1")
    with HubServer(
        Repository("org/model", {"model.onnx": BODY}), certificate=(made.certificate, made.key)
    ) as hub:
        done = pull(
            "hf://org/model", "--to", tmp_path / "new", "--engine", engine, "--endpoint", hub.url,
            SSL_CERT_FILE=str(made.authority),
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "new") == {"model.onnx": HASH}


@pytest.mark.parametrize(
    ("engine", "xet"), [*((engine, False) for engine in LIBRARIES), (LIBRARIES[1], True)]
)
def test_a_killed_pull_leaves_no_download_behind_and_the_next_one_completes(
    tmp_path: Path, engine: str, xet: bool
) -> None:
    big = Repository("org/big", {"model.safetensors": Synthetic(4_000_000, seed=2)}, xet=xet)
    with HubServer(big, rate=100_000) as hub:
        given = (
            "hf://org/big", "--to", tmp_path / "home", "--engine", engine, "--endpoint", hub.url,
            "--layout", "HuggingFaceCache",
        )  # fmt: skip
        command = ["modelsync", "pull", *map(str, given)]
        with forked.Program(forked.MODELSYNC, command, environment()) as process:
            eventually(lambda: hub.bytes_sent("model.safetensors") > 100_000)
            (child,) = children_of(process.pid)
            process.kill()
        eventually(lambda: not Path(f"/proc/{child}").exists(), 5)
        hub.rate = None
        assert pull(*given).returncode == 0
        assert bool(hub.log.entries(listener="cas")) is xet
    program = "from huggingface_hub import hf_hub_download as get; print(get('org/big', 'model.safetensors'))"
    assert Path(library(tmp_path / "home", program)).stat().st_size == 4_000_000


def children_of(pid: int) -> list[int]:
    """Processes that a process, with any of its threads, has started; one of these may end meanwhile."""
    started: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            started += map(int, (task / "children").read_text().split())
    return started


def eventually(truth: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


REFUSED = {
    "a Hub's library for a bucket": (["s3://models/x", "--engine", "HuggingFaceHub"], "--engine"),
    "a Hub's layout for a bucket": (["s3://models/x", "--layout", "HuggingFaceCache"], "--layout"),
    "a limit": (["hf://org/model", "--engine", "HFTransfer", "--limit-rate", "1M"], "--limit-rate"),
}


@pytest.mark.parametrize(("given", "says"), REFUSED.values(), ids=REFUSED)
def test_what_an_engine_or_a_layout_cannot_do_is_reported_at_once(
    refused: Refusal, tmp_path: Path, given: list[str], says: str
) -> None:
    done = refused(*given, "--to", tmp_path / "new")
    assert done.code == 2
    assert says in done.stderr
    assert not (tmp_path / "new").exists()
