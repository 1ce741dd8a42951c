"""Slow lines, low limits and bodies without a length: the engine never waits for itself."""

import functools
import logging
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from modelsync.worker.checksums.file_digest import BLOCK
from modelsync.worker.engines.native.buffer_pool import SPARE
from tests.faults import slow_pulls
from tests.faults.case import Case, Tally
from tests.faults.rows.row import short_waits
from tests.faults.slow_pulls import CHUNKS, CONNECTIONS, Pull, around, kind_of, slow
from tests.origins.syncs import KINDS
from tests.simulated import pulls

SUITE = "slow"
TOKENIZER = (700_000, 3_000_000)
EIGHT = (65_535, 65_537, 70_000, 300_000, 900_000, BLOCK - 1, BLOCK, BLOCK + 1)
UNKNOWN_SIZES = (SPARE * BLOCK + 1, 150_000_000, SPARE * BLOCK - 1, SPARE * BLOCK, 75 * BLOCK)


def simulated(seed: int, count: int) -> Tally:
    """Pulls of the product's engine in a world of its own, where all that can be chosen a seed chooses."""
    tally = Tally()
    logging.disable()
    try:
        for number in range(seed, seed + count):
            ended = pulls.run(pulls.drawn(number), number)
            tally.add(not ended.wrong, f"seed {number}: {ended.wrong}")
    finally:
        logging.disable(logging.NOTSET)
    return tally


def _tokenizer(number: int, chance: random.Random) -> Pull:
    return Pull(sizes=TOKENIZER, kind=kind_of(number), limit=(300_000, 150_000)[number % 2])


def _slow_origin(number: int, chance: random.Random) -> Pull:
    speed = chance.choice((20_000, 100_000, 300_000, 600_000))
    sizes = tuple(min(around(chance), 6 * speed) for _ in range(4))
    return Pull(
        sizes=(*sizes, 8 * speed),
        kind=kind_of(number),
        chunk=chance.choice(CHUNKS),
        connections=chance.choice(CONNECTIONS),
        faults=(slow(speed),),
    )


def _eight(number: int, chance: random.Random) -> Pull:
    sizes = (*EIGHT, chance.choice((8_000_000, 20_000_000)))
    return Pull(sizes=sizes, kind=kind_of(number), chunk=chance.choice(CHUNKS), limit=2_000_000)


def _unknown(number: int, chance: random.Random) -> Pull:
    return Pull(
        sizes=(UNKNOWN_SIZES[number % len(UNKNOWN_SIZES)],),
        sizes_known=False,
        connections=chance.choice((1, 8)),
    )


def _unknown_and_slow(number: int, chance: random.Random) -> Pull:
    faults = (f"cut@{chance.randrange(5, 95)}%", *slow(1_000_000))
    return Pull(
        sizes=tuple(around(chance) for _ in range(4)), sizes_known=False, faults=(faults, slow(300_000))
    )


def _changing(number: int, chance: random.Random) -> Pull:
    sizes = (*(around(chance) for _ in range(5)), 6_000_000)
    limits = tuple(chance.choice((20_000, 150_000, 1_000_000, 10_000_000)) for _ in range(3))
    return Pull(
        sizes=sizes,
        kind=kind_of(number),
        connections=chance.choice(CONNECTIONS),
        limit=limits[0],
        changes=(*limits, None),
    )


def _one_behind(number: int, chance: random.Random) -> Pull:
    """One connection trickles at the beginning of a file whose rest would fill all blocks."""
    return Pull(
        sizes=(90 * BLOCK, 100_000, 700_000),
        kind=kind_of(number),
        chunk=1 << 20,
        faults=(("slow=200000@0%",), slow(100_000)),
    )


def _many(number: int, chance: random.Random) -> Pull:
    sizes = tuple(around(chance) for _ in range(8))
    return Pull(sizes=sizes, kind=kind_of(number), connections=(1, 64, 16)[number % 3], limit=1_500_000)


def _random(number: int, chance: random.Random) -> Pull:
    return slow_pulls.drawn(chance.randrange(1 << 30), kind_of(number))


def _run(make: Callable[[int, random.Random], Pull], seed: int, count: int) -> Tally:
    """So many pulls; as many at once as there are kinds of sources: the Hub's library has one client."""

    def tried(turn: int) -> list[tuple[int, str]]:
        found = []
        for number in range(turn, count, len(KINDS)):
            chance = random.Random(f"{make.__name__} {seed} {number}")
            pull = make(number, chance)
            wrong = slow_pulls.pulled(pull, chance.randrange(1 << 20))
            found.append((number, wrong and f"{wrong}: {pull}"))
        return found

    tally = Tally()
    with short_waits(), ThreadPoolExecutor(len(KINDS)) as pool:
        for found in pool.map(tried, range(len(KINDS))):
            for number, wrong in found:
                tally.add(not wrong, f"pull {number}: {wrong}")
    return tally


def _case(name: str, make: Callable[[int, random.Random], Pull], full: int, quick: int) -> Case:
    return Case(suite=SUITE, name=name, run=functools.partial(_run, make), full=full, quick=quick)


CASES: tuple[Case, ...] = (
    Case(
        suite=SUITE,
        name="simulated: any sizes, known or not, connections, speeds, limits, disks and cuts end right",
        run=simulated,
        full=5_000,
        quick=24,
    ),
    _case("700,000 bytes and 3 MB at limits of 150 and 300 kB/s", _tokenizer, 4, 0),
    _case("files of 64 KiB to 1 MiB from an origin of 20 to 600 kB/s a connection", _slow_origin, 12, 1),
    _case("eight files around 64 KiB and 1 MiB and a large one at a limit of 2 MB/s", _eight, 4, 0),
    _case("a body without a length, as large as all blocks or larger", _unknown, 10, 1),
    _case("bodies without a length from a slow origin that cuts", _unknown_and_slow, 9, 0),
    _case("a limit that is changed three times a second", _changing, 9, 1),
    _case("one slow range before so many fast ones that they use up all blocks", _one_behind, 6, 0),
    _case("1 to 64 connections at a limit of 1.5 MB/s", _many, 9, 0),
    _case("pulls of random sizes, speeds, limits, connections and sources", _random, 200, 3),
)
