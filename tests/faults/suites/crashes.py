"""A worker killed at every kind of call it makes, and what the next one makes of it.

Each try has a volume with all that can be there: an earlier revision, published, and staging files of one
that was given up. The worker that brings the new revision is killed at one call; then what has a final name
must be whole, and a second worker must bring the rest, asking the origin for no more than what was in flight.
"""

import contextlib
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pydantic

from dev.origins.content import noise
from dev.origins.files.web import WebOrigin
from dev.origins.serving.messages import objects
from modelsync.worker.storage import journal
from tests.faults import workers
from tests.faults.case import Case, Tally
from tests.faults.workers import KILLED, Volume
from tests.worker.syncs import CHUNK

CONNECTIONS = 3
SUITE = "crashes"
UNSIZED = "unsized.bin"


def revision(name: str, chunks: int = 18) -> dict[str, bytes]:
    """A model: a large file, a few of a chunk or two, small ones in directories, an empty one."""
    return {
        "model.bin": noise(chunks * CHUNK + 17, f"{name} model"),
        "shards/1.bin": noise(17 * CHUNK, f"{name} 1"),
        "shards/2.bin": noise(CHUNK + 1, f"{name} 2"),
        **{f"{name}/{number}.json": noise(60 + number, f"{name} {number}") for number in range(4)},
        **{f"{name}/deep/{number}/1.json": noise(99, f"{name} deep {number}") for number in range(3)},
        "config.json": name.encode(),
        "empty": b"",
        UNSIZED: noise(CHUNK // 2, f"{name} unsized"),
    }


OLD, STALE, NEW = revision("old"), revision("stale"), revision("new")
SMALL = sum(len(data) for data in NEW.values() if len(data) < journal.SMALL)
"""Bytes of files whose records may wait for each other."""
LOST = CHUNK * CONNECTIONS + SMALL
"""Most bytes that a kill may cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where tries are made, with the volume that each begins with."""

    server: workers.Server
    origin: WebOrigin
    prepared: Path

    def fresh(self, name: str) -> Volume:
        """A volume as it was prepared."""
        directory = self.server.scratch / name
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(self.prepared, directory, symlinks=True)
        serve(self.origin, NEW)
        return self.volume(directory)

    def volume(self, directory: Path) -> Volume:
        """Workers for a directory."""
        return Volume(
            server=self.server,
            origin=self.origin,
            directory=directory,
            connections=CONNECTIONS,
            unsized=frozenset({UNSIZED}),
        )


def serve(origin: WebOrigin, files: dict[str, bytes]) -> None:
    """Let the origin hold these files, and forget what it was asked."""
    origin.files = objects(files)
    origin.log.clear()


@contextlib.contextmanager
def bench_made() -> Iterator[Bench]:
    """The bench of one case."""
    with WebOrigin() as origin, workers.serving() as server:
        bench = Bench(server=server, origin=origin, prepared=server.scratch / "prepared")
        volume = bench.volume(bench.prepared)
        serve(origin, OLD)
        assert volume.run().code == 0
        serve(origin, STALE)
        ended = volume.run(faults=[{"name": "pwrite", "do": "kill", "first": 14}])
        assert ended.code == KILLED, ended
        yield bench


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of call at which workers are killed."""

    name: str
    place: str = ""
    """Part of the path."""
    do: str = "kill"

    def fault(self, nth: int) -> dict[str, Any]:
        """Death at the nth of these calls."""
        return {"name": self.name, "place": self.place, "do": self.do, "first": nth, "last": nth}

    def calls(self, counted: list[tuple[str, str]]) -> int:
        """How many there are in a run."""
        return sum(name == self.name and self.place in place for name, place in counted)


def kill_at(kind: Kind, seed: int, count: int) -> Tally:
    """Kill at `count` calls of a kind, all of a run before any a second time."""
    tally, generator = Tally(), random.Random(seed)
    with bench_made() as bench:
        noted = bench.server.scratch / "calls"
        assert bench.fresh("counted").run(count=str(noted)).code == 0
        calls = kind.calls(workers.counted(noted))
        points: list[int] = []
        while len(points) < count and calls:
            points += generator.sample(range(1, calls + 1), calls)
        for nth in points[:count]:
            wrong = _killed_once(bench, kind, nth)
            tally.add(not wrong, f"{kind.name} {kind.place} {nth} of {calls}: {wrong}")
    return tally


def _killed_once(bench: Bench, kind: Kind, nth: int) -> str:
    """What went wrong, or nothing. Threads make a call more or less, so the last may not come: then the one
    before it."""
    for point in range(nth, 0, -1):
        volume = bench.fresh("try")
        ended = volume.run(faults=[kind.fault(point)])
        if ended.code == KILLED:
            return half_done(volume) or finished(volume, NEW)
    return f"was never killed: {ended}"


def half_done(volume: Volume) -> str:
    """After a death: every published file is the old or the new one, and a manifest is true."""
    for path, data in volume.content().items():
        if data not in (OLD.get(path), NEW.get(path)):
            return f"{path} is neither the old nor the new file"
    try:
        manifest = volume.manifest()
    except pydantic.ValidationError:
        return "the manifest is torn"
    if manifest is None:
        return "the manifest is gone"
    listed = {entry.path: entry.size for entry in manifest.files}
    if listed.keys() not in (OLD.keys(), NEW.keys()):
        return "the manifest lists neither revision"
    if listed.keys() == NEW.keys() and any(volume.content().get(path) != NEW[path] for path in NEW):
        return "the manifest came before its files"
    return ""


def lists(volume: Volume, files: dict[str, bytes]) -> bool:
    """Whether the manifest lists these files, and they are there."""
    manifest, content = volume.manifest(), volume.content()
    if manifest is None or {entry.path for entry in manifest.files} != files.keys():
        return False
    return all(content.get(path) == data for path, data in files.items())


def finished(volume: Volume, files: dict[str, bytes], refetched: int | None = LOST) -> str:
    """A following worker makes it right, and fetches no more than `refetched` bytes a second time."""
    ended = volume.run()
    if ended.code:
        return f"the next worker ended with {ended.code}: {ended.words and ended.words.message}"
    content = volume.content()
    if any(content.get(path) != data for path, data in files.items()):
        return "wrong bytes after the next worker"
    kept = sorted(path.name for path in (volume.target / ".modelsync").iterdir())
    if kept != ["accounts", "lock", "manifest.json"]:
        return f"left behind: {kept}"
    again = volume.origin.log.sent() - sum(map(len, files.values()))
    if refetched is not None and again > refetched:
        return f"{again} bytes were fetched twice"
    return ""


def kill_in_a_row(seed: int, count: int) -> Tally:
    """Kill one volume's workers at random calls again and again; what they leave never grows."""
    tally, generator = Tally(), random.Random(seed)
    names = ["pwrite", "fdatasync", "write", "open"]
    files = revision("long", chunks=24 * count + 8)
    most = sum(map(len, files.values())) + len(files) * 4096
    with bench_made() as bench:
        volume = bench.fresh("row")
        serve(bench.origin, files)
        for number in range(count):
            name = generator.choice(names)
            nth = 1 if name == "open" else generator.randrange(2, 8)
            ended = volume.run(faults=[Kind(name=name).fault(nth)])
            left = volume.state_bytes()
            journal = sum(path.stat().st_size for path in volume.target.rglob("journal*"))
            right = ended.code == KILLED and left - journal <= most and journal < 1 << 20
            tally.add(right, f"kill {number}: {ended.code}, {left} bytes of staging, {journal} of journal")
        wrong = _finished_long(volume, files)
        if wrong:
            tally.add(False, wrong)
    return tally


def _finished_long(volume: Volume, files: dict[str, bytes]) -> str:
    ended = volume.run()
    content = volume.content()
    if ended.code or any(content.get(path) != data for path, data in files.items()):
        return f"the last worker ended with {ended.code}: {ended.words and ended.words.message}"
    return ""


def kill_then_change(seed: int, count: int) -> Tally:
    """Kill while files are moved into place; then the source holds other files. Ours are not foreign."""
    tally, generator = Tally(), random.Random(seed)
    with bench_made() as bench:
        for _ in range(count):
            nth = generator.randrange(3, len(NEW) + 2)  # the journal's and the record's come before
            directory = bench.server.scratch / "changed"
            shutil.rmtree(directory, ignore_errors=True)
            volume = bench.volume(directory)
            serve(bench.origin, NEW)
            ended = volume.run(faults=[Kind(name="rename").fault(nth)])
            serve(bench.origin, OLD)
            wrong = f"was not killed: {ended.code}" if ended.code != KILLED else finished(volume, OLD)
            tally.add(not wrong, f"rename {nth}: {wrong}")
    return tally


KINDS = {
    "making a file": Kind(name="open"),
    "making a directory": Kind(name="mkdir"),
    "reserving space": Kind(name="fallocate"),
    "writing data": Kind(name="pwrite"),
    "half of writing data": Kind(name="pwrite", do="tear"),
    "syncing data": Kind(name="fdatasync"),
    "a journal's record": Kind(name="write", place="/journal"),
    "half of a journal's record": Kind(name="write", place="/journal", do="tear"),
    "half of the manifest": Kind(name="write", place="/manifest", do="tear"),
    "syncing a file or a directory": Kind(name="fsync"),
    "renaming": Kind(name="rename"),
    "removing a file": Kind(name="unlink"),
    "removing a directory": Kind(name="rmdir"),
}

CASES = (
    *(
        Case(
            suite=SUITE,
            name=f"kill -9 at {name}: what is published is whole, the next worker fetches what was in flight",
            run=partial(kill_at, kind),
            full=40 if kind.name in ("pwrite", "fdatasync", "write", "fsync", "rename") else 20,
            quick=1,
        )
        for name, kind in KINDS.items()
    ),
    Case(
        suite=SUITE,
        name="kill -9 in a row on one volume: orphans of at most one attempt",
        run=kill_in_a_row,
        full=100,
        quick=4,
    ),
    Case(
        suite=SUITE,
        name="kill -9 while publishing, then the source changes: the next worker replaces its own files",
        run=kill_then_change,
        full=30,
        quick=2,
    ),
)
