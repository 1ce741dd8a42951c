"""The engine against an origin that misbehaves: what is published is right, or nothing is."""

import re
import threading
import time
from pathlib import Path

import pytest

from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Verification
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.model import RemoteFile
from tests.worker.faulty import Fault, Object, Origin, noise
from tests.worker.syncs import CHUNK, ListSource, Sync, listed

BIG = noise(20 * CHUNK + 123)
FILES = {"model.bin": BIG, "config.json": b"{}", "empty": b"", "deep/er/file": noise(1000)}


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.001)


def test_all_files_arrive_with_their_bytes_and_a_manifest(tmp_path: Path) -> None:
    with Origin(FILES).serving() as origin:
        sync = Sync(origin, tmp_path)
        manifest = sync.run()
        assert sync.published() == sorted(FILES)
        assert all(sync.read(path) == data for path, data in FILES.items())
        assert [file.path for file in manifest.files] == sorted(FILES)
        assert all(file.verified_by == "sha256" for file in manifest.files)
        assert origin.sent("model.bin") == len(BIG)
    progress = sync.state.progress()
    assert progress.bytes_done == progress.bytes_total == progress.bytes_network
    assert (progress.files_done, progress.files_total) == (4, 4)
    assert sorted(path.name for path in (tmp_path / "model/.modelsync").iterdir()) == [
        "accounts",
        "lock",
        "manifest.json",
    ]


HEALED = {
    "cut in every chunk": [Fault(path="model.bin", cut_after=10_000, times=20)],
    "cut at once": [Fault(path="model.bin", cut_after=0, times=2)],
    "500": [Fault(status=500, times=3)],
    "429 with Retry-After 0": [Fault(status=429, headers={"Retry-After": "0"}, times=2)],
    "503 with an absurd date": [Fault(status=503, headers={"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"})],
    "a range of another place": [Fault(path="model.bin", headers={"Content-Range": "bytes 5-9/1310843"})],
    "a range without numbers": [Fault(path="model.bin", headers={"Content-Range": "bytes */*"})],
    "an encoding not asked for": [
        Fault(path="model.bin", headers={"Content-Encoding": "gzip", "Content-Length": "7"})
    ],
    "a length that lies": [Fault(path="model.bin", headers={"Content-Length": "7"})],
    "ranges ignored from the start": [Fault(path="model.bin", ignore_range=True, times=99)],
    "ranges ignored later": [Fault(path="model.bin", ignore_range=True, least_start=CHUNK, times=2)],
    "an expired URL": [Fault(path="model.bin", status=403, least_start=CHUNK)],
    "416": [Fault(path="model.bin", status=416, least_start=CHUNK)],
    "a flipped bit": [Fault(path="model.bin", flip=3 * CHUNK + 5, times=4)],
    "a flipped bit in a small file": [Fault(path="config.json", flip=0)],
    "bytes after the end": [Fault(path="config.json", extra=b"more")],
}


@pytest.mark.parametrize("faults", HEALED.values(), ids=HEALED.keys())
def test_a_passing_fault_is_overcome(tmp_path: Path, faults: list[Fault]) -> None:
    with Origin(FILES).serving() as origin:
        origin.faults = [Fault(**vars(fault)) for fault in faults]
        sync = Sync(origin, tmp_path)
        sync.run()
        assert {path: sync.read(path) for path in FILES} == FILES
        assert sync.state.progress().bytes_done == sum(map(len, FILES.values()))


FINAL = {
    "no such file": (Fault(status=404, times=99), Reason.NOT_FOUND),
    "wrong token": (Fault(status=401, times=99), Reason.AUTHENTICATION_FAILED),
    "no right": (Fault(status=403, times=99), Reason.ACCESS_DENIED),
    "always 500": (Fault(status=500, times=99), Reason.ORIGIN_ERROR),
    "always 429": (Fault(status=429, times=99, headers={"Retry-After": "0"}), Reason.RATE_LIMITED),
    "always cut": (Fault(cut_after=0, times=999), Reason.NETWORK_ERROR),
    "always damaged": (Fault(flip=0, times=99), Reason.CHECKSUM_MISMATCH),
    "a redirect without end": (
        Fault(status=302, headers={"Location": "/model.bin"}, times=999),
        Reason.ORIGIN_ERROR,
    ),
    "a redirect to a file": (
        Fault(status=302, headers={"Location": "file:///x"}, times=9),
        Reason.ORIGIN_ERROR,
    ),
}


