"""The blocks of an engine: nobody waits for what nobody hashes."""

import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.worker.checksums.file_digest import BLOCK
from modelsync.worker.common.failures import Interrupted
from modelsync.worker.common.open_files import Handle
from modelsync.worker.engines.native.buffer_pool import HASHERS, Block, Pool
from modelsync.worker.engines.native.file_ranges import Copy


def a_copy(size: int | None) -> Copy:
    return Copy(0, Handle(os.open(os.devnull, os.O_RDWR)), size, None)


def at_once(pool: Pool, copy: Copy, position: int) -> Block:
    """A block, if there is one without waiting; raises Interrupted."""
    halt = threading.Event()
    halt.set()
    return pool.take(copy, position, halt)


SIZES = st.sampled_from([None, 1, 700_000, BLOCK, BLOCK + 1, 3_000_000, 200 * BLOCK])
STEP = st.tuples(st.integers(0, 7), st.booleans(), st.integers(1, BLOCK))


@settings(max_examples=60, deadline=None)
@given(
    connections=st.sampled_from([1, 2, 8, 64]),
    spare=st.sampled_from([0, 1, 8]),
    sizes=st.lists(SIZES, min_size=1, max_size=4),
    steps=st.lists(STEP, max_size=120),
    hashers=st.integers(0, HASHERS),
)
def test_nobody_waits_while_no_hasher_gets_on(
    connections: int, spare: int, sizes: list[int | None], steps: list[tuple[int, bool, int]], hashers: int
) -> None:
    """Whatever the connections left: small files that are not complete, files of unknown size, gaps, one byte
    a block, and hashers that follow copies whose next bytes have not come."""
    pool, copies = Pool(connections, spare), [a_copy(size) for size in sizes]
    hands: list[tuple[Copy, int, Block] | None] = [None] * connections
    idle = a_copy(None)
    for _ in range(hashers):
        pool.follow(idle)
    for number, (which, gives, length) in enumerate(steps):
        place = number % connections
        held, copy = hands[place], copies[which % len(copies)]
        if held is None:
            position = number * BLOCK
            hands[place] = copy, position, at_once(pool, copy, position)
        elif gives:
            pool.release(held[2])
            hands[place] = None
        else:
            pool.keep(held[0], held[1], held[2], length)
            hands[place] = None


def test_a_connection_waits_for_the_block_that_a_hasher_takes_next() -> None:
    pool, copy = Pool(1, 0), a_copy(3 * BLOCK)
    for number in range(1 + HASHERS):
        pool.keep(copy, number * BLOCK, at_once(pool, copy, number * BLOCK), BLOCK)
    pool.follow(copy)
    with pytest.raises(Interrupted):
        at_once(pool, copy, BLOCK)
    picked = pool.take_kept(copy, 0)
    assert picked is not None and len(picked[1]) == BLOCK
    with pytest.raises(Interrupted):
        at_once(pool, copy, BLOCK)
    pool.leave(copy)
    pool.release_hashed(picked[0])
    assert at_once(pool, copy, 3 * BLOCK) is picked[0]
    assert at_once(pool, copy, 3 * BLOCK) is not picked[0]


def test_what_is_needed_last_is_given_up_first() -> None:
    pool, near, far = Pool(1, 0), a_copy(None), a_copy(None)
    for copy, number in ((near, 1), (far, 9), (near, 2)):
        pool.keep(copy, number * BLOCK, at_once(pool, copy, number * BLOCK), BLOCK)
    at_once(pool, near, 0)
    assert pool.take_kept(far, 9 * BLOCK) is None
    at_once(pool, near, 0)
    assert pool.take_kept(near, 2 * BLOCK) is None
    assert pool.take_kept(near, BLOCK) is not None


def test_bytes_are_in_a_block_as_in_the_file() -> None:
    pool, copy = Pool(1), a_copy(None)
    block = at_once(pool, copy, 3 * BLOCK + 5)
    block[5:9] = b"here"
    pool.keep(copy, 3 * BLOCK + 5, block, 4)
    picked = pool.take_kept(copy, 3 * BLOCK + 5)
    assert picked is not None and bytes(picked[1]) == b"here"
