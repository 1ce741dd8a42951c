"""`modelsync pull` as a user runs it: a process, real origins, exit codes, Ctrl-C and going on."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dev.origins.faults import ALWAYS, ANY, Header, Status
from dev.origins.files.web import WebOrigin
from dev.origins.hub import HubServer, Repository, Synthetic
from dev.origins.programs import nginx, versitygw
from modelsync.api import exitcodes
from modelsync.api.reasons import Reason
from tests.worker import forked
from tests.worker.conftest import KEPT, Refusal

PACKAGE = Path(__file__).resolve().parents[2] / "operator"
GOOD = "hf_good"
SIZE = 24_000_000
FILES: dict[str, bytes | Synthetic] = {
    "config.json": b"{}",
    "deep/empty": b"",
    "model.safetensors": Synthetic(SIZE, seed=3),
}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    repositories = (
        Repository("org/model", FILES),
        Repository("org/gated", {"config.json": b"{}"}, gated=True),
    )
    with HubServer(*repositories, tokens={GOOD: None}) as server:
        yield server


def environment(**more: str) -> dict[str, str]:
    """An environment without the settings of the user who runs the tests."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": str(PACKAGE), **more}


def arguments(*given: str | Path) -> list[str]:
    return [sys.executable, "-m", "modelsync", "pull", *map(str, given)]


def pull(*given: str | Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """The command in a process that was forked for it."""
    return forked.run(forked.MODELSYNC, ["modelsync", "pull", *map(str, given)], environment(**variables))


def pull_by_python(*given: str | Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """The command from the start of Python."""
    return subprocess.run(
        arguments(*given),
        capture_output=True,
        text=True,
        env=environment(**variables),
        timeout=60,
        check=False,
    )


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of all files by path, without our own folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and ".modelsync" not in path.parts
    }


def expected(hub: HubServer, name: str) -> Mapping[str, str]:
    commit = hub.state.repositories["model", name].find("main")
    assert commit is not None
    return {path: file.sha256 for path, file in commit.files.items()}


def test_a_repository_is_pulled_verified_and_not_fetched_twice(hub: HubServer, tmp_path: Path) -> None:
    done = pull_by_python("hf://org/model", "--to", tmp_path / "new" / "model", HF_ENDPOINT=hub.url)
    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "new" / "model") == expected(hub, "org/model")
    assert done.stdout.startswith(f"3 files, 24.0MB in {tmp_path}")
    sent = hub.bytes_sent()
    again = pull("hf://org/model", "--to", tmp_path / "new" / "model", HF_ENDPOINT=hub.url)
    assert again.returncode == 0
    assert "24.0MB reused" in again.stdout
    assert hub.bytes_sent() == sent


