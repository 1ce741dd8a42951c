"""Runs a case: every engine in turn, as often as asked for, each into an empty folder.

Turns are interleaved and begin with another engine each time, since no machine is equally fast for minutes,
and what runs after another meets its leavings. What was written is checked after every run, ours too.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from dev.bench import commands, data, engines, measure, places, pods, reaching
from dev.bench import job as jobs
from dev.bench.cases import Case, Reach, Volume
from dev.bench.data import FileSet
from dev.bench.job import Engine, Job
from dev.bench.measure import BenchError, Usage

Results = dict[str, list[Usage]]
"""By engine."""
_TOUCHED = 16 << 30
Say = Callable[[str], None]


def run(case: Case, repeats: int, scratch: Path, say: Say) -> Results:
    """All runs of a case; raises Unavailable where this machine lacks what the case needs."""
    with tempfile.TemporaryDirectory(prefix="case-", dir=scratch) as name:
        folder = Path(name)
        files = data.make(case.spec, folder / "files")
        repeats = case.repeats or repeats
        if case.reach is Reach.POD:
            return pods.run(case, files, repeats, folder, say)
        with (
            reaching.reachable(case, files, folder / "origin") as access,
            places.volume(case.volume, folder, files.size) as volume,
        ):
            return _turns(case, files, repeats, _Place(folder, volume, access), say)


class _Place:
    """Where runs of a case happen."""

    def __init__(self, folder: Path, volume: Path, access: reaching.Access) -> None:
        self.folder, self.volume, self.access = folder, volume, access


def _turns(case: Case, files: FileSet, repeats: int, place: _Place, say: Say) -> Results:
    chosen = [engine for engine in case.engines if installed(engine)]
    results: Results = {engine.name: [] for engine in chosen}
    for turn in range(repeats):
        shift = turn % len(chosen)
        for engine in chosen[shift:] + chosen[:shift]:
            if engine in case.once and results[engine.name]:
                continue
            try:
                used = _one(case, engine, files, place)
            except BenchError as error:
                print(f"    {engine.name} failed: {error}", file=sys.stderr, flush=True)
                if engine.name == engines.MODELSYNC:
                    raise
                continue
            results[engine.name].append(used)
            say(measure.line(engine.name, None if case.stop_after_s else files.size, used))
    return {name: runs for name, runs in results.items() if runs}


def installed(engine: Engine) -> bool:
    """Whether an engine's program is on this machine; Python packages always are."""
    program = {"aria2c": "aria2c", "rclone": "rclone", "s5cmd": "s5cmd"}.get(engine.name)
    return program is None or commands.find(program) is not None


def _one(case: Case, engine: Engine, files: FileSet, place: _Place) -> Usage:
    target = place.volume / "target"
    with tempfile.TemporaryDirectory(prefix="run-", dir=place.folder) as name:
        job = Job(
            files=files,
            endpoint=place.access.endpoint,
            cdn=place.access.cdn,
            target=target,
            work=Path(name),
            authority=place.access.authority,
            prefix=place.access.prefix,
        )
        if case.volume is Volume.MEMORY:
            _touch(place.volume, files.size)
        else:
            os.sync()  # no run may pay for the writes of the one before
        target.mkdir()
        try:
            return _measured(case, engine, job, jobs.environment(job))
        finally:
            shutil.rmtree(target)


def _touch(folder: Path, size: int) -> None:
    """Write and remove as much as a run will: a virtual machine gives idle memory back to its host, and
    an engine that ran after a pause would pay for getting it again, 2 us a page."""
    if size > _TOUCHED:
        return  # a sparse file, of which little is fetched
    zeros = bytes(1 << 20)
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(0, size, len(zeros)):
            file.write(zeros)


def _measured(case: Case, engine: Engine, job: Job, environment: Mapping[str, str]) -> Usage:
    log = job.work / "log"
    stop = measure.Stop(after_s=case.stop_after_s) if case.stop_after_s else None
    command = [*job.prefix, *engine.command(job)]
    used = measure.run(command, environment=environment, log=log, stop=stop)
    if engine.limit or stop:
        return used
    _check_sizes(job)
    if engine.needs_pass:
        command = jobs.verification(job, fsync=case.volume is not Volume.MEMORY)
        used = used.then(measure.run(command, environment=environment, log=log))
    return used


def _check_sizes(job: Job) -> None:
    for file in job.files.files:
        path = job.target / file.path
        if not path.is_file() or path.stat().st_size != file.size:
            raise BenchError(f"{file.path} is not there, or not of {file.size} bytes")
