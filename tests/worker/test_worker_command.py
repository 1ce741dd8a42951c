"""`modelsync worker` as the Job runs it: request and key from files, termination report and exit code at the
end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dev.origins.content import noise
from dev.origins.faults import ALWAYS, Stall
from dev.origins.files.web import WebOrigin
from dev.origins.hub import HubServer, Repository, Synthetic
from modelsync.api import exitcodes, protocol
from modelsync.api.reasons import Reason
from modelsync.settings import environment
from tests.worker import forked

ROOT = Path(__file__).parents[2]
DATA = noise(200_000)
HERE = {"addresses": {"allowed": ["127.0.0.0/8"]}}
"""Of a request whose origin is this machine, which workers may not reach otherwise."""


def start(directory: Path, request: object, *options: str) -> forked.Program:
    """The command in a process that was forked for it."""
    arguments = ["modelsync", *command(directory, request, *options)]
    return forked.Program(forked.MODELSYNC, arguments, os.environ)


def start_python(directory: Path, request: object) -> "subprocess.Popen[str]":
    """The command from the start of Python."""
    return subprocess.Popen(
        [sys.executable, "-m", "modelsync", *command(directory, request)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "operator")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def command(directory: Path, request: object, *options: str) -> list[str]:
    """The arguments, with files for all that a Pod has."""
    directory.joinpath("request.json").write_text(json.dumps(request))
    directory.joinpath("key").write_text("secret-key\n")
    directory.joinpath("volume").mkdir(exist_ok=True)
    paths = {
        "request": "request.json",
        "key-file": "key",
        "volume": "volume",
        "termination-log": "termination",
    }
    flags = [part for flag, name in paths.items() for part in (f"--{flag}", str(directory / name))]
    return ["worker", *flags, "--port", "0", *options]


def request_of(origin: WebOrigin, *paths: str, **more: object) -> dict[str, object]:
    files = [{"url": f"{origin.url}/{path}?token=canary", "path": path} for path in paths]
    names = {"version": 1, "uid": "u-1", "namespace": "team", "name": "llama", "attempt": 3}
    return {**names, **HERE, "source": {"http": {"files": files}}, "subPath": "llama", **more}


def words(directory: Path) -> protocol.TerminationReport:
    return protocol.TerminationReport.model_validate_json((directory / "termination").read_bytes())


def test_a_good_request_ends_with_0_and_synced(tmp_path: Path) -> None:
    with (
        WebOrigin({"model.bin": DATA}) as origin,
        start_python(tmp_path, request_of(origin, "model.bin")) as worker,
    ):
        output, _ = worker.communicate(timeout=30)
    assert worker.returncode == exitcodes.DONE
    assert (tmp_path / "volume/llama/model.bin").read_bytes() == DATA
    report = words(tmp_path)
    assert (report.reason, report.uid, report.attempt) == (Reason.SYNCED, "u-1", 3)
    assert report.resolved is not None and report.resolved.bytes == len(DATA)
    assert report.verified_by == {"size": 1}, "this source states no checksum, and the report says so"
    assert "Published 1 files" in output
    assert "canary" not in output + (tmp_path / "termination").read_text()
    assert "canary" not in (tmp_path / "volume/llama/.modelsync/manifest.json").read_text()


def test_a_failure_is_reported_in_the_log_in_its_termination_report_and_by_the_code(tmp_path: Path) -> None:
    with WebOrigin({}) as origin, start(tmp_path, request_of(origin, "gone.bin")) as worker:
        output, _ = worker.communicate(timeout=30)
    assert worker.returncode == exitcodes.BY_REASON[Reason.NOT_FOUND]
    assert words(tmp_path).reason is Reason.NOT_FOUND
    assert words(tmp_path).message in output
    assert "canary" not in output


def test_an_address_that_workers_may_not_reach_is_reported_and_never_asked(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": DATA}) as origin:
        request = request_of(origin, "model.bin", addresses={"denied": ["10.0.0.0/8"]})
        with start(tmp_path, request) as worker:
            worker.communicate(timeout=30)
        assert not origin.log
    assert worker.returncode == exitcodes.BY_REASON[Reason.ADDRESS_FORBIDDEN]
    for part in ("127.0.0.1", "loopback", "worker.addresses.allowed"):
        assert part in words(tmp_path).message


BAD = {"another version": {"version": 99}, "no request": {"version": 1}, "a list": []}


@pytest.mark.parametrize("request_data", BAD.values(), ids=BAD.keys())
def test_a_request_of_another_version_is_refused_with_the_fix(tmp_path: Path, request_data: object) -> None:
    with start(tmp_path, request_data) as worker:
        worker.communicate(timeout=30)
    assert worker.returncode == exitcodes.BY_REASON[Reason.INVALID_SPEC]
    assert "same version" in words(tmp_path).message


@pytest.mark.timing
def test_sigterm_while_an_origin_is_silent_ends_within_5_seconds(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": DATA}) as origin:
        origin.strike("*", Stall(), times=ALWAYS)
        with start_python(tmp_path, request_of(origin, "model.bin", tuning={"timeoutSeconds": 30})) as worker:
            while not origin.log:
                assert worker.poll() is None
                time.sleep(0.02)
            started = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            worker.communicate(timeout=10)
            assert time.monotonic() - started < 5
    assert worker.returncode == exitcodes.INTERRUPTED
    assert words(tmp_path).reason is Reason.INTERRUPTED


@pytest.mark.parametrize("reached", [1_000_000, 9_000_000], ids=["early", "late"])
def test_a_paused_worker_ends_by_itself_and_nothing_is_fetched_twice(tmp_path: Path, reached: int) -> None:
    files = {"model.safetensors": Synthetic(12_000_000, seed=1), "other.bin": Synthetic(6_000_000, seed=2)}
    with HubServer(Repository("org/model", files)) as hub:
        hub.rate = 8_000_000
        source = {"huggingFace": {"repository": "org/model", "endpoint": hub.url}}
        names = {"version": 1, "uid": "u-1", "namespace": "team", "name": "llama"}
        request = {**names, "attempt": 1, "source": source, "tuning": {"chunkBytes": 1 << 20}, **HERE}
        with start(tmp_path, request) as worker:
            while hub.bytes_sent() < reached:
                assert worker.poll() is None
                time.sleep(0.02)
            worker.send_signal(signal.SIGTERM)
            worker.communicate(timeout=60)
        paused = words(tmp_path)
        assert (worker.returncode, paused.reason) == (exitcodes.INTERRUPTED, Reason.INTERRUPTED)
        had = paused.progress.bytes_done
        assert 0 < had < 18_000_000
        hub.log.clear()
        hub.rate = None
        with start(tmp_path, {**request, "attempt": 2}) as worker:
            worker.communicate(timeout=30)
        assert worker.returncode == exitcodes.DONE
        assert hub.bytes_sent() == 18_000_000 - had
    again = words(tmp_path)
    assert (again.progress.bytes_network_before, again.progress.bytes_network) == (had, 18_000_000 - had)
    assert again.progress.bytes_reused == 0, "what its own attempt fetched was not there before the sync"


def test_sigterm_is_handled_before_any_library_is_loaded() -> None:
    # A container's first process ignores the signal as long as it has no handler.
    code = (
        "import signal, sys, types\n"
        "cli = types.ModuleType('modelsync.cli.main')\n"
        "cli.main = lambda: print(signal.getsignal(signal.SIGTERM).__name__,"
        " [name for name in ('click', 'pydantic', 'urllib3') if name in sys.modules])\n"
        "sys.modules['modelsync.cli.main'] = cli\n"
        "import modelsync.cli; modelsync.cli.main = cli\n"
        "sys.argv = ['modelsync', 'worker']\n"
        "from modelsync import __main__; __main__.run()"
    )
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "operator")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "_stopped_before_it_began []"


def test_sigterm_at_the_first_moment_ends_the_worker_at_once(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": DATA}) as origin:
        origin.strike("*", Stall(), times=ALWAYS)
        with start_python(tmp_path, request_of(origin, "model.bin", tuning={"timeoutSeconds": 30})) as worker:
            while not _handles_sigterm(worker.pid):
                time.sleep(0.001)
            worker.send_signal(signal.SIGTERM)
            worker.communicate(timeout=30)
    assert worker.returncode == exitcodes.INTERRUPTED


def _handles_sigterm(process: int) -> bool:
    """Whether a process has a handler, by the kernel's word (proc_pid_status(5))."""
    text = Path(f"/proc/{process}/status").read_text()
    caught = int(text.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def test_a_veto_of_the_environment_is_reported_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISABLE_MODEL_DOWNLOADS", "1")
    with (
        WebOrigin({"model.bin": DATA}) as origin,
        start(tmp_path, request_of(origin, "model.bin")) as worker,
    ):
        output, _ = worker.communicate(timeout=30)
        assert not origin.log
    assert worker.returncode == exitcodes.BY_REASON[Reason.DOWNLOADS_DISABLED]
    assert words(tmp_path).reason is Reason.DOWNLOADS_DISABLED
    assert "DISABLE_MODEL_DOWNLOADS" in output


@pytest.mark.parametrize(
    ("text", "disabled"),
    [("", False), ("0", False), ("false", False), ("No", False), ("1", True), ("true", True), ("yse", True)],
)
def test_only_a_clear_no_is_no_veto(text: str, disabled: bool) -> None:
    found = environment.worker_environment({"DISABLE_MODEL_DOWNLOADS": text})
    assert found.downloads_disabled is disabled


def test_a_worker_starts_without_the_libraries_of_other_sources() -> None:
    code = (
        "import sys, modelsync.cli.worker;"
        "others = ('boto3', 'huggingface_hub', 'kubernetes', 'kopf', 'aiohttp');"
        "print([name for name in others if name in sys.modules])"
    )
    environment_ = {**os.environ, "PYTHONPATH": str(ROOT / "operator")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment_, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_proxies_and_authorities_come_from_the_usual_variables() -> None:
    found = environment.worker_environment(
        {"HTTPS_PROXY": "http://p:1", "no_proxy": "a,b", "NO_PROXY": "c", "SSL_CERT_FILE": "/ca.pem"}
    )
    assert dict(found.proxies) == {"https": "http://p:1", "no": "a,b"}
    assert found.ca_file == "/ca.pem"
    assert environment.worker_environment({}) == environment.WorkerEnvironment()
