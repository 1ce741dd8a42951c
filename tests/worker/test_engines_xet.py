"""huggingface_hub with Xet: the real library and hf_xet in their process, from a Hub that offers Xet."""

import dataclasses
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.origins import certificates
from dev.origins.faults import ALWAYS, ANY, Cut, Fault, Invert, Reset, Rule, Stall, Status
from dev.origins.hub import HubServer, Repository, Synthetic
from modelsync.api.protocol import Progress
from modelsync.api.reasons import Layer, Reason
from modelsync.api.source.transfer import Engine, Layout
from modelsync.worker.common.failures import Failure
from modelsync.worker.engines.library import child_main
from tests.worker.hubs import HubSync
from tests.worker.running import killed_when, pids, stopped_when, wait_for
from tests.worker.syncs import files_in

SIZE = 3_000_000
BIG = 60_000_000
"""Less than a block of Xet: nothing of it is written before all of it has come."""
TOKEN = "hf_canary"
WEIGHTS = "model.safetensors"
FILES: dict[str, bytes | Synthetic] = {
    "config.json": b'{"a": 1}',
    "deep/er/pytorch_model.bin": Synthetic(70_000_000, seed=8),
    "empty.bin": b"",
    WEIGHTS: Synthetic(SIZE, seed=3),
}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    repositories = (
        Repository("org/model", FILES, xet=True),
        Repository("org/one", {WEIGHTS: Synthetic(SIZE, seed=5)}, xet=True),
        Repository("org/big", {WEIGHTS: Synthetic(BIG, seed=6)}, xet=True),
        Repository("org/gated", {"a.json": b"{}", WEIGHTS: Synthetic(SIZE, seed=5)}, xet=True, gated=True),
    )
    with HubServer(*repositories, tokens={TOKEN: None}) as server:
        yield server


@pytest.fixture
def sync(hub: HubServer, tmp_path: Path) -> HubSync:
    """One file by Xet."""
    return synced(hub, tmp_path, "org/one")


def synced(hub: HubServer, volume: Path, repository: str, **more: object) -> HubSync:
    made = HubSync(hub, volume, repository, engine=Engine.HUGGING_FACE_HUB, layout=Layout.DIRECTORY)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_all_files_arrive_by_xet_verified_and_nothing_else_stays(hub: HubServer, tmp_path: Path) -> None:
    sync = synced(hub, tmp_path, "org/model")
    manifest = sync.run()
    commit = hub.state.repositories["model", "org/model"].find("main")
    assert commit is not None
    assert {entry.path: entry.sha256 for entry in manifest.files} == {
        path: file.sha256 for path, file in commit.files.items()
    }
    assert {entry.verified_by for entry in manifest.files} == {"sha256", "git-sha1"}
    assert files_in(sync.home) == sorted(FILES)
    assert sorted(os.listdir(sync.home / ".modelsync")) == ["accounts", "lock", "manifest.json"]
    assert sync.state.progress().bytes_done == sync.state.progress().bytes_total
    assert hub.log.entries(listener="cdn") == []
    large = {path for path, body in FILES.items() if isinstance(body, Synthetic)}
    assert {entry.path for entry in hub.log.entries(listener="cas") if entry.sent} == large
    assert pids() == []


def test_the_xet_service_is_asked_for_nothing_but_what_is_fetched(hub: HubServer, sync: HubSync) -> None:
    sync.run()
    asked = [
        (entry.request.method, entry.request.path.split("/")[1:3])
        for entry in hub.log.entries(listener="cas")
    ]
    assert asked == [("GET", ["v2", "reconstructions"]), ("GET", ["xorbs", "models"])]


@pytest.mark.parametrize("engine", [Engine.NATIVE, Engine.HF_TRANSFER])
def test_other_engines_fetch_from_a_xet_repository_as_from_any(
    hub: HubServer, tmp_path: Path, engine: Engine
) -> None:
    HubSync(hub, tmp_path, "org/one", engine=engine, layout=Layout.DIRECTORY).run()
    assert hub.log.entries(listener="cas") == []
    assert sum(entry.sent for entry in hub.log.entries(listener="cdn")) >= SIZE


