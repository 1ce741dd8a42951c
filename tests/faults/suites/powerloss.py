"""The power fails at any step of a run, and the disk forgets what was not synced.

Kills leave the page cache, so they cannot show whether syncs come in the right order; here every change of a
run is recorded, and a state that a cut could leave is made from the recording. Part of the files have no
checksum at the source: nothing but the order of syncs keeps wrong bytes of those from being published.
"""

import dataclasses
import random
import shutil
from functools import partial
from pathlib import Path

from dev.origins.faults import ALWAYS, Slow
from modelsync.worker.storage import journal
from modelsync.worker.storage.staging import key_of
from tests.faults import replay, steering, workers
from tests.faults.case import Case, Tally
from tests.faults.suites import crashes
from tests.faults.suites.crashes import NEW, Bench
from tests.faults.workers import Volume
from tests.worker.syncs import CHUNK

SUITE = "power loss"
NOTHING = replay.Luck(pages=0.0, names=0.0)
UNDIGESTED = frozenset({"model.bin", "shards/1.bin", "new/1.json", "empty"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happens before a worker may finish in peace."""

    luck: replay.Luck
    times: int = 1
    """Power cuts, one after the other."""
    killed: float = 0.3
    """Chance that a worker is killed while it publishes, and another one goes on, before the cut."""
    done: float = 0.2
    """Chance that the cut comes only when the worker has said that it is done."""


def cuts(story: Story, seed: int, count: int) -> Tally:
    """Let the story happen `count` times, each time another."""
    tally = Tally()
    with crashes.bench_made() as bench:
        for number in range(count):
            wrong = _problem(bench, story, random.Random(f"{seed} {number}"))
            tally.add(not wrong, f"{number}: {wrong}")
    return tally


def _problem(bench: Bench, story: Story, generator: random.Random) -> str:
    volume = _volume(bench.fresh("story 0"), boots=0)
    for cut in range(story.times):
        before, noted = bench.server.scratch / "before", bench.server.scratch / "recording"
        shutil.rmtree(before, ignore_errors=True)
        shutil.copytree(volume.mounted, before, symlinks=True)
        noted.unlink(missing_ok=True)
        if generator.random() < story.killed:
            kind = crashes.Kind(name=generator.choice(["rename", "fsync"]))
            volume.run(record=str(noted), faults=[kind.fault(generator.randint(7, 20))])
        began = len(workers.recorded(noted))
        ended = volume.run(record=str(noted))
        if ended.code:
            return f"the recorded worker ended with {ended.code}: {ended.words and ended.words.message}"
        steps = workers.recorded(noted)
        step = _moment(steps, began, story, generator)
        volume = _volume(bench.volume(bench.server.scratch / f"story {cut + 1}"), boots=cut + 1)
        _cut(before, steps[:step], story.luck, generator, volume)
        wrong = crashes.half_done(volume)
        if not wrong and step == len(steps) and not crashes.lists(volume, NEW):
            wrong = "a worker said that it is done, and its files are not there"
        if wrong:
            return f"cut {cut + 1} after step {step} of {len(steps)}, {began} of a killed one: {wrong}"
    return crashes.finished(volume, NEW, refetched=None)


MOST_RUNS = 50
"""Recordings, of which most have a moment to cut at."""


def kept(seed: int, count: int) -> Tally:
    """Cut right after a sync of the journal: the next worker fetches nothing that it records."""
    tally, generator = Tally(), random.Random(seed)
    with crashes.bench_made() as bench:
        bench.origin.strike("*", Slow(100 * CHUNK), times=ALWAYS)
        for _ in range(count):
            before, steps, moments = _recorded(bench)
            step = generator.choice(moments)
            after = _volume(bench.volume(bench.server.scratch / "after"), boots=1)
            _cut(before, steps[:step], NOTHING, generator, after)
            tally.add(*_nothing_twice(after, bench))
    return tally


def _recorded(bench: Bench) -> tuple[Path, list[steering.Step], list[int]]:
    """A run, and after which of its steps the journal has recorded something durably, with nothing published
    yet. A run may be too quick for that; then another one is made."""
    before, noted = bench.server.scratch / "before", bench.server.scratch / "recording"
    for _ in range(MOST_RUNS):
        volume = _volume(bench.fresh("kept"), boots=0)
        shutil.rmtree(before, ignore_errors=True)
        shutil.copytree(volume.mounted, before, symlinks=True)
        noted.unlink(missing_ok=True)
        volume.run(record=str(noted))
        steps = workers.recorded(noted)
        moments = _journal_syncs(steps, {key_of(file).encode() for file in volume.files()})
        if moments:
            return before, steps, moments
    raise AssertionError(f"{MOST_RUNS} runs recorded nothing durably before they published")


def _journal_syncs(steps: list[steering.Step], keys: set[bytes]) -> list[int]:
    journals = {step.object for step in steps if step.name == "create" and step.entry == "journal.new"}
    staged = (step.name == "rename" and step.entry.partition(".")[0].encode() in keys for step in steps)
    published = next(n for n, moved in enumerate(staged) if moved)
    recorded, found = False, []
    for n, step in enumerate(steps[:published]):
        if step.object in journals:
            empty = (b'"boot"', b'"end":0}')
            durable = [line for line in step.data.splitlines() if not any(map(line.__contains__, empty))]
            recorded |= any(b'"range"' in line and any(key in line for key in keys) for line in durable)
            if recorded and step.name == "fdatasync":
                found.append(n + 1)
    return found


def _nothing_twice(volume: Volume, bench: Bench) -> tuple[bool, str]:
    crashes.serve(bench.origin, NEW)
    keys = {key_of(file) for file in volume.files()}
    recorded = 0
    for path in volume.target.rglob("journal"):
        entries = journal.read(path.read_bytes(), "boot-1").items()
        recorded += sum(entry.ranges.total for key, entry in entries if key in keys)
    wrong = crashes.finished(volume, NEW, refetched=None)
    sent, total = bench.origin.log.sent(), sum(map(len, NEW.values()))
    if not wrong and (not recorded or sent > total - recorded):
        wrong = f"{recorded} bytes were recorded durably, and {sent} of {total} fetched again"
    return not wrong, wrong


def _moment(steps: list[steering.Step], began: int, story: Story, generator: random.Random) -> int:
    """How many steps happen before the cut: all, or any number, or one that ends with a change or sync of
    names."""
    if generator.random() < story.done:
        return len(steps)
    if generator.random() < 0.4:
        return generator.randint(0, len(steps))
    return generator.choice(
        [n + 1 for n in range(began, len(steps)) if steps[n].name not in ("write", "pwrite")]
    )


def _volume(volume: Volume, boots: int) -> Volume:
    return dataclasses.replace(volume, undigested=UNDIGESTED, boots=boots)


def _cut(
    before: Path, steps: list[steering.Step], luck: replay.Luck, generator: random.Random, volume: Volume
) -> None:
    disk = replay.Disk(before)
    for step in steps:
        disk.take(step)
    shutil.rmtree(volume.mounted)
    volume.mounted.mkdir()
    disk.cut(luck, generator, volume.mounted)


STORIES = {
    "all that was not synced is lost": Story(luck=NOTHING),
    "names survive in order, pages at random": Story(luck=replay.Luck(pages=0.5, names=0.5, ordered=True)),
    "names and pages survive at random": Story(luck=replay.Luck(pages=0.5, names=0.5)),
    "names survive, data does not": Story(luck=replay.Luck(pages=0.0, names=1.0)),
    "a worker killed while publishing, the next one done": Story(luck=NOTHING, killed=1.0, done=1.0),
    "three times in a row, names and pages at random": Story(luck=replay.Luck(pages=0.7, names=0.5), times=3),
}

CASES = (
    *(
        Case(
            suite=SUITE,
            name=f"{title}: what is published is right, the next worker completes it",
            run=partial(cuts, story),
            full=100 if story.times == 1 else 40,
            quick=2 if story.times == 1 else 1,
        )
        for title, story in STORIES.items()
    ),
    Case(
        suite=SUITE,
        name="right after a sync of the journal: what it records is not fetched again",
        run=kept,
        full=30,
        quick=1,
    ),
)
