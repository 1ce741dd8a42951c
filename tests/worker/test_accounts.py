"""What a sync received and reused: the record that outlives workers, and what each of them makes of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.origins.content import noise
from dev.origins.files.web import WebOrigin
from modelsync.worker.progress import byte_counts
from modelsync.worker.progress.byte_counts import STEP, Accounts
from tests.worker import sequences
from tests.worker.syncs import Sync

BIG = noise(1_310_843)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_what_was_counted_is_there_for_the_next_attempt(directory: int) -> None:
    first = Accounts(directory, "uid-1")
    assert (first.before, first.reused) == (0, None)
    first.add(1000)
    first.reuse(70)
    first.close()
    second = Accounts(directory, "uid-1")
    assert (second.before, second.reused) == (1000, 70)
    second.add(5)
    second.close()
    assert Accounts(directory, "uid-1").before == 1005


def test_a_killed_worker_loses_less_than_a_step_and_nothing_that_the_journal_has(directory: int) -> None:
    now = 5.0
    killed = Accounts(directory, "uid-1", clock=lambda: now)
    for _ in range(100):
        killed.add(10_000)
    assert 1_000_000 - STEP < Accounts(directory, "uid-1").before < 1_000_000, "in a rush"
    now += 2 * byte_counts.STEP_SECONDS
    killed.add(1)
    assert Accounts(directory, "uid-1").before == 1_000_001, "at leisure"
    killed.add(1)
    killed.flush()
    assert Accounts(directory, "uid-1").before == 1_000_002


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"{}" * 300, b'{"version": 9, "uid": "uid-1"}'.ljust(511) + b"\n" + b"0" * 42, None],
    ids=["empty", "torn", "garbled", "another version", "another sync's"],
)
def test_another_record_is_replaced(directory: int, tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        other = Accounts(directory, "uid-2")
        other.add(STEP)
        other.close()
    else:
        (tmp_path / byte_counts.NAME).write_bytes(content)
    record = Accounts(directory, "uid-1")
    assert (record.before, record.reused) == (0, None)
    record.add(7)
    record.close()
    assert Accounts(directory, "uid-1").before == 7


def test_a_volume_that_refuses_the_record_ends_no_sync(directory: int, tmp_path: Path) -> None:
    (tmp_path / byte_counts.NAME).mkdir()
    record = Accounts(directory, "uid-1")
    record.add(5)
    record.reuse(3)
    record.close()
    assert (record.before, record.received, record.reused) == (0, 5, 3)


def test_what_was_there_before_the_sync_is_reused_in_every_attempt_and_what_it_fetched_in_none(
    tmp_path: Path,
) -> None:
    with WebOrigin({"model.bin": BIG, "other.bin": BIG[:50_000]}) as origin:
        Sync(origin, tmp_path, uid="uid-1").run()
        (tmp_path / "model/model.bin").unlink()
        for attempt in (1, 2):
            sync = Sync(origin, tmp_path, uid="uid-2")
            sync.run()
            progress = sync.state.progress()
            received = progress.bytes_network + (progress.bytes_network_before or 0)
            assert (received, progress.bytes_reused) == (len(BIG), 50_000), f"attempt {attempt}"
        assert origin.log.sent("model.bin") == 2 * len(BIG)


def test_what_was_there_and_is_gone_before_it_was_used_is_not_reused(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG, "other.bin": BIG[:50_000]}) as origin:
        Sync(origin, tmp_path, uid="uid-1").run()
        Sync(origin, tmp_path, uid="uid-2").run()
        (tmp_path / "model/model.bin").unlink()
        sync = Sync(origin, tmp_path, uid="uid-2")
        sync.run()
        progress = sync.state.progress()
    assert (progress.bytes_network, progress.bytes_reused) == (len(BIG), 50_000)


def test_a_run_of_its_own_finds_what_an_earlier_one_left(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG}) as origin:
        Sync(origin, tmp_path).run()
        again = Sync(origin, tmp_path, is_new=True)
        again.run()
        progress = again.state.progress()
    assert (progress.bytes_network, progress.bytes_network_before, progress.bytes_reused) == (0, 0, len(BIG))


@pytest.mark.parametrize("seed", (1, 3))
def test_figures_are_those_of_the_origin_over_pauses_kills_and_retries(seed: int, tmp_path: Path) -> None:
    """More of them: `python -m tests.worker.sequences --count 100`."""
    done = sequences.check(seed, tmp_path / "sync")
    assert len(done.log) > 1