def test_patterns_choose_files(hub: HubServer, tmp_path: Path) -> None:
    done = pull(
        "hf://org/model", "--to", tmp_path, "--allow", "*.json", "--allow", "deep/*", "--ignore", "*empty",
        "--endpoint", hub.url,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(hashes(tmp_path)) == {"config.json"}


def test_a_preset_chooses_files_with_patterns_besides(hub: HubServer, tmp_path: Path) -> None:
    done = pull(
        "hf://org/model", "--to", tmp_path, "--preset", "safetensors", "--ignore", "config*",
        "--endpoint", hub.url,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(hashes(tmp_path)) == {"model.safetensors"}


def test_an_expected_digest_is_held_against_the_source(hub: HubServer, tmp_path: Path) -> None:
    given = ("hf://org/model", "--allow", "*.json", "--endpoint", hub.url, "--to", tmp_path)
    wrong = pull(*given, "--expected-digest", f"sha256:{'0' * 64}")
    assert wrong.returncode == exitcodes.BY_REASON[Reason.CHECKSUM_MISMATCH]
    assert "--expected-digest is sha256:000" in wrong.stderr and "give their digest" in wrong.stderr
    assert hub.bytes_sent() == 0
    found = pull(*given)
    digest = found.stdout.splitlines()[-1]
    assert digest.startswith("sha256:") and digest in wrong.stderr
    assert pull(*given, "--expected-digest", digest).returncode == 0


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--preset", "ggfu", "known are"), ("--expected-digest", "sha256:1", "64 hexadecimal")],
)
def test_a_preset_or_digest_that_is_none_is_refused(
    option: str, value: str, said: str, tmp_path: Path
) -> None:
    done = pull("hf://org/model", "--to", tmp_path, option, value)
    assert done.returncode == 2
    assert option in done.stderr and said in done.stderr


def test_a_veto_of_the_environment_is_respected(hub: HubServer, tmp_path: Path) -> None:
    given = ("hf://org/model", "--to", tmp_path / "model", "--endpoint", hub.url)
    done = pull(*given, DISABLE_MODEL_DOWNLOADS="true")
    assert done.returncode == exitcodes.BY_REASON[Reason.DOWNLOADS_DISABLED]
    assert "DISABLE_MODEL_DOWNLOADS is set" in done.stderr
    report = json.loads(pull(*given, "--json", DISABLE_MODEL_DOWNLOADS="true").stdout)
    assert report["reason"] == "DownloadsDisabled"
    assert not (tmp_path / "model").exists()
    assert hub.log.entries() == []


def test_retries_and_timeouts_come_from_the_environment(hub: HubServer, tmp_path: Path) -> None:
    hub.strike("model.safetensors", Status(503), Header("Retry-After", "0"), role=ANY, times=ALWAYS)
    given = ("hf://org/model", "--to", tmp_path, "--endpoint", hub.url, "--connections", "1")
    done = pull(*given, HF_DOWNLOAD_MAX_RETRIES="2")
    assert done.returncode == exitcodes.BY_REASON[Reason.ORIGIN_ERROR], done.stderr
    asked = hub.log.entries(path="model.safetensors", listener="hub")
    assert len(asked) == 3
    wrong = pull(*given, HF_HUB_DOWNLOAD_TIMEOUT="soon")
    assert wrong.returncode == 2
    assert "HF_HUB_DOWNLOAD_TIMEOUT: 'soon' must be a number of seconds" in wrong.stderr


def test_proxies_and_their_exceptions_come_from_the_environment(tmp_path: Path) -> None:
    with (
        WebOrigin({"near.bin": b"direct"}) as origin,
        WebOrigin({"far.bin": b"by way of the proxy"}) as proxy,
    ):
        variables = {"HTTP_PROXY": proxy.url, "NO_PROXY": "127.0.0.1"}
        done = pull("http://far.example/far.bin", f"{origin.url}/near.bin", "--to", tmp_path, **variables)
        assert done.returncode == 0, done.stderr
        assert len(origin.log) > 0
    assert (tmp_path / "far.bin").read_bytes() == b"by way of the proxy"
    assert (tmp_path / "near.bin").read_bytes() == b"direct"


def test_a_token_of_the_environment_opens_a_gated_repository(hub: HubServer, tmp_path: Path) -> None:
    done = pull("hf://org/gated", "--to", tmp_path, HF_ENDPOINT=hub.url, HF_TOKEN=GOOD)
    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path) == expected(hub, "org/gated")


