"""The engines that are libraries: same files, same guarantees, and progress by whichever layer can see."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from dev.origins.faults import ALWAYS, ANY, Cut, Header, Invert, Status
from dev.origins.hub import HubServer, Repository, Synthetic
from modelsync.api.protocol import Progress
from modelsync.api.reasons import Layer, Reason
from modelsync.api.source.transfer import Engine, Layout
from modelsync.worker.common.failures import Failure
from modelsync.worker.engines.library import backends, child_main, child_progress, subprocess
from tests.worker.hubs import HubSync
from tests.worker.running import killed_when, pids, stopped_when, wait_for
from tests.worker.syncs import files_in

SIZE = 3_000_000
BIG = {Engine.HF_TRANSFER: 8_000_000, Engine.HUGGING_FACE_HUB: 40_000_000}
"""Several of the blocks in which a library writes, which are of 10 MB with huggingface_hub."""
TOKEN = "hf_canary"
FILES: dict[str, bytes | Synthetic] = {
    "config.json": b'{"a": 1}',
    "deep/er/notes.md": b"hello",
    "empty": b"",
    "model.safetensors": Synthetic(SIZE, seed=3),
}
SMALL = [data for data in FILES.values() if isinstance(data, bytes)]
LIBRARIES = (Engine.HF_TRANSFER, Engine.HUGGING_FACE_HUB)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    gated = Repository("org/gated", {"model.safetensors": Synthetic(SIZE, seed=5)}, gated=True)
    big = (
        Repository(f"org/{engine}", {"model.safetensors": Synthetic(size, seed=6)})
        for engine, size in BIG.items()
    )
    with HubServer(Repository("org/model", FILES), *big, gated, tokens={TOKEN: None}) as server:
        yield server


@pytest.fixture(params=LIBRARIES)
def sync(request: pytest.FixtureRequest, hub: HubServer, tmp_path: Path) -> HubSync:
    return HubSync(hub, tmp_path, engine=request.param, layout=Layout.DIRECTORY)


def test_all_files_arrive_verified_and_nothing_else_stays(sync: HubSync, hub: HubServer) -> None:
    manifest = sync.run()
    commit = hub.state.repositories["model", "org/model"].find("main")
    assert commit is not None
    assert {entry.path: entry.sha256 for entry in manifest.files} == {
        path: file.sha256 for path, file in commit.files.items()
    }
    assert {entry.verified_by for entry in manifest.files} == {"sha256", "git-sha1"}
    assert files_in(sync.home) == sorted(FILES)
    assert sorted(os.listdir(sync.home / ".modelsync")) == ["accounts", "lock", "manifest.json"]
    progress = sync.state.progress()
    assert progress.bytes_done == progress.bytes_total == progress.bytes_network
    assert progress.files_done == len(FILES)
    assert progress.layer is Layer.ENGINE
    assert pids() == []


def test_the_cache_is_filled_by_any_engine(hub: HubServer, tmp_path: Path) -> None:
    trees = []
    for engine in LIBRARIES:
        sync = HubSync(hub, tmp_path / engine, engine=engine)
        sync.run()
        trees.append(files_in(sync.home / "hub/models--org--model"))
    assert trees[0] == trees[1] != []


def test_a_damaged_file_is_fetched_again_and_one_that_stays_damaged_is_refused(
    sync: HubSync, hub: HubServer
) -> None:
    hub.strike("model.safetensors", Invert(), times=ALWAYS)
    with pytest.raises(Failure) as caught:
        sync.run()
    assert caught.value.reason is Reason.CHECKSUM_MISMATCH
    assert files_in(sync.home) == []
    assert hub.bytes_sent("model.safetensors") >= 2 * SIZE


@pytest.mark.parametrize("engine", Engine)
def test_an_empty_file_with_a_wrong_checksum_ends_at_once(
    hub: HubServer, tmp_path: Path, engine: Engine
) -> None:
    """Nothing of it can be fetched again, so nothing else would end it."""
    commit = hub.state.repositories["model", "org/model"].find("main")
    assert commit is not None
    wrong = replace(commit.files["empty"], blob_id="0" * 40)
    commit.files["empty"] = wrong  # type: ignore[index]
    sync = HubSync(hub, tmp_path, engine=engine, layout=Layout.DIRECTORY, allow=("empty",))
    with pytest.raises(Failure) as caught:
        sync.run()
    assert caught.value.reason is Reason.CHECKSUM_MISMATCH
    assert "git-sha1" in caught.value.message and "fetched again" not in caught.value.message
    assert files_in(sync.home) == []


def test_a_refusal_has_its_own_reason(sync: HubSync, hub: HubServer) -> None:
    hub.strike("model.safetensors", Status(403), role=ANY, times=ALWAYS)
    with pytest.raises(Failure) as caught:
        sync.run()
    assert caught.value.reason is Reason.ACCESS_DENIED


def test_whole_files_are_kept_over_attempts_and_the_one_in_flight_starts_over(
    sync: HubSync, hub: HubServer
) -> None:
    hub.rate = 300_000
    small = len(FILES) - 1
    with stopped_when(sync, lambda: sync.state.progress().files_done == small):
        pass
    hub.rate = None
    sent = {path: hub.bytes_sent(path) for path in FILES}
    sync.stop = threading.Event()
    assert len(sync.run().files) == len(FILES)
    assert sync.state.progress().bytes_reused == 0, "its own earlier attempt fetched them"
    assert {path for path in FILES if hub.bytes_sent(path) > sent[path]} == {"model.safetensors"}
    assert hub.bytes_sent("model.safetensors") >= sent["model.safetensors"] + SIZE


def test_a_passing_fault_is_overcome(sync: HubSync, hub: HubServer) -> None:
    hub.strike("model.safetensors", Status(503), Header("Retry-After", "0"), role=ANY)
    hub.strike("model.safetensors", Cut(500_000))
    assert len(sync.run().files) == len(FILES)


def test_a_stop_ends_the_library_at_once(sync: HubSync, hub: HubServer) -> None:
    hub.rate = 30_000  # the rest would take another 100 s
    with stopped_when(sync, lambda: hub.bytes_sent("model.safetensors") > 0):
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 30
    assert pids() == []


def test_the_token_is_in_no_argument_no_variable_and_no_request_to_the_cdn(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    submit = subprocess.Child.submit

    def spied(made: subprocess.Child, job: subprocess.Job) -> subprocess.Running:
        folder = Path(f"/proc/{made._process.pid}")
        seen.append(((folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()).decode())
        return submit(made, job)

    monkeypatch.setattr(subprocess.Child, "submit", spied)
    for engine in LIBRARIES:
        sync = HubSync(hub, tmp_path / engine, "org/gated", engine=engine, token=TOKEN)
        assert len(sync.run().files) == 1
    assert len(seen) == len(LIBRARIES)
    assert not any(TOKEN in each for each in seen)
    assert all(not entry.authorization for entry in hub.log.entries(listener="cdn"))


def layers_of(hub: HubServer, sync: HubSync, layer: Layer) -> list[Layer]:
    """The layers that a slow sync's progress came from until, in the middle, it had figures and a speed from
    the expected one; it is then let go to its end."""
    size = BIG[sync.engine]
    hub.rate = size / 3
    thread = threading.Thread(target=sync.run)
    state = sync.state
    thread.start()
    wait_for(lambda: sync.state is not state)
    found: list[Progress] = []

    def halfway() -> bool:
        found.append(sync.state.progress())
        sample = found[-1]
        return (
            size * 0.2 < sample.bytes_done < size and bool(sample.bytes_per_second) and sample.layer is layer
        )

    wait_for(halfway)
    hub.rate = None
    thread.join(20)
    assert sync.state.progress().bytes_done == sync.state.progress().bytes_total
    return [progress.layer for progress in found if progress.bytes_done and progress.layer]


def _silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries report nothing."""
    monkeypatch.setattr(backends.HFTransfer, "counts", False)
    monkeypatch.setattr(backends.HuggingFaceHub, "counts", False)


