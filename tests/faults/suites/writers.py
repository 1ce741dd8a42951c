"""Several workers on one target while locks lie: they may waste work, but nothing wrong is ever published.

Two or three workers start within moments of each other; some are killed, and the origin cuts and damages
answers. A reader looks at the target all the time. Afterwards a worker that is alone must end the work: what
the race left must not be a trap.
"""

import contextlib
import functools
import random
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from dev.origins.content import Synthetic
from dev.origins.files.origin import Origin
from dev.origins.serving.messages import Object
from modelsync.api import exitcodes
from modelsync.api.reasons import Reason
from tests.faults import forks
from tests.faults.case import Case, Tally
from tests.origins.syncs import Sync

KILLED = -14
ORDERLY = {exitcodes.DONE, exitcodes.BY_REASON[Reason.TARGET_BUSY], KILLED}
_FAULTS = ("cut@40%", "flip@70%", "reset@20%", "status=503", "hybrid@50%", "drop")


@contextlib.contextmanager
def _reader(sync: Sync, seen: list[str]) -> Iterator[None]:
    """Somebody who reads the target all the time, and notes wrong files."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            with contextlib.suppress(FileNotFoundError):
                seen.extend(sync.wrong())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _one_race(locks: str, generator: random.Random) -> str:
    files = {
        f"{number}.bin": Object(
            content=Synthetic(generator.randrange(1, 90_000), generator.randrange(1 << 20))
        )
        for number in range(4)
    }
    with tempfile.TemporaryDirectory(prefix="writers-") as directory, Origin(files) as origin:
        for path in files:
            origin.strike(path, "slow=2000000x*", generator.choice(_FAULTS))
        sync = Sync(origin=origin, volume=Path(directory), kind="web", connections=3)
        uids = ["uid-1", generator.choice(("uid-1", "uid-2")), "uid-1"][: generator.choice((2, 2, 3))]
        jobs = [_job(sync, uid, locks, generator) for uid in uids]
        seen: list[str] = []
        with _reader(sync, seen):
            codes = forks.race(jobs)
        if seen or sync.wrong():
            return f"wrong bytes of {seen or sync.wrong()}, exit codes {codes}"
        if not set(codes) <= ORDERLY:
            return f"exit codes {codes}: {_words(sync.volume)}"
        alone = forks.race([{**_job(sync, "uid-1", locks, generator), "life": 0.0}])
        if alone != [exitcodes.DONE]:
            return f"the worker after the race ended with {alone}, those in it with {codes}"
        return "" if set(sync.published()) == set(files) and not sync.wrong() else "the end is not right"


def _words(volume: Path) -> list[str]:
    return [each.read_text() for each in volume.glob("words-*")]


def _job(sync: Sync, uid: str, locks: str, generator: random.Random) -> forks.Job:
    sync.uid = uid
    return forks.Job(
        request=sync.request().dump_json(),
        volume=str(sync.volume),
        delay=generator.choice((0.0, generator.uniform(0, 0.3))),
        life=generator.uniform(0.02, 0.4) if generator.random() < 0.3 else 0.0,
        locks=locks,
        boot="",
        budget=-1,
        error=0,
    )


def _races(locks: str, seed: int, count: int) -> Tally:
    tally = Tally()
    for number in range(count):
        wrong = _one_race(locks, random.Random(f"{locks} {seed} {number}"))
        tally.add(not wrong, f"race {number}: {wrong}")
    return tally


CASES: tuple[Case, ...] = (
    Case(
        suite="writers",
        name="locks are granted to everybody",
        run=functools.partial(_races, "lie"),
        full=200,
        quick=3,
    ),
    Case(
        suite="writers",
        name="locks hold on each node but not between nodes, as the mount says",
        run=functools.partial(_races, "node"),
        full=200,
        quick=3,
    ),
    Case(suite="writers", name="locks work", run=functools.partial(_races, "true"), full=50, quick=2),
)
