"""A volume that is full, lacks inodes, refuses, or fails, at every place where it can.

Two ways: real small file systems (tmpfs in a mount namespace of the case's own), and errors of single calls
for what no file system here produces when it is wanted: a quota (the kernels of small machines often have
none), a failing sync, a file system that cannot reserve space. A foreign file is on every volume and must
stay as it is.
"""

import contextlib
import dataclasses
import errno
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from dev.origins.content import noise
from dev.origins.files.web import WebOrigin
from modelsync.api import exitcodes
from modelsync.api.reasons import Reason
from modelsync.worker.storage import journal
from tests.faults import workers
from tests.faults.case import Case, Tally
from tests.faults.suites import crashes
from tests.faults.suites.crashes import CONNECTIONS, NEW, Kind
from tests.faults.suites.powerloss import UNDIGESTED
from tests.faults.workers import Ended, Server, Volume
from tests.worker.syncs import CHUNK

SUITE = "disk"
PAGE = 4096
FILES = {
    "model.bin": noise(20 * CHUNK),
    "shards/1.bin": noise(3 * CHUNK + 5, "1"),
    "shards/2.bin": noise(CHUNK - 1, "2"),
    "config.json": b"{}",
}
TOTAL = sum(map(len, FILES.values()))
PAGES = sum(-(-len(data) // PAGE) for data in FILES.values())
"""Of the files alone; the journal, the manifest and directories need a few more."""
LOST = CHUNK * CONNECTIONS + sum(len(data) for data in FILES.values() if len(data) < journal.SMALL)
"""Most bytes that an end in the middle may cost: chunks on their way, and small files not yet recorded."""
FOREIGN = noise(3000, "foreign")
FIXES = {
    Reason.INSUFFICIENT_STORAGE: ("grow the PersistentVolumeClaim", "quota", "inodes"),
    Reason.VOLUME_NOT_WRITABLE: ("read-write", "Check the volume and its node", "NFS or CephFS"),
}


@contextlib.contextmanager
def bench_made() -> Iterator[tuple[Server, WebOrigin]]:
    """A server whose mounts nobody else sees, and an origin."""
    with WebOrigin() as origin, workers.serving(own_mounts=True) as server:
        yield server, origin


@contextlib.contextmanager
def mounted(server: Server, origin: WebOrigin, options: str, **more: Any) -> Iterator[Volume]:
    """A volume of its own file system, with a foreign file on it."""
    volume = Volume(
        server=server, origin=origin, directory=server.scratch / "disk", connections=CONNECTIONS, **more
    )
    server.inside("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(volume.mounted))
    try:
        volume.target.mkdir()
        (volume.target / "foreign").write_bytes(FOREIGN)
        crashes.serve(origin, FILES)
        yield volume
    finally:
        server.inside("umount", "--lazy", str(volume.mounted))


def remount(volume: Volume, options: str) -> None:
    """Change a mounted volume."""
    volume.server.inside("mount", "-o", f"remount,{options}", str(volume.mounted))


def refused(ended: Ended, reason: Reason, volume: Volume) -> str:
    """What is wrong with a refusal, or nothing."""
    if ended.code != exitcodes.BY_REASON[reason] or ended.words is None:
        return f"ended with {ended.code}: {ended.words and ended.words.message}"
    if ended.words.reason is not reason or not any(fix in ended.words.message for fix in FIXES[reason]):
        return f"says {ended.words.reason}: {ended.words.message}"
    content = volume.content()
    if content.pop("foreign") != FOREIGN:
        return "the foreign file was changed"
    if any(data != FILES.get(path) for path, data in content.items()):
        return "wrong bytes were published"
    return "" if volume.manifest() is None else "there is a manifest"


def fixed(volume: Volume, most: int = LOST) -> str:
    """After the fix: all is there, and what was fetched before is not fetched again."""
    ended = volume.run()
    if ended.code:
        return f"after the fix it ended with {ended.code}: {ended.words and ended.words.message}"
    if volume.content() != {**FILES, "foreign": FOREIGN}:
        return "wrong bytes after the fix"
    again = volume.origin.log.sent() - TOTAL
    return f"{again} bytes were fetched twice" if again > most else ""


def known_size(seed: int, count: int) -> Tally:
    """Volumes of every size at which the files just do not fit: refused before the first byte, then grown."""

    def once(volume: Volume, pages: int) -> str:
        wrong = refused(volume.run(), Reason.INSUFFICIENT_STORAGE, volume)
        if wrong or volume.origin.log.sent():
            return wrong or f"{volume.origin.log.sent()} bytes were fetched for nothing"
        remount(volume, "size=64m")
        return fixed(volume)

    return _by_size(once, list(range(6, PAGES)), seed, count)


def unknown_size(seed: int, count: int) -> Tally:
    """The source states no sizes: the volume fills in the middle; twice the same words, then it is grown."""

    def once(volume: Volume, pages: int) -> str:
        first = refused(volume.run(), Reason.INSUFFICIENT_STORAGE, volume)
        sent = volume.origin.log.sent()
        second = refused(volume.run(), Reason.INSUFFICIENT_STORAGE, volume)
        if first or second:
            return first or f"the second time: {second}"
        if volume.origin.log.sent() - sent > TOTAL:
            return "the second attempt fetched more than there is"
        remount(volume, "size=64m")
        return fixed(volume, most=3 * TOTAL)

    return _by_size(once, _at_boundaries(), seed, count, unsized=frozenset(FILES))


def _at_boundaries() -> list[int]:
    """Sizes in pages at which the space ends at a chunk's boundary, a page before and a page after."""
    step = CHUNK // PAGE
    return [pages + more for pages in range(step, PAGES - step, step) for more in (-1, 0, 1)]


def _by_size(
    once: Callable[[Volume, int], str], sizes: list[int], seed: int, count: int, **more: Any
) -> Tally:
    tally, generator = Tally(), random.Random(seed)
    chosen = generator.sample(sizes, min(count, len(sizes)))
    with bench_made() as (server, origin):
        for pages in chosen:
            with mounted(server, origin, f"size={pages * PAGE}", **more) as volume:
                wrong = once(volume, pages)
                tally.add(not wrong, f"{pages} pages: {wrong}")
    return tally


def just_enough(seed: int, count: int) -> Tally:
    """A volume that holds the files once: a worker killed at any point counts its own staging as there."""
    tally, generator = Tally(), random.Random(seed)
    with bench_made() as (server, origin):
        for _ in range(count):
            nth = generator.randint(2, 24)
            with mounted(server, origin, f"size={(PAGES + 24) * PAGE}") as volume:
                ended = volume.run(faults=[Kind(name="pwrite").fault(nth)])
                wrong = "" if ended.code in (workers.KILLED, 0) else f"ended with {ended.code}"
                wrong = wrong or fixed(volume)
                tally.add(not wrong, f"killed at write {nth}: {wrong}")
    return tally


def inodes(seed: int, count: int) -> Tally:
    """Every number of inodes that is too small: refused, in words of inodes where they are counted first."""
    tally, generator = Tally(), random.Random(seed)
    with bench_made() as (server, origin):
        for _ in range(count):
            number = generator.randint(4, 8 + len(FILES))
            with mounted(server, origin, f"size=64m,nr_inodes={number}") as volume:
                ended = volume.run()
                if ended.code:
                    wrong = refused(ended, Reason.INSUFFICIENT_STORAGE, volume)
                    if "inodes" not in (ended.words.message if ended.words else ""):
                        wrong = wrong or "does not say that inodes are missing"
                    remount(volume, "nr_inodes=1000")
                    wrong = wrong or fixed(volume)
                else:
                    wrong = fixed(volume)
                tally.add(not wrong, f"{number} inodes: {wrong}")
    return tally


def read_only(seed: int, count: int) -> Tally:
    """Mounted read-only before the first attempt, or after one was killed."""
    tally, generator = Tally(), random.Random(seed)
    with bench_made() as (server, origin):
        for number in range(count):
            with mounted(server, origin, "size=64m") as volume:
                if number % 2:
                    volume.run(faults=[Kind(name="pwrite").fault(generator.randint(2, 20))])
                remount(volume, "ro")
                wrong = refused(volume.run(), Reason.VOLUME_NOT_WRITABLE, volume)
                remount(volume, "rw")
                wrong = wrong or fixed(volume)
                tally.add(not wrong, wrong)
    return tally


def full_at(seed: int, count: int) -> Tally:
    """No space at every chunk boundary and a byte to each side, where space cannot be reserved before."""
    tally, generator = Tally(), random.Random(seed)
    points = [n * CHUNK + more for n in range(1, TOTAL // CHUNK) for more in (-1, 0, 1)]
    unreserved = {"name": "fallocate", "do": "fail", "number": errno.EOPNOTSUPP}
    with bench_made() as (server, origin):
        for _ in range(count):
            point = generator.choice(points)
            with mounted(server, origin, "size=64m") as volume:
                full = {"name": "pwrite", "do": "full", "budget": point, "number": errno.ENOSPC}
                ended = volume.run(faults=[full, unreserved])
                wrong = refused(ended, Reason.INSUFFICIENT_STORAGE, volume) or fixed(volume)
                tally.add(not wrong, f"full after {point} bytes: {wrong}")
    return tally


BY_ERRNO = {
    errno.ENOSPC: Reason.INSUFFICIENT_STORAGE,
    errno.EDQUOT: Reason.INSUFFICIENT_STORAGE,
    errno.EROFS: Reason.VOLUME_NOT_WRITABLE,
    errno.EIO: Reason.VOLUME_NOT_WRITABLE,
}
CALLS = ("open", "mkdir", "fallocate", "pwrite", "write", "fdatasync", "fsync", "rename", "unlink", "rmdir")


def failing(
    number: int, do: str, calls: tuple[str, ...], undigested: frozenset[str], seed: int, count: int
) -> Tally:
    """One call of any kind fails, and all of its kind after it: the right reason, then the next worker."""
    tally, generator = Tally(), random.Random(seed)
    with crashes.bench_made() as bench:
        noted = bench.server.scratch / "calls"
        bench.fresh("counted").run(count=str(noted))
        counted = workers.counted(noted)
        for turn in range(count):
            kind = Kind(name=calls[turn % len(calls)])
            most = kind.calls(counted)
            nth = generator.randint(1, max(1, most))
            for point in (nth, 1):  # a call may come less often than it was counted
                volume = dataclasses.replace(bench.fresh("try"), undigested=undigested)
                fault = {"name": kind.name, "do": do, "number": number, "first": point}
                if do == "lose":
                    # The kernel reports it once: the next sync succeeds and proves nothing.
                    fault["last"] = point
                ended = volume.run(faults=[fault])
                if ended.code != exitcodes.DONE:
                    break
            wrong = _failed(ended, BY_ERRNO[number]) or crashes.half_done(volume)
            wrong = wrong or crashes.finished(volume, NEW, refetched=None)
            tally.add(not wrong, f"{kind.name} {nth} of {most}: {wrong}")
    return tally


def _failed(ended: Ended, reason: Reason) -> str:
    if ended.words is None or ended.code != exitcodes.BY_REASON[reason]:
        return f"ended with {ended.code}: {ended.words and ended.words.message}"
    said = any(fix in ended.words.message for fix in FIXES[reason])
    return "" if said else f"says no fix: {ended.words.message}"


def slow(seed: int, count: int) -> Tally:
    """Each write and sync takes long: it gets done, in bounded memory, and nobody calls it a stall."""
    tally, generator = Tally(), random.Random(seed)
    with bench_made() as (server, origin):
        for _ in range(count):
            with mounted(server, origin, "size=64m") as volume:
                delays = [
                    {"name": name, "do": "sleep", "seconds": generator.uniform(0.005, 0.03)}
                    for name in ("pwrite", "fdatasync", "fsync")
                ]
                ended = volume.run(faults=delays)
                wrong = f"ended with {ended.code}" if ended.code else fixed(volume)
                wrong = wrong or (f"{ended.peak_kib} KiB" if ended.peak_kib > 256 * 1024 else "")
                tally.add(not wrong, wrong)
    return tally


def unable(seed: int, count: int) -> Tally:
    """A file system that renames nothing: reported before the first byte, then fixed."""
    tally, numbers = Tally(), (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
    with bench_made() as (server, origin):
        for number in numbers[:count]:
            with mounted(server, origin, "size=64m") as volume:
                fault = {"name": "rename", "do": "fail", "number": number, "first": 1}
                ended = volume.run(faults=[fault])
                wrong = refused(ended, Reason.VOLUME_NOT_WRITABLE, volume)
                fix = "read-write" if number == errno.EPERM else "Use block storage, NFS or CephFS"
                said = ended.words.message if ended.words else ""
                wrong = wrong or ("" if fix in said else f"says {said}")
                wrong = wrong or (
                    f"{origin.log.sent()} bytes were fetched for nothing" if origin.log.sent() else ""
                )
                wrong = wrong or fixed(volume)
                tally.add(not wrong, f"{errno.errorcode[number]}: {wrong}")
    return tally


def _case(name: str, run: Callable[[int, int], Tally], full: int, quick: int) -> Case:
    return Case(suite=SUITE, name=name, run=run, full=full, quick=quick)


CASES = (
    _case(
        "too small a volume, all sizes known: refused before the first byte, goes on when grown",
        known_size,
        120,
        2,
    ),
    _case(
        "a volume that fills at a chunk's boundary, a page before or after, sizes unknown",
        unknown_size,
        75,
        2,
    ),
    _case("no space at a chunk's boundary, a byte before or after, nothing reserved", full_at, 75, 2),
    _case("a volume that holds the files once, a worker killed at any write", just_enough, 40, 2),
    _case("inodes gone", inodes, 40, 2),
    _case("a read-only volume", read_only, 20, 2),
    _case("a slow disk", slow, 10, 1),
    _case("a volume that cannot rename: refused before the first byte", unable, 3, 1),
    *(
        _case(
            f"{errno.errorcode[number]} at a call of any kind and all after it, then fixed",
            partial(failing, number, "fail", CALLS, frozenset()),
            50,
            2,
        )
        for number in BY_ERRNO
    ),
    _case(
        "EIO at a sync, and the kernel drops the pages: nothing of them is believed",
        partial(failing, errno.EIO, "lose", ("fdatasync", "fsync"), UNDIGESTED),
        60,
        2,
    ),
)
