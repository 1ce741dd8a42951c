"""Small values of the worker: ranges, journal, Retry-After, digests, termination report."""

import hashlib
import itertools
import os
import random
import zlib
from pathlib import Path

import awscrt.checksums
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.api import protocol
from modelsync.api.reasons import Reason
from modelsync.worker.attempt import planning, termination
from modelsync.worker.checksums import algorithms, file_digest
from modelsync.worker.common import retry
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Digest
from modelsync.worker.storage import journal
from modelsync.worker.storage.range_set import RangeSet

PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=20)


@given(PAIRS)
def test_a_set_of_ranges_is_the_set_of_its_bytes(pairs: list[tuple[int, int]]) -> None:
    ranges, expected = RangeSet(), set[int]()
    for start, end in pairs:
        new = ranges.add(start, end)
        assert new == len(set(range(start, end)) - expected)
        expected |= set(range(start, end))
    assert ranges.total == len(expected)
    assert {number for start, end in ranges for number in range(start, end)} == expected
    assert all(one[1] < two[0] for one, two in zip(list(ranges), list(ranges)[1:], strict=False))
    assert ranges.prefix_end() == next(number for number in range(62) if number not in expected)


@given(PAIRS, st.integers(0, 70), st.integers(0, 70))
def test_the_first_gap_is_the_first_missing_run(pairs: list[tuple[int, int]], start: int, limit: int) -> None:
    ranges = RangeSet(pairs)
    there = {number for low, high in pairs for number in range(low, high)}
    missing = [number for number in range(start, limit) if number not in there]
    gap = ranges.first_gap(start, limit)
    if not missing:
        assert gap is None
        return
    assert gap is not None and gap[0] == missing[0]
    assert set(range(*gap)) <= set(missing) and (gap[1] == limit or gap[1] in there)


def written(directory: Path, count: int = 6) -> bytes:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        book = journal.Journal(descriptor)
        book.file("k", generation=0, size=100, validator="etag:one")
        for number in range(count):
            book.ranges([("k", 0, number * 10, number * 10 + 10)])
        book.sync()
        book.close()
    finally:
        os.close(descriptor)
    return (directory / journal.NAME).read_bytes()


def test_a_journal_records_what_was_written(tmp_path: Path) -> None:
    entry = journal.read(written(tmp_path))["k"]
    assert (entry.size, entry.validator, list(entry.ranges)) == (100, "etag:one", [(0, 60)])
    assert journal.read(written(tmp_path, 0))["k"] == entry  # what is there is kept when it is opened again


def test_a_file_that_starts_over_forgets_its_ranges(tmp_path: Path) -> None:
    written(tmp_path)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    book = journal.Journal(descriptor)
    book.file("k", generation=1, size=100, validator="etag:two")
    book.ranges([("k", 0, 0, 100)])
    book.close()
    os.close(descriptor)
    entry = journal.read((tmp_path / journal.NAME).read_bytes())["k"]
    assert (entry.generation, entry.validator, entry.ranges.total) == (1, "etag:two", 0)


def test_a_torn_or_garbled_journal_promises_less_and_never_more(tmp_path: Path) -> None:
    content, generator = written(tmp_path), random.Random(3)
    for _ in range(500):
        broken = bytearray(content)
        if generator.random() < 0.5:
            del broken[generator.randrange(len(broken)) :]
        else:
            broken[generator.randrange(len(broken))] ^= 1 << generator.randrange(8)
        for key, entry in journal.read(bytes(broken)).items():
            assert key == "k" and set(entry.ranges) <= {(0, end) for end in range(0, 70, 10)}


def _asked(header: str | None) -> float | None:
    return retry.asked_seconds(429, {} if header is None else {"Retry-After": header})


def _waits(header: str | None, chance: float, *, progressed: bool = False) -> list[float]:
    """What a worker waits for an origin that answers each try with this Retry-After."""
    trouble = retry.Transient(Failure(Reason.RATE_LIMITED, "slow down"), wait_seconds=_asked(header))
    budget = retry.Budget(most=8)
    if progressed:
        budget.progressed()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("random.random", lambda: chance)
        return [budget.spend(trouble) for _ in range(8)]


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_waits_double_up_to_a_cap_with_full_jitter(chance: float, share: float) -> None:
    assert _waits(None, chance) == [share * most for most in (1, 2, 4, 8, 16, 30, 30, 30)]


NO_FIGURE = {
    "none": None,
    "0": "0",
    "a fraction of nothing": "0.000",
    "a date long ago": "Wed, 21 Oct 2015 07:28:00 GMT",
    "negative": "-3",
    "nonsense": "soon",
}


@pytest.mark.parametrize("header", NO_FIGURE.values(), ids=NO_FIGURE.keys())
@pytest.mark.parametrize("progressed", [False, True], ids=["at first", "after bytes came"])
def test_an_origin_that_asks_for_no_wait_gets_our_own_backoff(header: str | None, progressed: bool) -> None:
    own = _waits(None, 1.0, progressed=progressed)
    if _asked(header) is not None:  # a refusal, and not a connection that was cut after bytes
        own = _waits(None, 1.0)
    assert _waits(header, 1.0, progressed=progressed) == own


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    "header", ["1", "2.5", "7", "59", "60", "99999999999", "Wed, 21 Oct 2099 07:28:00 GMT"]
)
def test_what_an_origin_asks_for_is_waited_and_a_little_more(header: str, chance: float) -> None:
    asked = _asked(header)
    assert asked is not None
    waits = _waits(header, chance)
    assert waits[0] == max(asked + chance * max(0.5, asked / 10), chance * 1), "with jitter, which only adds"
    assert all(wait >= own for wait, own in zip(waits, _waits(None, chance), strict=True))
    assert all(min(asked, 60) <= wait <= max(30, asked * 1.1, 60 + 15) for wait in waits)


