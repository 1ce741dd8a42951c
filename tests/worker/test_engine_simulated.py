"""The engine in a simulated world: whatever files, line, limit and disk, a pull ends and is right."""

import itertools
from dataclasses import replace

import pytest

from modelsync.api.reasons import Reason
from modelsync.worker.checksums.file_digest import BLOCK
from modelsync.worker.engines.native.buffer_pool import Pool
from modelsync.worker.engines.native.partial_file import WHOLE_BYTES
from tests import counts
from tests.simulated import pulls
from tests.simulated.pulls import Pull, Remote

TOKENIZER = (Remote(size=700_000), Remote(size=3_000_000))
EIGHT = tuple(Remote(size=size) for size in (65_535, 65_537, 66_000, 900_000, BLOCK - 1, BLOCK, BLOCK + 1))
CASES = {
    "a tokenizer and weights at 150 kB/s": Pull(files=TOKENIZER, limit=150_000),
    "a tokenizer and weights at 300 kB/s": Pull(files=TOKENIZER, limit=300_000),
    "a tokenizer and weights, an origin of 300 kB/s": Pull(files=TOKENIZER, line=300_000),
    "files around 64 KiB and 1 MiB, and a large one, at 2 MB/s": Pull(
        files=(*EIGHT, Remote(size=20_000_000)), limit=2_000_000
    ),
    "64 connections at 1 MB/s": Pull(
        files=tuple(Remote(size=size) for size in (65_537, 300_000, 900_000, 2_000_000, 8_000_000)),
        connections=64,
        chunk=64 << 10,
        line=1_000_000,
    ),
    "unknown size beyond all blocks": Pull(files=(Remote(size=150_000_000, size_known=False),)),
    "unknown size and no checksum": Pull(
        files=(Remote(size=76 * BLOCK + 1, size_known=False, digest=False),), spare=0
    ),
    "unknown sizes, cut again and again": Pull(
        files=tuple(Remote(size=9 * BLOCK + by, size_known=False) for by in (-1, 0, 1)),
        cuts=0.5,
        connections=2,
    ),
    "a limit that falls and is taken away": Pull(
        files=(*TOKENIZER, Remote(size=30_000_000)),
        limit=20_000_000,
        changes=((0.5, 150_000), (4.0, 20_000), (8.0, None)),
    ),
    "a large file of which an earlier attempt left all but two bytes": Pull(
        files=(Remote(size=200 * BLOCK, there=((1, 100 * BLOCK), (100 * BLOCK + 1, 200 * BLOCK))),),
        spare=0,
    ),
    "a hasher of 20 MB/s behind a fast line": Pull(
        files=tuple(Remote(size=9 * BLOCK) for _ in range(6)), hashing=2e7, spare=1
    ),
    "no checksums": Pull(files=(Remote(size=100 * BLOCK), Remote(size=700_000)), checksum=False, spare=0),
}


@pytest.mark.parametrize("pull", CASES.values(), ids=CASES.keys())
def test_a_pull_ends_and_is_right(pull: Pull) -> None:
    for seed in counts.chosen(short=(1,), full=(1, 2, 3)):
        assert pulls.run(pull, seed).wrong == ""


SIZES = {"empty": 0, "a byte": 1, "small": WHOLE_BYTES, "one block": WHOLE_BYTES + 1, "two blocks": BLOCK + 1}


def left(size: int) -> dict[str, Remote]:
    """What an earlier attempt may have left of a file."""
    return {
        "nothing": Remote(size=size),
        "a part": Remote(size=size, there=((size // 3, size // 2),)),
        "all": Remote(size=size, there=((0, size),)),
        "all, rotten": Remote(size=size, there=((0, size),), rotten=size > 0),
    }


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_whatever_is_known_and_judged_of_a_file_there_is_a_next_step(size: int) -> None:
    """All states in which a file may be opened, with each verdict on its bytes: the engine ends at once, and
    with the verdict's own end."""
    choices = itertools.product(left(size), itertools.product((True, False), repeat=5))
    for name, (size_known, ranged, digest, right, checksum) in choices:
        file = left(size)[name]
        remote = replace(file, size_known=size_known, ranged=ranged, digest=digest, right=right)
        lasting = checksum and digest and not right
        if not (lasting or right) or (file.rotten and not (checksum and digest)):
            continue  # nothing would show it
        ended = pulls.run(Pull(files=(remote,), checksum=checksum, connections=2, direct=False), 1)
        case = f"{name} there, {remote}, checksum={checksum}"
        assert (ended.reason is Reason.CHECKSUM_MISMATCH) if lasting else not ended.wrong, case
        assert ended.seconds < 2, f"{case} took {ended.seconds} s"


def test_a_seed_gives_the_same_run_again() -> None:
    first, second = (pulls.run(pulls.drawn(11), 11) for _ in range(2))
    assert (first.seconds, first.switches) == (second.seconds, second.switches)


def test_a_pool_that_waits_for_what_nobody_hashes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the pool once did: a small file that is not complete counted as work for the hasher."""

    def ever(pool: Pool) -> bool:
        return pool._hashing > 0 or any(copy.hashed in kept for copy, kept in pool._kept.items())

    monkeypatch.setattr(Pool, "_hashed_soon", ever)
    assert any(pulls.run(pulls.drawn(seed), seed).wrong.startswith("stuck") for seed in range(30))
