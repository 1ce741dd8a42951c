"""Thousands of corruptions on their way from every kind of source; not one wrong byte may be published.

Each sync fetches many small files, and an answer for each of them is corrupted once: the worker has to notice
and to fetch the file again. Now and then one file is corrupted each time: then the sync has to fail, and to
publish nothing that is wrong. A corruption counts when the origin's log says that it was sent.
"""

import contextlib
import functools
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from dev.origins.content import Synthetic
from dev.origins.files.origin import Origin
from dev.origins.serving.messages import Object
from modelsync.api.reasons import Reason
from tests.faults.case import Case, Tally
from tests.faults.rows.row import short_waits
from tests.faults.rows.tls import made
from tests.origins.syncs import End, Sync

SUITE = "integrity"
FILES = 40
"""Of one sync."""
LASTING = 8
"""One sync in so many has a file that is corrupted each time."""
_LARGEST = 3 * 64 * 1024
"""Bytes; three ranges of the test's size."""
Corruption = Callable[[random.Random], str]

CORRUPTIONS: dict[str, Corruption] = {
    "a flipped bit": lambda generator: f"flip@{generator.randrange(100)}%",
    "a file cut short": lambda generator: f"truncate@{generator.randrange(1, 100)}%",
    "another file's bytes or another place's": lambda generator: generator.choice(("hybrid@0%", "misplaced")),
    "a hybrid of two versions": lambda generator: f"hybrid@{generator.randrange(1, 95)}%",
}
SOURCES = {"hub": "the Hub", "s3": "S3", "web": "HTTPS"}
_FINAL = (Reason.CHECKSUM_MISMATCH, Reason.SIZE_MISMATCH)


def _size(generator: random.Random) -> int:
    return generator.randrange(16, 4096) if generator.random() < 0.95 else generator.randrange(16, _LARGEST)


def _one_sync(kind: str, corruption: Corruption, generator: random.Random, most: int) -> tuple[int, str]:
    """How many corruptions were sent, and what is wrong with the end."""
    tls = made("127.0.0.1") if kind == "web" else None
    files = {
        f"{number % 5}/{number}.bin": Object(
            content=Synthetic(_size(generator), generator.randrange(1 << 20))
        )
        for number in range(min(FILES, most))
    }
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="integrity-")))
        origin = Origin(files, certificate=(tls.certificate, tls.key) if tls else None)
        stack.enter_context(origin)
        lasting = generator.choice(list(files)) if generator.randrange(LASTING) == 0 else ""
        for path in files:
            origin.strike(path, corruption(generator) + "x*" * (path == lasting))
        sync = Sync(origin=origin, volume=directory, kind=kind, connections=4)
        sync.ca_file = tls.authority if tls else None
        end = sync.run()
        return origin.log.struck(), _judged(sync, end, lasting=bool(lasting))


def _judged(sync: Sync, end: End, *, lasting: bool) -> str:
    if wrong := sync.wrong():
        return f"published wrong bytes of {wrong}"
    if lasting:
        return "" if end.reason in _FINAL else f"ended with {end.reason}: {end.message}"
    if end.reason is not Reason.SYNCED:
        return f"ended with {end.reason}: {end.message}"
    return "" if set(end.published) == set(sync.origin.files) else "published a part only"


def _sweep(kind: str, corruption: Corruption, seed: int, count: int) -> Tally:
    """Syncs until `count` corruptions were sent."""
    tally, number = Tally(), 0
    with short_waits():
        while tally.tried < count:
            sent, wrong = _one_sync(kind, corruption, random.Random(f"{kind} {seed} {number}"), count)
            for _ in range(sent):
                tally.add(not wrong, f"sync {number}: {wrong}")
            number += 1
    return tally


CASES: tuple[Case, ...] = tuple(
    Case(
        suite=SUITE,
        name=f"{title}, sent by {SOURCES[kind]}",
        run=functools.partial(_sweep, kind, corruption),
        full=900,
        quick=25,
    )
    for kind in SOURCES
    for title, corruption in CORRUPTIONS.items()
)
