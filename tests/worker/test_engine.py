"""The engine against an origin that misbehaves: what is published is right, or nothing is."""

import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dev.origins.content import Fixed, noise
from dev.origins.faults import (
    ALWAYS,
    Cut,
    Extra,
    Fault,
    Flip,
    Header,
    Length,
    Redirect,
    Replace,
    Rule,
    Slow,
    Stall,
    Status,
    Whole,
)
from dev.origins.files.web import WebOrigin
from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Verification
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.model import RemoteFile
from tests.worker.syncs import CHUNK, ListSource, Sync, listed

BIG = noise(20 * CHUNK + 123)
FILES = {"model.bin": BIG, "config.json": b"{}", "empty": b"", "deep/er/file": noise(1000)}


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.001)


def test_all_files_arrive_with_their_bytes_and_a_manifest(tmp_path: Path) -> None:
    with WebOrigin(FILES) as origin:
        sync = Sync(origin, tmp_path)
        manifest = sync.run()
        assert sync.published() == sorted(FILES)
        assert all(sync.read(path) == data for path, data in FILES.items())
        assert [file.path for file in manifest.files] == sorted(FILES)
        assert all(file.verified_by == "sha256" for file in manifest.files)
        assert origin.log.sent("model.bin") == len(BIG)
    progress = sync.state.progress()
    assert progress.bytes_done == progress.bytes_total == progress.bytes_network
    assert (progress.files_done, progress.files_total) == (4, 4)
    assert sorted(path.name for path in (tmp_path / "model/.modelsync").iterdir()) == [
        "accounts",
        "lock",
        "manifest.json",
    ]


MODEL = "model.bin"
HEALED = {
    "cut in every chunk": Rule(path=MODEL, faults=(Cut(10_000),), times=20),
    "cut at once": Rule(path=MODEL, faults=(Cut(0),), times=2),
    "500": Rule(path="*", faults=(Status(500),), times=3),
    "429 with Retry-After 0": Rule(path="*", faults=(Status(429), Header("Retry-After", "0")), times=2),
    "503 with an absurd date": Rule(
        path="*", faults=(Status(503), Header("Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT"))
    ),
    "a range of another place": Rule(path=MODEL, faults=(Header("Content-Range", "bytes 5-9/1310843"),)),
    "a range without numbers": Rule(path=MODEL, faults=(Header("Content-Range", "bytes */*"),)),
    "an encoding not asked for": Rule(path=MODEL, faults=(Header("Content-Encoding", "gzip"), Length("7"))),
    "a length that lies": Rule(path=MODEL, faults=(Length("7"),)),
    "ranges ignored from the start": Rule(path=MODEL, faults=(Whole(),), times=ALWAYS),
    "ranges ignored later": Rule(path=MODEL, faults=(Whole(),), since=CHUNK, times=2),
    "an expired URL": Rule(path=MODEL, faults=(Status(403),), since=CHUNK),
    "416": Rule(path=MODEL, faults=(Status(416),), since=CHUNK),
    "a flipped bit": Rule(path=MODEL, faults=(Flip(),), position=3 * CHUNK + 5),
    "a flipped bit in a small file": Rule(path="config.json", faults=(Flip(),)),
    "bytes after the end": Rule(path="config.json", faults=(Extra("more"),)),
}


@pytest.mark.parametrize("rule", HEALED.values(), ids=HEALED.keys())
def test_a_passing_fault_is_overcome(tmp_path: Path, rule: Rule) -> None:
    with WebOrigin(FILES) as origin:
        origin.rules.add(replace(rule))
        sync = Sync(origin, tmp_path)
        sync.run()
        assert origin.log.struck()
        assert {path: sync.read(path) for path in FILES} == FILES
        assert sync.state.progress().bytes_done == sum(map(len, FILES.values()))