def test_a_silent_origin_is_given_up_after_the_environments_timeout(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/model.bin"
        started = time.monotonic()
        done = pull(address, "--to", tmp_path, HF_HUB_DOWNLOAD_TIMEOUT="0.1", HF_DOWNLOAD_MAX_RETRIES="0")
        assert done.returncode == exitcodes.BY_REASON[Reason.NETWORK_ERROR], done.stderr
        assert time.monotonic() - started < 9


def test_ctrl_c_keeps_what_is_there_and_the_same_command_goes_on(hub: HubServer, tmp_path: Path) -> None:
    hub.rate = 8_000_000
    command = arguments("hf://org/model", "--to", tmp_path, "--json", "--endpoint", hub.url)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["progress"]["bytesDone"] > 4_000_000:
                process.send_signal(signal.SIGINT)
                break
        rest, _ = process.communicate(timeout=10)
    last = json.loads(rest.splitlines()[-1])
    assert process.returncode == exitcodes.INTERRUPTED
    assert last["reason"] == "Interrupted"
    assert "run the same command again" in last["message"]
    assert "model.safetensors" not in hashes(tmp_path)
    hub.rate = None
    again = pull("hf://org/model", "--to", tmp_path, "--json", "--endpoint", hub.url)
    result = json.loads(again.stdout.splitlines()[-1])
    assert (again.returncode, result["reason"]) == (0, "Synced")
    assert result["progress"]["bytesReused"] > 2_000_000
    assert hashes(tmp_path) == expected(hub, "org/model")


def test_a_limit_is_kept(hub: HubServer, tmp_path: Path) -> None:
    started = time.monotonic()
    done = pull("hf://org/model", "--to", tmp_path, "--limit-rate", "12M", "--endpoint", hub.url)
    assert done.returncode == 0
    assert time.monotonic() - started > SIZE / 12_000_000 * 0.95


def test_a_source_loads_only_its_own_library_and_writes_nothing_at_home(
    hub: HubServer, tmp_path: Path
) -> None:
    script = (
        "import sys\n"
        "from modelsync.cli import pull\n"
        "from modelsync.api.source.sources import HuggingFaceSource, Source\n"
        "from modelsync.worker.sources.credentials import Given\n"
        "from modelsync.worker.sources import factory\n"
        "from modelsync.worker.http.connector import Network\n"
        "loaded = lambda: sorted({'boto3', 'huggingface_hub', 'kopf', 'kubernetes'} & set(sys.modules))\n"
        "print(loaded())\n"
        "spec = Source(hugging_face=HuggingFaceSource(repository='org/model', endpoint=sys.argv[1]))\n"
        "factory.open_source(spec, Given(where='x'), Network()).resolve(None)\n"
        "print(loaded())\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, hub.url],
        capture_output=True, text=True, check=True, timeout=60, env={**environment(), "HOME": str(home)},
    )  # fmt: skip
    assert done.stdout.splitlines() == ["[]", "['huggingface_hub']"]
    assert list(home.iterdir()) == []


FAILING = {
    "unknown repository": (["hf://org/none"], {}, Reason.NOT_FOUND, "org/none"),
    "unknown revision": (["hf://org/model@v9"], {}, Reason.REVISION_NOT_FOUND, "--revision"),
    "gated": (["hf://org/gated"], {}, Reason.ACCESS_DENIED, "HF_TOKEN or --token-file"),
    "wrong token": (["hf://org/gated"], {"HF_TOKEN": "hf_canary"}, Reason.AUTHENTICATION_FAILED, "HF_TOKEN"),
    "nothing matches": (["hf://org/model", "--allow", "x"], {}, Reason.NOTHING_MATCHED, "--allow"),
}


@pytest.mark.parametrize(("given", "variables", "reason", "says"), FAILING.values(), ids=FAILING)
def test_a_failure_is_one_clear_sentence_and_the_workers_exit_code(
    hub: HubServer, tmp_path: Path, given: list[str], variables: dict[str, str], reason: Reason, says: str
) -> None:
    done = pull(*given, "--to", tmp_path, HF_ENDPOINT=hub.url, **variables)
    assert done.returncode == exitcodes.BY_REASON[reason], done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("modelsync: ")
    assert says in line
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr
    assert hashes(tmp_path) == {}


def test_a_token_file_opens_a_gated_repository(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{GOOD}\n")
    done = pull(
        "hf://org/gated",
        "--to",
        tmp_path / "model",
        "--token-file",
        tmp_path / "token",
        "--endpoint",
        hub.url,
    )
    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "model") == expected(hub, "org/gated")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["org/model"], "expected hf://org/name"),
        (["hf://org/model", "--limit-rate", "fast"], "--limit-rate: 'fast' must be a quantity"),
        (["hf://org/model", "--limit-rate", "0"], "--limit-rate: '0' must be a quantity of at least 1k"),
        (["hf://org/model", "--limit-rate", "5m"], "(M is mega, m is milli)"),
        (["hf://org/model", "--limit-rate=-5M"], "--limit-rate: '-5M' must be"),
        (["hf://org/model", "--ignore", "/onnx"], "--ignore: '/onnx' must be a shell pattern"),
        (["hf://org/model", "--allow", ""], "--allow: '' must be a shell pattern"),
        (["hf://org/model", "--sha256", "0" * 64], "--sha256: applies to https:// sources"),
        (["hf://org/model", "--region", "eu"], "--region: applies to s3:// sources"),
        (["hf://org/model", "--requester-pays"], "--requester-pays: applies to s3:// sources"),
        (["hf://org/model", "--addressing-style", "path"], "--addressing-style: applies to s3:// sources"),
        (["s3://bucket/x", "--requester-pays"], "--requester-pays: put your keys into AWS_ACCESS_KEY_ID"),
        (["s3://Bucket/x"], "s3://Bucket/x: 'Bucket' must be a bucket name of AWS"),
        (["s3://b--usw2-az1--x-s3/x"], "must not be a directory bucket"),
        (
            ["s3://Bucket/x", "--endpoint", "http://h", "--addressing-style", "VirtualHosted"],
            "must be a name that can be part of a host name with --addressing-style VirtualHosted",
        ),
        (["hf://org/model", "--name", "x"], "--name: applies to https:// sources"),
        (["s3://bucket/x", "--revision", "v1"], "--revision: applies to hf:// sources"),
        (["s3://bucket/x", "--dataset"], "--dataset: applies to hf:// sources"),
        (["https://host/x", "--endpoint", "http://h"], "--endpoint: applies to hf:// and s3:// sources"),
        (["https://host/x", "--sha256", "0"], "--sha256: '0' must be 64 hexadecimal digits"),
        (["https://host/x", "--name", "../x"], "--name: '../x' must be a relative path"),
        (["https://host/x", "https://host/y", "--name", "x"], "--name applies to one file"),
        (["hf://org/model", "--allow-address", "hub"], "--allow-address: must be CIDR blocks such as"),
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_is_done(
    refused: Refusal, tmp_path: Path, given: list[str], says: str
) -> None:
    done = refused(*given, "--to", tmp_path / "new")
    assert (done.code, done.stdout) == (2, "")
    assert says in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_bucket_is_pulled_with_keys_of_the_environment(tmp_path: Path) -> None:
    files = {"llama/a.bin": bytes(range(256)) * 9000, "llama/deep/b": b"", "other": b"x"}
    with contextlib.ExitStack() as stack:
        (tmp_path / "s3").mkdir()
        server = stack.enter_context(versitygw.running(tmp_path / "s3"))
        server.put("models", files)
        done = pull(
            "s3://models/llama", "--to", tmp_path / "new",
            AWS_ENDPOINT_URL=server.url,
            AWS_ACCESS_KEY_ID=server.access_key,
            AWS_SECRET_ACCESS_KEY=server.secret_key,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "new") == {
        path.removeprefix("llama/"): hashlib.sha256(body).hexdigest()
        for path, body in files.items()
        if path.startswith("llama/")
    }


def test_files_behind_https_are_pulled_with_an_own_authority(tmp_path: Path) -> None:
    body = bytes(range(256)) * 5000
    right = hashlib.sha256(body).hexdigest()
    (tmp_path / "web").mkdir()
    with nginx.running(tmp_path / "web", tls=True) as server:
        server.put({"a.bin": body, "b.bin": b"b", "empty": b""})
        trust = {"SSL_CERT_FILE": str(server.authority)}
        both = pull(f"{server.url}/a.bin", f"{server.url}/b.bin", "--to", tmp_path / "new", **trust)
        wrong, empty = (
            pull(f"{server.url}/{name}", "--to", tmp_path / "bad", "--sha256", "0" * 64, **trust)
            for name in ("a.bin", "empty")
        )
    assert both.returncode == 0, both.stderr
    assert hashes(tmp_path / "new") == {"a.bin": right, "b.bin": hashlib.sha256(b"b").hexdigest()}
    assert wrong.returncode == exitcodes.BY_REASON[Reason.CHECKSUM_MISMATCH], wrong.stderr
    assert empty.returncode == exitcodes.BY_REASON[Reason.CHECKSUM_MISMATCH], empty.stderr
    assert hashes(tmp_path / "bad") == {}