def test_progress_is_seen_while_xet_has_written_nothing_yet(hub: HubServer, tmp_path: Path) -> None:
    sync = synced(hub, tmp_path, "org/big")
    hub.rate = BIG / 3
    found: list[Progress] = []
    state = sync.state
    thread = threading.Thread(target=sync.run)
    thread.start()
    wait_for(lambda: sync.state is not state)

    def halfway() -> bool:
        found.append(sync.state.progress())
        sample = found[-1]
        return BIG * 0.5 < sample.bytes_done < BIG and bool(sample.bytes_per_second)

    wait_for(halfway)
    on_disk = sum(path.stat().st_blocks * 512 for path in sync.home.rglob("*.incomplete"))
    last, sent = found[-1], hub.bytes_sent(WEIGHTS)
    hub.rate = None
    thread.join(20)
    assert on_disk == 0
    assert last.layer is Layer.ENGINE
    assert last.bytes_done <= sent
    done = [progress.bytes_done for progress in found]
    assert done == sorted(done)
    assert len({count for count in done if count}) >= 3
    assert sync.state.progress().bytes_done == sync.state.progress().bytes_total == BIG


COUNTS = {
    "written as it comes": ([(10, 10), (20, 20)], [10, 20]),
    "written in the end": ([(0, 40), (0, 90), (100, 100)], [40, 90, 100]),
    "compressed": ([(0, 30), (0, 60), (100, 60)], [30, 60, 100]),
    "headers besides": ([(0, 90), (0, 108), (100, 108)], [90, 100, 100]),
    "dropped and written again": ([(50, 50), (-50, 0), (30, 30), (80, 80)], [50, 50, 50, 80]),
}


@pytest.mark.parametrize(("reports", "expected"), COUNTS.values(), ids=COUNTS)
def test_the_count_never_goes_back_or_beyond_the_file(
    reports: list[tuple[int, int]], expected: list[int]
) -> None:
    counted: list[int] = []
    counter = child_main.Counter(lambda _: None)
    counter.add = lambda count: counted.append(count)  # type: ignore[method-assign]
    bar = type("Counting", (child_main.Bar,), {"counter": counter})(total=100, unit="B")
    seen = []
    written = came = 0
    for now_written, now_came in reports:
        bar.update(now_written - written)
        bar.update_transfer(now_came - came)
        written, came = now_written, now_came
        seen.append(sum(counted))
    assert seen == expected


def test_damaged_bytes_are_fetched_again_and_those_that_stay_damaged_are_refused(
    hub: HubServer, sync: HubSync
) -> None:
    hub.strike(WEIGHTS, Invert(), listener="cas", times=ALWAYS)
    with pytest.raises(Failure) as caught:
        sync.run()
    assert caught.value.reason is Reason.CHECKSUM_MISMATCH
    assert files_in(sync.home) == []
    assert len([entry for entry in hub.log.entries(listener="cas", path=WEIGHTS) if entry.sent]) == 2


def test_bytes_that_are_damaged_once_are_healed(hub: HubServer, sync: HubSync) -> None:
    hub.strike(WEIGHTS, Invert(), listener="cas")
    assert len(sync.run().files) == 1


def from_cas(path: str, fault: Fault, times: int) -> Rule:
    """A fault in what the CAS answers."""
    return Rule(faults=(fault,), path=path, role=ANY, listener="cas", times=times)