def _unscanned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are partial files looked at."""
    _silent(monkeypatch)
    monkeypatch.setattr(child_progress, "partial_bytes", lambda _: None)


def _as_it_is(_: pytest.MonkeyPatch) -> None:
    """Nothing is disabled."""


LAYERS = {
    "what the library reports": (Engine.HF_TRANSFER, _as_it_is, Layer.ENGINE),
    "its partial files": (Engine.HF_TRANSFER, _silent, Layer.FILES),
    "the network": (Engine.HF_TRANSFER, _unscanned, Layer.NETWORK),
    "what the other library reports": (Engine.HUGGING_FACE_HUB, _as_it_is, Layer.ENGINE),
    "the other library's partial files": (Engine.HUGGING_FACE_HUB, _silent, Layer.FILES),
    "the network under the other": (Engine.HUGGING_FACE_HUB, _unscanned, Layer.NETWORK),
}


@pytest.mark.parametrize(("engine", "disable", "layer"), LAYERS.values(), ids=LAYERS)
def test_progress_comes_from_the_best_layer_that_is_left(
    hub: HubServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: Engine,
    disable: Callable[[pytest.MonkeyPatch], None],
    layer: Layer,
) -> None:
    disable(monkeypatch)
    sync = HubSync(hub, tmp_path, f"org/{engine}", engine=engine)
    layers = layers_of(hub, sync, layer)
    # Before a library's first block is written, only the network can see anything; before it is reported, its
    # file.
    first = layers.index(layer)
    assert set(layers[first:]) <= {layer, Layer.NETWORK}
    assert layer is not Layer.NETWORK or set(layers[:first]) == set()


class _Answered(Exception):
    """An error of an HTTP library."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__("for url https://cdn/x?signature=canary")
        self.response = SimpleNamespace(status_code=status, headers=headers)


