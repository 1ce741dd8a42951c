"""What a journal makes the next worker believe."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsync.worker.storage.journal import SMALL, Journal


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def believed(directory: int) -> list[tuple[int, int]]:
    journal = Journal(directory)
    journal.close()
    return list(journal.entries["key"].ranges)


def begun(directory: int) -> Journal:
    journal = Journal(directory)
    journal.file("key", generation=0, size=10 * SMALL, validator=None)
    return journal


def test_after_a_failed_sync_only_what_was_synced_before_is_believed(directory: int) -> None:
    journal = begun(directory)
    journal.ranges([("key", 0, 0, SMALL)])
    journal.volatile("key", 0, SMALL, 2 * SMALL)
    with pytest.raises(OSError), journal.proving():
        raise OSError(5, "a bad block")
    journal.volatile("key", 0, 2 * SMALL, 3 * SMALL)
    with journal.proving():
        pass  # the kernel reports lost pages once: this one proves nothing
    journal.ranges([("key", 0, SMALL, 3 * SMALL)])
    journal.close()
    assert believed(directory) == [(0, SMALL)]


def test_a_chunk_is_recorded_at_once_and_small_files_wait_for_it(directory: int, tmp_path: Path) -> None:
    journal = begun(directory)
    journal.volatile("key", 0, 0, SMALL - 1)
    before = (tmp_path / "journal").read_bytes()
    journal.volatile("key", 0, SMALL, 2 * SMALL)
    after = (tmp_path / "journal").read_bytes()
    journal.close()
    assert before == b""
    assert after.count(b'"range"') == 2