@pytest.mark.parametrize("most", [0, 2])
@pytest.mark.parametrize(("header", "waits"), [("1", 25), ("100", 3), ("299", 1), ("99999999999", 1)])
def test_waits_that_are_asked_for_spend_no_try_for_the_length_of_a_window(
    header: str, waits: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0 if float(header) > 1 else 0.5)
    trouble = retry.Transient(Failure(Reason.RATE_LIMITED, "slow down"), wait_seconds=_asked(header))
    budget = retry.Budget(most=most)
    granted = 0
    while not budget.used and budget._waited + (trouble.wait_seconds or 0) <= 300:
        budget.spend(trouble)
        granted += 1
    assert abs(granted - waits) <= 1 and budget.used == 0
    for _ in range(most):
        assert budget.spend(trouble) <= 75, "then as one that fails"
    with pytest.raises(Failure):
        budget.spend(trouble)
    budget.progressed()
    assert budget.spend(trouble) > 0 and budget.used == 0, "bytes came: it may ask again"


def test_the_budget_ends_without_progress_and_is_whole_again_with_it() -> None:
    trouble = retry.Transient(Failure(Reason.NETWORK_ERROR, "cut"))
    budget = retry.Budget(most=2)
    assert 0 <= budget.spend(trouble) <= 1
    budget.spend(trouble)
    budget.progressed()
    budget.spend(trouble)
    budget.spend(trouble)
    with pytest.raises(Failure):
        budget.spend(trouble)


DATA = b"hello modelsync"
DIGESTS = {
    "sha256": hashlib.sha256(DATA).hexdigest(),
    "git-sha1": hashlib.sha1(b"blob 15\0" + DATA).hexdigest(),
    "sha1": hashlib.sha1(DATA).hexdigest(),
    "md5": hashlib.md5(DATA).hexdigest(),
    "crc64nvme": f"{awscrt.checksums.crc64nvme(DATA):016x}",
    "crc32c": f"{awscrt.checksums.crc32c(DATA):08x}",
    "crc32": f"{zlib.crc32(DATA):08x}",
}


def digested(tmp_path: Path, *expected: Digest) -> file_digest.Digests:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        return file_digest.digest_file(file.fileno(), expected, len(DATA))


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_each_kind_of_digest_is_compared(tmp_path: Path, algorithm: str) -> None:
    right = Digest(algorithm=algorithm, value=DIGESTS[algorithm])
    wrong = Digest(algorithm=algorithm, value="0" * len(DIGESTS[algorithm]))
    assert digested(tmp_path, right).wrong() is None
    assert digested(tmp_path, wrong).wrong() == algorithm
    assert digested(tmp_path, right).verified_by() == {"md5": "etag-md5"}.get(algorithm, algorithm)


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        # The check values of the catalogue of parametrised CRC algorithms (reveng.sourceforge.io).
        ("crc32", "cbf43926"),
        ("crc32c", "e3069283"),
        ("crc64nvme", "ae8b14860a799888"),
    ],
)
def test_cyclic_checksums_have_their_published_check_values(algorithm: str, value: str) -> None:
    found = algorithms.new(algorithm, 9)
    found.update(b"12345")
    found.update(memoryview(b"6789"))
    assert found.hexdigest() == value


@pytest.mark.parametrize("parts", [(15,), (5, 10), (7, 7, 1), (10, 5, 0)], ids=str)
@pytest.mark.parametrize("step", [1, 4, 100])
def test_a_composite_checksum_is_one_over_those_of_the_parts(parts: tuple[int, ...], step: int) -> None:
    ends = list(itertools.accumulate(parts))
    digests = [hashlib.sha256(DATA[end - size : end]).digest() for size, end in zip(parts, ends, strict=True)]
    found = algorithms.new("composite-sha256", len(DATA), parts)
    for start in range(0, len(DATA), step):
        found.update(DATA[start : start + step])
    assert found.hexdigest() == hashlib.sha256(b"".join(digests)).hexdigest()


def test_a_digest_that_cannot_be_computed_does_not_count(tmp_path: Path) -> None:
    digests = digested(tmp_path, Digest(algorithm="xxhash3", value="00"))
    assert (digests.wrong(), digests.verified_by(), digests.comparable) == (None, "size", False)


@given(st.text(max_size=3000), st.integers(0, 300))
def test_a_termination_report_fits_and_is_valid_whatever_it_says(message: str, devices: int) -> None:
    counters = protocol.DeviceCounters(device="e" * 32, receive_bytes=2**53, transmit_bytes=2**53)
    report = protocol.TerminationReport(
        uid="u" * 36,
        attempt=1,
        reason=Reason.NETWORK_ERROR,
        message=termination.shortened(message.encode("utf-8", "replace").decode()),
        devices=(counters,) * min(devices, 8),
        progress=protocol.Progress(current_file="\u0001" * 500),
    )
    text = termination.fitting(report)
    assert len(text.encode()) <= protocol.MAX_TERMINATION_BYTES
    assert protocol.TerminationReport.model_validate_json(text).reason is Reason.NETWORK_ERROR


def test_patterns_match_whole_paths_and_a_star_crosses_directories() -> None:
    assert planning.wanted("onnx/model.onnx", ("onnx/*",), ())
    assert planning.wanted("a/b/c.json", ("*.json",), ())
    assert not planning.wanted("a/b/c.json", ("*.json",), ("a/*",))
    assert not planning.wanted("Model.BIN", ("*.bin",), ())
    assert planning.wanted("x", (), ())