def _wrapped() -> Exception:
    error = ValueError("canary")
    error.__cause__ = _Answered(429, {"Retry-After": "7", "Set-Cookie": "canary"})
    return error


ERRORS = {
    "hf_transfer's status": (
        Exception("HTTP status client error (403 Forbidden) for url (https://x?canary)"),
        (403, None, {}),
    ),
    "hf_transfer's full disk": (Exception("canary: No space left on device (os error 28)"), (None, 28, {})),
    "a full disk": (OSError(28, "canary"), (None, 28, {})),
    "an answer behind an error": (_wrapped(), (429, None, {"Retry-After": "7"})),
    "hf_xet's refused connection": (
        RuntimeError("error sending request for url (https://cas.example:8443/v2/reconstructions/canary)"),
        (None, None, {}),
    ),
    "hf_xet's status": (
        RuntimeError("server error (503 Service Unavailable), domain: https://cas.example:8443/xorbs/canary"),
        (503, None, {}),
    ),
    "a URL with a password": (RuntimeError("https://canary:canary@cdn/x"), (None, None, {})),
    "neither": (RuntimeError("canary"), (None, None, {})),
}


@pytest.mark.parametrize(("error", "expected"), ERRORS.values(), ids=ERRORS)
def test_of_an_error_only_class_numbers_and_host_leave_the_child(
    error: Exception, expected: tuple[int | None, int | None, dict[str, str]]
) -> None:
    found = child_main.described(error)
    assert (found["status"], found["errno"], found["headers"]) == expected
    assert found["host"] in (None, "x", "cdn", "cas.example:8443")
    assert "canary" not in json.dumps(found)


TROUBLES = {
    "a full disk": ({"error": "Exception", "errno": 28}, Reason.INSUFFICIENT_STORAGE),
    "a process that ended": ({"error": "ProcessEnded"}, Reason.INTERNAL_ERROR),
    "open files without end": ({"error": "OSError", "errno": 24}, Reason.INTERNAL_ERROR),
    "an error of the library's own": ({"error": "ValueError"}, Reason.INTERNAL_ERROR),
}


@pytest.mark.parametrize(("trouble", "reason"), TROUBLES.values(), ids=TROUBLES)
def test_what_no_other_try_fixes_ends_the_attempt_with_its_reason(
    sync: HubSync, monkeypatch: pytest.MonkeyPatch, trouble: subprocess.Job, reason: Reason
) -> None:
    def submit(_: subprocess.Child, __: subprocess.Job) -> subprocess.Running:
        running = subprocess.Running()
        running.trouble = trouble
        running.ended.set()
        return running

    monkeypatch.setattr(subprocess.Child, "submit", submit)
    with pytest.raises(Failure) as caught:
        sync.run()
    assert caught.value.reason is reason
    assert files_in(sync.home) == []


def test_a_process_that_ends_by_itself_is_noticed(sync: HubSync, hub: HubServer) -> None:
    hub.rate = 300_000
    ended = killed_when(sync, lambda: hub.bytes_sent("model.safetensors") > 0)
    assert isinstance(ended, Failure)
    assert ended.reason is Reason.INTERNAL_ERROR
    assert "memory" in ended.message