PASSING = {
    "a cut": from_cas(WEIGHTS, Cut(500_000), 2),
    "a reset": from_cas(WEIGHTS, Reset(500_000), 2),
    "a refusal": from_cas(WEIGHTS, Status(503), 2),
    "a URL that is over": from_cas(WEIGHTS, Status(403), 1),
    "a CAS that is busy": from_cas("/v2/*", Status(429), 2),
    "an API of before": from_cas("/v2/*", Status(404), ALWAYS),
    "a Hub that is busy": Rule(faults=(Status(503),), path="*/xet-read-token/*", role=ANY, listener="hub"),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_passes_is_overcome(hub: HubServer, sync: HubSync, fault: Rule) -> None:
    hub.rules.add(dataclasses.replace(fault))
    assert len(sync.run().files) == 1
    assert hub.log.entries(listener="cdn") == []


LASTING = {
    "bytes are refused": (from_cas(WEIGHTS, Status(503), ALWAYS), Reason.ORIGIN_ERROR),
    "the CAS is down": (from_cas("/v*", Status(503), ALWAYS), Reason.ORIGIN_ERROR),
    "bytes are forbidden": (from_cas(WEIGHTS, Status(403), ALWAYS), Reason.ACCESS_DENIED),
}


@pytest.mark.parametrize(("fault", "reason"), LASTING.values(), ids=LASTING)
def test_a_refusing_cas_is_named(hub: HubServer, sync: HubSync, fault: Rule, reason: Reason) -> None:
    hub.rules.add(dataclasses.replace(fault))
    with pytest.raises(Failure) as caught:
        sync.run()
    assert caught.value.reason is reason
    assert hub.cas_url.removeprefix("http://") in caught.value.message
    assert "Signature" not in caught.value.message
    assert files_in(sync.home) == []


def test_a_cas_unreachable_is_named_with_what_needs_none(hub: HubServer, sync: HubSync) -> None:
    hub.state.cas_port = 9  # discard: nobody listens there
    with pytest.raises(Failure) as caught:
        sync.run()
    assert caught.value.reason is Reason.NETWORK_ERROR
    assert "127.0.0.1:9" in caught.value.message
    assert "spec.engine Native" in caught.value.message


def test_a_cas_that_falls_silent_is_given_up(hub: HubServer, sync: HubSync) -> None:
    hub.strike(WEIGHTS, Stall(500_000), listener="cas")
    assert len(sync.run().files) == 1


def test_a_stop_ends_xet_at_once_and_a_later_attempt_completes(hub: HubServer, sync: HubSync) -> None:
    hub.rate = 30_000  # the rest would take another 100 s
    with stopped_when(sync, lambda: hub.bytes_sent(WEIGHTS) > 0):
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 30
    assert pids() == []
    hub.rate, sync.stop = None, threading.Event()
    assert len(sync.run().files) == 1
    assert sorted(os.listdir(sync.home / ".modelsync")) == ["accounts", "lock", "manifest.json"]


def test_a_killed_process_of_xet_is_noticed_and_a_later_attempt_completes(
    hub: HubServer, sync: HubSync
) -> None:
    hub.rate = 300_000
    ended = killed_when(sync, lambda: hub.bytes_sent(WEIGHTS) > 0)
    assert ended.reason is Reason.INTERNAL_ERROR
    hub.rate = None
    assert len(sync.run().files) == 1


def test_the_token_reaches_the_hub_alone_and_no_secret_is_on_the_volume(
    hub: HubServer, tmp_path: Path
) -> None:
    sync = synced(hub, tmp_path, "org/gated", token=TOKEN)
    hub.rate = 300_000
    with stopped_when(sync, lambda: hub.bytes_sent(WEIGHTS) > 0):
        pass
    left = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert left
    assert not any(secret in data for data in left for secret in (TOKEN.encode(), b"Signature="))
    assert not any(path.name.endswith(".log") for path in tmp_path.rglob("*"))
    # The CAS takes its own tokens only: the Hub's would have been refused.
    answers = {(not entry.path, bool(entry.authorization)) for entry in hub.log.entries(listener="cas")}
    assert answers == {(True, True), (False, False)}


def test_xet_trusts_an_own_authority(tmp_path: Path) -> None:
    made = certificates.make(tmp_path, "127.0.0.1")
    one = Repository("org/one", {WEIGHTS: Synthetic(SIZE, seed=5)}, xet=True)
    with HubServer(one, certificate=(made.certificate, made.key)) as hub:
        sync = synced(hub, tmp_path / "volume", "org/one", ca_file=str(made.authority))
        assert len(sync.run().files) == 1
        assert hub.log.entries(listener="cas")
