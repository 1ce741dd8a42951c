"""Pulls over real sockets whose line, limit, sizes and connections are chosen, for the suite "slow".

The table's other rows have files of 300 KB, four connections at most, ranges of 64 KiB and no limit: smaller
than a block of the engine's memory, of which they never use up the number. Here sizes are around what the
engine counts in (64 KiB, 1 MiB, all of its blocks), and lines are so slow that a block takes seconds.
"""

import random
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from dev.origins.content import Synthetic
from dev.origins.files.origin import Origin
from modelsync.api.reasons import Reason
from modelsync.worker.checksums.file_digest import BLOCK
from modelsync.worker.common.rate_limiter import Limiter
from modelsync.worker.engines.native.partial_file import WHOLE_BYTES
from tests.origins.syncs import KINDS, Sync

SPEEDS = (20_000, 100_000, 150_000, 300_000, 600_000, 2_000_000, 10_000_000, None)
"""Bytes per second; None is unlimited."""
CONNECTIONS = (1, 2, 4, 8, 8, 8, 16, 64)
CHUNKS = (64 << 10, 1 << 20, 8 << 20, 64 << 20)
SECONDS = 4
"""What a random pull takes, about."""
_MOST_BYTES = 40_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull, and its line. Speeds are bytes per second."""

    sizes: tuple[int, ...]
    kind: str = "web"
    sizes_known: bool = True
    """Whether the sizes are stated; only a web server can leave them out."""
    connections: int = 8
    chunk: int = 8 << 20
    limit: int | None = None
    changes: tuple[int | None, ...] = ()
    """Limits that come into force one after the other, three a second, over and over."""
    faults: tuple[tuple[str, ...], ...] = ((),)
    """Faults of the files, in turn."""


def slow(speed: int | None) -> tuple[str, ...]:
    """The fault of an origin that gives each connection so much."""
    return () if speed is None else (f"slow={speed}x*",)


def pulled(pull: Pull, seed: int) -> str:
    """What is wrong with how it ended, or nothing."""
    names = [f"{number:02}.bin" for number in range(len(pull.sizes))]
    files = {name: Synthetic(pull.sizes[number], seed + number) for number, name in enumerate(names)}
    limiter, ended = Limiter(pull.limit), threading.Event()
    with tempfile.TemporaryDirectory(prefix="faults-") as directory, Origin(files) as origin:
        for number, name in enumerate(names):
            unsized = () if pull.sizes_known else ("wholex*", "chunkedx*")
            origin.strike(name, *unsized, *pull.faults[number % len(pull.faults)])
        sync = Sync(
            origin=origin,
            volume=Path(directory),
            kind=pull.kind,
            sizes=pull.sizes_known,
            connections=pull.connections,
            chunk=pull.chunk,
            limiter=limiter,
        )
        changing = threading.Thread(target=_change, args=(limiter, pull.changes, ended))
        changing.start()
        try:
            end = sync.run()
        finally:
            ended.set()
            changing.join()
        if end.reason is not Reason.SYNCED:
            return f"ended with {end.reason} ({end.message}) after {end.state.network_bytes} bytes"
        if wrong := sync.wrong():
            return f"published wrong bytes of {wrong}"
        return "" if len(end.published) == len(names) else f"published {sorted(end.published)} only"


def _change(limiter: Limiter, limits: tuple[int | None, ...], ended: threading.Event) -> None:
    number = 0
    while limits and not ended.wait(1 / 3):
        limiter.set_rate(limits[number % len(limits)])
        number += 1


def around(chance: random.Random) -> int:
    """A size near one that the engine counts in, or between the smallest of them."""
    edge = chance.choice((WHOLE_BYTES, BLOCK))
    return chance.choice((edge - 1, edge, edge + 1, chance.randrange(WHOLE_BYTES, BLOCK)))


def drawn(seed: int, kind: str) -> Pull:
    """A pull that a seed chooses; the slower its line, the less there is to come."""
    chance = random.Random(f"pull {seed}")
    speed, how = chance.choice(SPEEDS), chance.choice(("origin", "limit", "changes"))
    sizes_known = kind != "web" or chance.random() < 0.5
    left = min(_MOST_BYTES, (speed or _MOST_BYTES) * SECONDS)
    sizes = []
    for _ in range(chance.randint(1, 10)):
        size = around(chance) if chance.random() < 0.7 else chance.randrange(BLOCK, 20 * BLOCK)
        sizes.append(min(size, left))
        left = max(0, left - size)
    return Pull(
        sizes=tuple(sizes),
        kind=kind,
        sizes_known=sizes_known,
        connections=chance.choice(CONNECTIONS),
        chunk=chance.choice(CHUNKS),
        limit=None if how == "origin" else speed,
        changes=(speed, speed and 3 * speed, None, speed and speed // 2) if how == "changes" else (),
        faults=(slow(speed),) if how == "origin" else ((),),
    )


def kind_of(number: int) -> str:
    """The source of a pull by its number."""
    return KINDS[number % len(KINDS)]