FINAL = {
    "no such file": ((Status(404),), Reason.NOT_FOUND),
    "wrong token": ((Status(401),), Reason.AUTHENTICATION_FAILED),
    "no right": ((Status(403),), Reason.ACCESS_DENIED),
    "always 500": ((Status(500),), Reason.ORIGIN_ERROR),
    "always 429": ((Status(429), Header("Retry-After", "0")), Reason.RATE_LIMITED),
    "always cut": ((Cut(0),), Reason.NETWORK_ERROR),
    "always damaged": ((Flip(),), Reason.CHECKSUM_MISMATCH),
    "a redirect without end": ((Redirect("/model.bin"),), Reason.ORIGIN_ERROR),
    "a redirect to a file": ((Redirect("file:///x"),), Reason.ORIGIN_ERROR),
}


@pytest.mark.parametrize(("faults", "reason"), FINAL.values(), ids=FINAL.keys())
def test_a_lasting_fault_ends_with_its_reason_and_publishes_nothing(
    tmp_path: Path, faults: tuple[Fault, ...], reason: Reason
) -> None:
    with WebOrigin({"model.bin": BIG}) as origin:
        origin.strike("model.bin", *faults, times=ALWAYS)
        sync = Sync(origin, tmp_path)
        with pytest.raises(Failure) as caught:
            sync.run()
    assert caught.value.reason is reason
    assert "signature" not in caught.value.message
    assert sync.published() == []


def test_an_origin_that_cuts_forever_but_gets_further_is_no_failure(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": noise(2_000_000)}) as origin:
        origin.strike("model.bin", Cut(1000), times=600)
        sync = Sync(origin, tmp_path, max_retries=2, connections=2)
        sync.run()
        assert sync.state.retries > 500


def test_ranges_ignored_and_cut_ends_instead_of_looping(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG}) as origin:
        origin.strike("model.bin", Whole(), Cut(CHUNK), times=ALWAYS)
        with pytest.raises(Failure) as caught:
            Sync(origin, tmp_path, max_retries=2).run()
    assert caught.value.reason is Reason.ORIGIN_ERROR


@pytest.mark.parametrize("digests", [True, False], ids=["with digest", "without digest"])
def test_an_object_that_changes_midway_is_never_mixed(tmp_path: Path, digests: bool) -> None:
    other = noise(len(BIG), "other")
    with WebOrigin({"model.bin": BIG}) as origin:
        origin.strike("model.bin", Replace(content=Fixed(other)), since=5 * CHUNK)
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
    with WebOrigin({"model.bin": BIG}) as origin:
        for chunks, etag in ((3, '"two"'), (9, '"three"')):
            origin.strike("model.bin", Replace(etag, Fixed(BIG)), since=chunks * CHUNK)
        sync = Sync(origin, tmp_path, digests=False, connections=1)
        with pytest.raises(Failure) as caught:
            sync.run()
    assert caught.value.reason is Reason.SOURCE_CHANGED


def test_a_listed_etag_pins_the_object(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG}) as origin:
        file = RemoteFile(path="model.bin", size=len(BIG), etag="listed", locator="model.bin")
        with pytest.raises(Failure) as caught:
            Sync(origin, tmp_path, source=ListSource(origin.url, [file])).run()
    assert caught.value.reason is Reason.SOURCE_CHANGED


def test_another_size_than_announced_is_a_size_mismatch(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG}) as origin:
        file = RemoteFile(path="model.bin", size=10, locator="model.bin")
        with pytest.raises(Failure) as caught:
            Sync(origin, tmp_path, source=ListSource(origin.url, [file])).run()
    assert caught.value.reason is Reason.SIZE_MISMATCH


def test_a_file_of_unknown_size_arrives(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG, "other": b"12"}) as origin:
        origin.strike("model.bin", Cut(2 * CHUNK))
        files = [RemoteFile(path=path, size=None, locator=path) for path in ("model.bin", "other")]
        sync = Sync(origin, tmp_path, source=ListSource(origin.url, files))
        sync.run()
        assert sync.read("model.bin") == BIG
        assert sync.state.progress().bytes_total == len(BIG) + 2


