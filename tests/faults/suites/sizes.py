"""A hundred thousand files, and a file of a terabyte, within a worker's memory."""

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dev import target as targets
from dev.origins.files.web import WebOrigin
from modelsync.api import exitcodes, protocol
from modelsync.api.source.transfer import Verification
from tests.faults import giants, workers
from tests.faults.case import Case, Tally
from tests.faults.giants import LARGE, TERABYTE
from tests.worker.syncs import Sync

SUITE = "sizes"
MOST_KIB = 256 * 1024
GAP = 256 << 20
CONNECTIONS = 8
KILL_AT = 300
"""Writes, of up to a MiB each, after which a worker on the large file is killed."""


def _run(
    scratch: Path, url: str, *, files: int, verification: Verification, kill_at: int = 0
) -> tuple[int, int]:
    """A worker in a process of its own: how it ended, and its peak memory in KiB."""
    volume = scratch / "volume"
    volume.mkdir(exist_ok=True)
    with WebOrigin() as origin:
        request = Sync(origin, volume, verification=verification).request()
    tuning = protocol.Tuning(connections=CONNECTIONS)
    job = {
        "request": request.replace(tuning=tuning).dump_json(),
        "volume": str(volume),
        "termination": str(scratch / "termination"),
        "url": url,
        "files": files,
        "kill_at": kill_at,
    }
    root = targets.REPOSITORY
    path = f"PYTHONPATH={root / 'operator'}:{root}"
    worker = [sys.executable, "-m", "tests.faults.giants", json.dumps(job)]
    command = ["env", path, sys.executable, "-m", "tests.faults.measured", *worker]
    output = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, check=True).stdout
    ended = json.loads(output.splitlines()[-1])
    return ended["code"], ended["peak_kib"]


def many_files(seed: int, count: int) -> Tally:
    """So many files of up to a KiB: each is there, in bounded memory; so when they are looked at again."""
    tally = Tally()
    with tempfile.TemporaryDirectory(dir=workers.in_memory()) as directory:
        scratch = Path(directory)
        with giants.Origin(scratch / "sparse").serving() as origin:
            for turn in ("fetched", "looked at again"):
                begun = time.monotonic()
                code, peak = _run(scratch, origin.url, files=count, verification=Verification.CHECKSUM)
                took = time.monotonic() - begun
                print(f"    {count} files {turn} in {took:.1f} s, peak {peak // 1024} MiB", flush=True)
                if code != exitcodes.DONE or peak > MOST_KIB:
                    tally.add(False, f"{turn}: ended with {code}, peak memory {peak} KiB")
        target = scratch / "volume" / workers.SUB_PATH
        for number in range(count):
            path, content = giants.small(number)
            there = (target / path).read_bytes() if (target / path).exists() else None
            tally.add(there == content, f"{path} is missing or wrong")
    return tally


def gaps(seed: int, count: int) -> Tally:
    """A terabyte of which one range is missing, at the beginning, the end or anywhere: that is fetched."""
    tally, generator = Tally(), random.Random(seed)
    for turn in range(count):
        places = (TERABYTE - GAP, 0, (1 << 32) - GAP // 2, generator.randrange(0, TERABYTE - GAP))
        start = places[min(turn, 3)]
        with tempfile.TemporaryDirectory(dir=workers.in_memory()) as directory:
            scratch = Path(directory)
            (scratch / "volume").mkdir()
            giants.missing_only(scratch / "volume", workers.SUB_PATH, "uid-1", (start, start + GAP))
            with giants.Origin(scratch / "sparse").serving() as origin:
                code, peak = _run(scratch, origin.url, files=0, verification=Verification.SIZE)
                sent = origin.sent
            published = scratch / "volume" / workers.SUB_PATH / LARGE
            size = published.stat().st_size if published.exists() else None
        right = (code, size, sent) == (exitcodes.DONE, TERABYTE, GAP) and peak <= MOST_KIB
        tally.add(right, f"gap at {start}: ended with {code}, size {size}, sent {sent}, peak {peak} KiB")
        print(f"    a terabyte with a gap at {start}: peak {peak // 1024} MiB", flush=True)
    return tally


def beginnings(seed: int, count: int) -> Tally:
    """A terabyte from its first byte, with checksum, killed again and again: on and on, in bounded memory."""
    tally = Tally()
    with tempfile.TemporaryDirectory(dir=workers.in_memory()) as directory:
        scratch = Path(directory)
        with giants.Origin(scratch / "sparse").serving() as origin:
            for turn in range(count):
                before = origin.sent
                code, peak = _run(
                    scratch, origin.url, files=0, verification=Verification.CHECKSUM, kill_at=KILL_AT
                )
                sent = origin.sent - before
                right = code == workers.KILLED and peak <= MOST_KIB and sent > KILL_AT << 18
                tally.add(right, f"turn {turn}: ended with {code}, sent {sent}, peak {peak} KiB")
                print(f"    {sent >> 20} MiB of a terabyte: peak {peak // 1024} MiB", flush=True)
    return tally


CASES = (
    Case(
        suite=SUITE,
        name="100,000 files: all there, peak memory of at most 256 MiB",
        run=many_files,
        full=100_000,
        quick=300,
    ),
    Case(
        suite=SUITE,
        name="a file of 1 TB with 256 MiB missing: these alone are fetched, at most 256 MiB of memory",
        run=gaps,
        full=10,
        quick=1,
    ),
    Case(
        suite=SUITE,
        name="a file of 1 TB from its beginning, killed each 300 MB: at most 256 MiB of memory",
        run=beginnings,
        full=10,
        quick=1,
    ),
)