@pytest.mark.parametrize(("fault", "reason"), FINAL.values(), ids=FINAL.keys())
def test_a_lasting_fault_ends_with_its_reason_and_publishes_nothing(
    tmp_path: Path, fault: Fault, reason: Reason
) -> None:
    with Origin({"model.bin": BIG}).serving() as origin:
        origin.faults = [Fault(**vars(fault))]
        sync = Sync(origin, tmp_path)
        with pytest.raises(Failure) as caught:
            sync.run()
    assert caught.value.reason is reason
    assert "signature" not in caught.value.message
    assert sync.published() == []


def test_an_origin_that_cuts_forever_but_gets_further_is_no_failure(tmp_path: Path) -> None:
    with Origin({"model.bin": noise(2_000_000)}).serving() as origin:
        origin.faults = [Fault(cut_after=1000, times=600)]
        sync = Sync(origin, tmp_path, max_retries=2, connections=2)
        sync.run()
        assert sync.state.retries > 500


def test_ranges_ignored_and_cut_ends_instead_of_looping(tmp_path: Path) -> None:
    with Origin({"model.bin": BIG}).serving() as origin:
        origin.faults = [Fault(ignore_range=True, cut_after=CHUNK, times=999)]
        with pytest.raises(Failure) as caught:
            Sync(origin, tmp_path, max_retries=2).run()
    assert caught.value.reason is Reason.ORIGIN_ERROR


@pytest.mark.parametrize("digests", [True, False], ids=["with digest", "without digest"])
def test_an_object_that_changes_midway_is_never_mixed(tmp_path: Path, digests: bool) -> None:
    other = noise(len(BIG), "other")
    with Origin({"model.bin": BIG}).serving() as origin:
        origin.faults = [Fault(least_start=5 * CHUNK, replace=Object(data=other, etag='"two"'))]
        sync = Sync(origin, tmp_path, digests=digests)
        if digests:
            with pytest.raises(Failure) as caught:
                sync.run()
            assert caught.value.reason is Reason.CHECKSUM_MISMATCH
            assert sync.published() == []
        else:
            sync.run()
            assert sync.read("model.bin") == other


def test_an_object_that_keeps_changing_is_a_changed_source(tmp_path: Path) -> None:
    with Origin({"model.bin": BIG}).serving() as origin:
        origin.faults = [
            Fault(least_start=3 * CHUNK, replace=Object(data=BIG, etag='"two"')),
            Fault(least_start=9 * CHUNK, replace=Object(data=BIG, etag='"three"')),
        ]
        sync = Sync(origin, tmp_path, digests=False, connections=1)
        with pytest.raises(Failure) as caught:
            sync.run()
    assert caught.value.reason is Reason.SOURCE_CHANGED


def test_a_listed_etag_pins_the_object(tmp_path: Path) -> None:
    with Origin({"model.bin": BIG}).serving() as origin:
        file = RemoteFile(path="model.bin", size=len(BIG), etag="listed", locator="model.bin")
        with pytest.raises(Failure) as caught:
            Sync(origin, tmp_path, source=ListSource(origin.url, [file])).run()
    assert caught.value.reason is Reason.SOURCE_CHANGED


def test_another_size_than_announced_is_a_size_mismatch(tmp_path: Path) -> None:
    with Origin({"model.bin": BIG}).serving() as origin:
        file = RemoteFile(path="model.bin", size=10, locator="model.bin")
        with pytest.raises(Failure) as caught:
            Sync(origin, tmp_path, source=ListSource(origin.url, [file])).run()
    assert caught.value.reason is Reason.SIZE_MISMATCH


def test_a_file_of_unknown_size_arrives(tmp_path: Path) -> None:
    with Origin({"model.bin": BIG, "other": b"12"}).serving() as origin:
        origin.faults = [Fault(path="model.bin", cut_after=2 * CHUNK)]
        files = [RemoteFile(path=path, size=None, locator=path) for path in ("model.bin", "other")]
        sync = Sync(origin, tmp_path, source=ListSource(origin.url, files))
        sync.run()
        assert sync.read("model.bin") == BIG
        assert sync.state.progress().bytes_total == len(BIG) + 2