def test_a_silent_origin_is_left_after_the_timeout(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG}) as origin:
        origin.strike("model.bin", Stall())
        sync = Sync(origin, tmp_path, timeout=1.0)
        sync.run()
        assert sync.read("model.bin") == BIG


def test_no_byte_for_the_progress_deadline_ends_the_attempt(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG}) as origin:
        origin.strike("model.bin", Stall(), times=ALWAYS)
        with pytest.raises(Failure) as caught:
            Sync(origin, tmp_path, deadline=1, timeout=20).run()
    assert caught.value.reason is Reason.PROGRESS_DEADLINE_EXCEEDED


def test_a_stop_ends_soon_and_what_came_is_not_fetched_again(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG}) as origin:
        origin.strike("model.bin", Slow(20 * CHUNK), times=ALWAYS)
        sync = Sync(origin, tmp_path, connections=2)
        threading.Timer(0.4, sync.stop.set).start()
        started = time.monotonic()
        with pytest.raises(Interrupted):
            sync.run()
        assert time.monotonic() - started < 5
        first = sync.state.progress()
        origin.clear()
        again = Sync(origin, tmp_path)
        again.run()
        second = again.state.progress()
        assert again.read("model.bin") == BIG
    assert first.bytes_done > 0
    assert (second.bytes_network_before, second.bytes_reused) == (first.bytes_done, 0)
    assert second.bytes_network == len(BIG) - first.bytes_done


def test_the_limit_holds_over_all_connections(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG}) as origin:
        sync = Sync(origin, tmp_path)
        sync.limiter.set_rate(len(BIG))
        started = time.monotonic()
        sync.run()
        assert time.monotonic() - started > 0.8


def test_patterns_choose_the_files_and_ignoring_wins(tmp_path: Path) -> None:
    with WebOrigin(FILES) as origin:
        sync = Sync(origin, tmp_path, allow=("*.json", "deep/*"), ignore=("deep/*",))
        sync.run()
        assert sync.published() == ["config.json"]


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/.modelsync/x"], ids=str)
def test_a_hostile_name_stops_the_sync_before_the_first_byte(tmp_path: Path, path: str) -> None:
    with WebOrigin({"good": b"1"}) as origin:
        source = ListSource(origin.url, [listed("good", b"1"), listed(path, b"2")])
        with pytest.raises(Failure) as caught:
            Sync(origin, tmp_path, source=source).run()
        assert caught.value.reason is Reason.UNSAFE_PATH
        assert not origin.log


def test_size_verification_takes_any_bytes_of_the_right_size(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG}) as origin:
        origin.strike("model.bin", Flip(), times=ALWAYS)
        sync = Sync(origin, tmp_path, verification=Verification.SIZE)
        manifest = sync.run()
    assert (manifest.files[0].verified_by, manifest.files[0].sha256) == ("size", None)


def test_many_small_files_use_bounded_descriptors(tmp_path: Path) -> None:
    files = {f"{number % 7}/{number}": b"x" * (number % 50) for number in range(600)}
    with WebOrigin(files) as origin:
        sync = Sync(origin, tmp_path, connections=8)
        sync.run()
        assert sync.published() == sorted(files)


def test_an_expected_digest_is_compared_before_the_first_byte(tmp_path: Path) -> None:
    with WebOrigin(FILES) as origin:
        wrong = f"sha256:{'0' * 64}"
        sync = Sync(origin, tmp_path, expected_digest=wrong)
        with pytest.raises(Failure) as failed:
            sync.run()
        assert failed.value.reason is Reason.CHECKSUM_MISMATCH
        assert sum(origin.log.sent(path) for path in FILES) == 0
        found = re.findall("sha256:[0-9a-f]{64}", failed.value.message)
        assert wrong in found and len(set(found)) == 2
        right = next(each for each in found if each != wrong)
        manifest = Sync(origin, tmp_path, expected_digest=right).run()
        assert manifest.digest == right