def test_a_silent_origin_is_left_after_the_timeout(tmp_path: Path) -> None:
    with Origin({"model.bin": BIG}).serving() as origin:
        origin.faults = [Fault(stall=threading.Event())]
        sync = Sync(origin, tmp_path, timeout=1.0)
        sync.run()
        assert sync.read("model.bin") == BIG


def test_no_byte_for_the_progress_deadline_ends_the_attempt(tmp_path: Path) -> None:
    with Origin({"model.bin": BIG}).serving() as origin:
        origin.faults = [Fault(stall=threading.Event(), times=99)]
        with pytest.raises(Failure) as caught:
            Sync(origin, tmp_path, deadline=1, timeout=20).run()
    assert caught.value.reason is Reason.PROGRESS_DEADLINE_EXCEEDED


def test_a_stop_ends_soon_and_what_came_is_not_fetched_again(tmp_path: Path) -> None:
    with Origin({"model.bin": BIG}).serving() as origin:
        origin.block_seconds = 0.05
        sync = Sync(origin, tmp_path, connections=2)
        threading.Timer(0.4, sync.stop.set).start()
        started = time.monotonic()
        with pytest.raises(Interrupted):
            sync.run()
        assert time.monotonic() - started < 5
        first, origin.block_seconds = sync.state.progress(), 0.0
        again = Sync(origin, tmp_path)
        again.run()
        second = again.state.progress()
        assert again.read("model.bin") == BIG
    assert first.bytes_done > 0
    assert (second.bytes_network_before, second.bytes_reused) == (first.bytes_done, 0)
    assert second.bytes_network == len(BIG) - first.bytes_done


def test_the_limit_holds_over_all_connections(tmp_path: Path) -> None:
    with Origin({"model.bin": BIG}).serving() as origin:
        sync = Sync(origin, tmp_path)
        sync.limiter.set_rate(len(BIG))
        started = time.monotonic()
        sync.run()
        assert time.monotonic() - started > 0.8


def test_patterns_choose_the_files_and_ignoring_wins(tmp_path: Path) -> None:
    with Origin(FILES).serving() as origin:
        sync = Sync(origin, tmp_path, allow=("*.json", "deep/*"), ignore=("deep/*",))
        sync.run()
        assert sync.published() == ["config.json"]


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/.modelsync/x"], ids=str)
def test_a_hostile_name_stops_the_sync_before_the_first_byte(tmp_path: Path, path: str) -> None:
    with Origin({"good": b"1"}).serving() as origin:
        source = ListSource(origin.url, [listed("good", b"1"), listed(path, b"2")])
        with pytest.raises(Failure) as caught:
            Sync(origin, tmp_path, source=source).run()
        assert caught.value.reason is Reason.UNSAFE_PATH
        assert origin.log == []


def test_size_verification_takes_any_bytes_of_the_right_size(tmp_path: Path) -> None:
    with Origin({"model.bin": BIG}).serving() as origin:
        origin.faults = [Fault(flip=0, times=99)]
        sync = Sync(origin, tmp_path, verification=Verification.SIZE)
        manifest = sync.run()
    assert (manifest.files[0].verified_by, manifest.files[0].sha256) == ("size", None)


def test_many_small_files_use_bounded_descriptors(tmp_path: Path) -> None:
    files = {f"{number % 7}/{number}": b"x" * (number % 50) for number in range(600)}
    with Origin(files).serving() as origin:
        sync = Sync(origin, tmp_path, connections=8)
        sync.run()
        assert sync.published() == sorted(files)


def test_an_expected_digest_is_compared_before_the_first_byte(tmp_path: Path) -> None:
    with Origin(FILES).serving() as origin:
        wrong = f"sha256:{'0' * 64}"
        sync = Sync(origin, tmp_path, expected_digest=wrong)
        with pytest.raises(Failure) as failed:
            sync.run()
        assert failed.value.reason is Reason.CHECKSUM_MISMATCH
        assert sum(origin.sent(path) for path in FILES) == 0
        found = re.findall("sha256:[0-9a-f]{64}", failed.value.message)
        assert wrong in found and len(set(found)) == 2
        right = next(each for each in found if each != wrong)
        manifest = Sync(origin, tmp_path, expected_digest=right).run()
        assert manifest.digest == right
