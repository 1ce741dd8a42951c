"""Whole pulls in a simulated world: the product's engine on files, lines and disks that a seed chooses.

Everything that decides is the product's: connections, parts, writers, the pool, the hashers, the limiter.
Simulated are the threads' turns, the clock, the disk and the line. A pull is right when it ends, each file is
on the disk as the origin has it, and each checksum is that of the file.
"""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from modelsync.api.protocol import Tuning, WorkRequest
from modelsync.api.reasons import Reason
from modelsync.api.source import sources
from modelsync.api.source.sources import HttpFile, HttpSource
from modelsync.api.source.transfer import Verification
from modelsync.worker.checksums.file_digest import BLOCK
from modelsync.worker.common.model import Digest, RemoteFile, Request
from modelsync.worker.common.rate_limiter import Limiter
from modelsync.worker.context import Context
from modelsync.worker.engines.native import connection_limit, engine
from modelsync.worker.engines.native.buffer_pool import Pool
from modelsync.worker.engines.native.partial_file import WHOLE_BYTES
from modelsync.worker.engines.native.staged_file import PAGE
from modelsync.worker.http import client
from modelsync.worker.http.connector import Network
from modelsync.worker.http.http1 import Broken, Headers
from modelsync.worker.progress.state import State
from modelsync.worker.progress.throughput import Meter
from modelsync.worker.storage.journal import Entry
from modelsync.worker.storage.range_set import RangeSet
from modelsync.worker.storage.staging import key_of
from tests.simulated import disk as disks
from tests.simulated.world import Stuck, World, inside

UNLIMITED = 4e9
"""Bytes per second of a line without a limit."""
TICK_SECONDS = 0.1
"""Between two looks at the engine, as in `supervisor`."""
PATIENCE_SECONDS = 70.0
"""A pull in which nothing moved for so long is stuck: longer than any wait between two tries."""
_QUANTA = 20
"""Packets a second and connection of a slow line."""
_SOCKET = 256 << 10
"""Bytes that the kernel receives of an answer that nobody reads on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A file of the origin."""

    size: int
    size_known: bool = True
    """Whether its size is stated, in the listing or by an answer."""
    ranged: bool = True
    """Whether the origin serves ranges of it."""
    digest: bool = True
    """Whether the source states a checksum."""
    right: bool = True
    """Whether that is the checksum of its bytes."""
    there: tuple[tuple[int, int], ...] = ()
    """What an earlier attempt has left on the volume."""
    rotten: bool = False
    """Whether the volume holds other bytes than were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull, and the world in which it happens. Speeds are bytes per second."""

    files: tuple[Remote, ...]
    connections: int = 8
    chunk: int = 8 << 20
    spare: int = 64
    checksum: bool = True
    direct: bool = True
    line: float = UNLIMITED
    """Of all connections together."""
    each: float = UNLIMITED
    """Of one connection."""
    limit: int | None = None
    changes: tuple[tuple[float, int | None], ...] = ()
    """Limits that come into force later: seconds since the start, and the limit."""
    disk: float = 1e9
    hashing: float = 1e9
    short: float = 0.0
    """Share of writes that write a part only."""
    cuts: float = 0.0
    """Share of answers that end too early."""
    damaged: float = 0.0
    """Share of files with a checksum whose first answer has wrong bytes."""


@dataclass(slots=True)
class _Line:
    """What all answers share."""

    world: World
    pull: Pull
    sending: int = 0

    def rate(self) -> float:
        return min(self.pull.each, self.pull.line / max(1, self.sending))


class _Answer:
    """A response with a body that comes at the line's speed."""

    def __init__(
        self, line: _Line, status: int, headers: Mapping[str, str], kept: bytes, span: tuple[int, int]
    ) -> None:
        self.status, self.headers = status, Headers(headers)
        self._line, self._kept = line, kept
        self._position, self._end = span
        self._cut = self._end
        world = line.world
        if world.random.random() < line.pull.cuts:
            self._cut = world.random.randint(self._position, self._end)
        self._there, self._at = 0.0, world.now
        self._open = True
        line.sending += 1

    def read_into(self, view: memoryview) -> int:
        world, rate = self._line.world, self._line.rate()
        if self._position == self._cut < self._end:
            raise Broken("cut")
        wanted = min(len(view), self._cut - self._position)
        if not wanted:
            return 0
        self._arrive(rate)
        least = min(wanted, max(1.0, rate / _QUANTA))
        if self._there < least:
            world.sleep((least - self._there) / rate)
            self._arrive(rate)
        count = min(wanted, max(1, int(self._there)))
        self._there -= count
        disks.put(view[:count], self._position, self._kept)
        self._position += count
        return count

    def _arrive(self, rate: float) -> None:
        now = self._line.world.now
        self._there = min(self._there + (now - self._at) * rate, max(_SOCKET, rate / _QUANTA + 1))
        self._at = now

    def close(self) -> None:
        self._line.sending -= self._open
        self._open = False


class Origin:
    """Stands in for the transport."""

    def __init__(self, world: World, pull: Pull) -> None:
        self._line = _Line(world, pull)
        self.files = pull.files
        self.kept = [world.random.randbytes(disks.samples(file.size)) for file in pull.files]
        self._damaged = {
            number
            for number, file in enumerate(pull.files)
            if file.digest and pull.checksum and world.random.random() < pull.damaged
        }

    def get(self, request: Request, extra: Mapping[str, str], *, method: str = "GET") -> client.Answer:
        number = int(request.url)
        file, kept = self.files[number], self.kept[number]
        self._line.world.sleep(0.01)
        span, status = (0, file.size), 200
        headers = {"ETag": f'"{number}"'}
        asked = extra.get("Range")
        if asked is not None and file.ranged:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            span, status = (int(first), int(last) + 1 if last else file.size), 206
            headers["Content-Range"] = (
                f"bytes {span[0]}-{span[1] - 1}/{file.size if file.size_known else '*'}"
            )
        if file.size_known:
            headers["Content-Length"] = str(span[1] - span[0])
        else:
            headers["Transfer-Encoding"] = "chunked"
        if number in self._damaged:
            self._damaged.remove(number)
            kept = bytes(len(kept))
        answer = _Answer(self._line, status, headers, kept, span)
        return client.Answer(response=answer, request=request)  # type: ignore[arg-type]

    def listed(self) -> list[RemoteFile]:
        """The listing."""
        return [self._listed(number, file) for number, file in enumerate(self.files)]

    def _listed(self, number: int, file: Remote) -> RemoteFile:
        value = disks.digest(self.kept[number], file.size) if file.right else "0" * 64
        digests = (Digest(algorithm="sha256", value=value),) if file.digest else ()
        size = file.size if file.size_known else None
        return RemoteFile(path=str(number), size=size, digests=digests, locator=str(number))


class Source:
    """Where the engine asks for a file."""

    def request(self, file: RemoteFile) -> Request:
        return Request(url=file.locator)


@dataclass(slots=True, kw_only=True)
class Ended:
    """How a pull ended."""

    wrong: str = ""
    """What is wrong, or nothing."""
    reason: Reason | None = None
    """Of the engine's failure."""
    seconds: float = 0.0
    switches: int = 0
    waits: str = field(default="", repr=False)


def _request(pull: Pull) -> WorkRequest:
    web = HttpSource(files=(HttpFile(url="https://origin.example/x", path="x"),))
    return WorkRequest(
        uid="u",
        namespace="n",
        name="m",
        attempt=1,
        source=sources.Source(http=web),
        verification=Verification.CHECKSUM if pull.checksum else Verification.SIZE,
        tuning=Tuning(connections=pull.connections, chunk_bytes=pull.chunk, max_retries=1000),
    )


def run(pull: Pull, seed: int) -> Ended:
    """The whole pull; the same for the same seed."""
    world = World(seed)
    disk = disks.Disk(world, speed=pull.disk, hash_speed=pull.hashing, short=pull.short)
    origin = Origin(world, pull)
    entries = {}
    for file, remote, kept in zip(origin.listed(), pull.files, origin.kept, strict=True):
        if remote.there:
            key = key_of(file)
            entries[key] = Entry(size=remote.size, ranges=RangeSet(remote.there))
            disk.files[f"{key}.0"] = disks.File(
                remote.size, bytearray(bytes(len(kept)) if remote.rotten else kept)
            )
    sums = SimpleNamespace(new=lambda *_: disks.Sum(disk), STRENGTH=("sha256",))
    with inside(
        world,
        {
            "engines.native.staged_file": {"os": disk},
            "checksums.file_digest": {"os": disk, "algorithms": sums},
            "common.open_files": {"os": disk},
            "storage.filesystem": {"os": disk},
            "engines.native.durability": {"os": disk},
            "engines.native.engine": {
                "Gate": partial(connection_limit.Gate, clock=world.monotonic),
                "Pool": partial(Pool, spare=pull.spare),
            },
            "common.retry": {"random": random.Random(seed)},
        },
    ):
        state = State(Meter(clock=world.monotonic))
        limiter = Limiter(pull.limit, clock=world.monotonic)
        context = Context(
            request=_request(pull),
            source=Source(),  # type: ignore[arg-type]
            network=Network(),
            state=state,
            limiter=limiter,
            stop=threading.Event(),
            volume=Path(),
        )
        staging = disks.Staging(direct=pull.direct, entries=entries)
        fetching = engine.NativeEngine(context, origin, staging, origin.listed())  # type: ignore[arg-type]
        try:
            wrong = _ended(world, fetching, state, limiter, disk, pull) or _judged(
                fetching, disk, origin, pull
            )
        except Stuck:
            wrong = "all threads wait for each other"
    reason = fetching.failure.reason if fetching.failure else None
    return Ended(wrong=wrong, reason=reason, seconds=world.now, switches=world.switches)


def _ended(
    world: World, engine: engine.NativeEngine, state: State, limiter: Limiter, disk: disks.Disk, pull: Pull
) -> str:
    """Let the engine run to its end, changing the limit meanwhile; says what is wrong with that end."""
    changes, moved, seen = list(pull.changes), world.now, (-1, -1)
    engine.start()
    while not engine.done.wait(TICK_SECONDS):
        if (blocked := engine.stuck()) is not None:
            engine.end()
            return f"stuck: {blocked}"
        if changes and world.now >= changes[0][0]:
            limiter.set_rate(changes.pop(0)[1])
        now = state.network_bytes, disk.hashed
        if now != seen:
            seen, moved = now, world.now
        elif world.now - moved > PATIENCE_SECONDS:
            engine.end()
            return f"stuck since {moved:.1f} s: {seen[0]} bytes came, {seen[1]} are hashed"
    engine.end()
    return "" if engine.failure is None else f"failed: {engine.failure.message}"


def _judged(engine: engine.NativeEngine, disk: disks.Disk, origin: Origin, pull: Pull) -> str:
    """What is wrong with the files."""
    if len(engine.results) != len(pull.files):
        return f"{len(engine.results)} files of {len(pull.files)}"
    for result in engine.results:
        number = int(result.file.path)
        remote, kept, there = pull.files[number], origin.kept[number], disk.files[result.staged]
        if (there.size, bytes(there.kept)) != (remote.size, kept):
            return f"file {number} is wrong on the disk"
        if pull.checksum and result.sha256 != disks.digest(kept, remote.size):
            return f"the checksum of file {number} is wrong"
    return ""


BORDERS = tuple(
    sorted({0, 1, *(edge + by for edge in (PAGE, WHOLE_BYTES, BLOCK, 8 * BLOCK) for by in (-1, 0, 1))})
)
LARGE = (20_000_000, 64 * BLOCK, 64 * BLOCK + 1, 72 * BLOCK - 1, 75 * BLOCK, 200 * BLOCK)
SPEEDS = (1e3, 2e4, 1.5e5, 3e5, 6e5, 2e6, 1e7, 1e8, UNLIMITED)
READS = 2500
"""Most reads of a pull at its slowest, about, which is what it costs."""
SECONDS = 60
"""Longest time of a pull in its world, about."""


def drawn(seed: int) -> Pull:
    """A pull that a seed chooses; the slower its line, the less there is still to come."""
    chance = random.Random(seed)
    connections = chance.choice((1, 2, 4, 8, 8, 8, 16, 64))
    chunk = chance.choice((64 << 10, 1 << 20, 8 << 20, 64 << 20))
    speed, slow = chance.choice(SPEEDS), chance.choice(("line", "each", "limit", "changes"))
    if slow == "each":
        reads = READS * speed / _QUANTA
    elif slow == "line":
        reads = READS * speed / _QUANTA / connections
    else:
        reads = READS * max(1024, speed / 160) / 2
    files, left = [], min(reads, speed * SECONDS)
    for _ in range(chance.randint(1, 10)):
        file = _file(chance, left)
        left -= file.size - sum(end - start for start, end in file.there)
        files.append(file)
    if sum(file.size for file in files) > 20 * BLOCK:
        chunk = max(chunk, 8 << 20)
    limit = int(speed) if speed < UNLIMITED else None
    changes: tuple[tuple[float, int | None], ...] = ()
    if slow == "changes":
        rates = [chance.choice((None, limit, limit and 3 * limit)) for _ in range(4)]
        changes = tuple((chance.uniform(0, 3) * (number + 1), rate) for number, rate in enumerate(rates))
        changes = (*sorted(changes, key=lambda change: change[0]), (20.0, None))
    return Pull(
        files=tuple(files),
        connections=connections,
        chunk=chunk,
        spare=chance.choice((0, 1, 8, 64, 64)),
        checksum=chance.random() < 0.9,
        direct=chance.random() < 0.8,
        line=speed if slow == "line" else UNLIMITED,
        each=speed if slow == "each" else UNLIMITED,
        limit=limit if slow in ("limit", "changes") else None,
        changes=changes,
        disk=chance.choice((3e7, 1e9, 1e10)),
        hashing=chance.choice((1e8, 1e9, 1e10)),
        short=chance.choice((0.0, 0.0, 0.1)),
        cuts=chance.choice((0.0, 0.0, 0.2)),
        damaged=chance.choice((0.0, 0.2)) if speed >= 1e8 else 0.0,
    )


def _file(chance: random.Random, left: float) -> Remote:
    """A file of which not much more than `left` bytes are still to come."""
    kind = chance.random()
    size = chance.choice(BORDERS) if kind < 0.4 else chance.randrange(WHOLE_BYTES, BLOCK + 1)
    if kind > 0.7:
        size = chance.choice(LARGE) if chance.random() < 0.5 else chance.randrange(BLOCK, 20 * BLOCK)
    if size <= left:
        size_known, ranged = chance.random() < 0.7, chance.random() < 0.8
        return Remote(size=size, size_known=size_known, ranged=ranged, digest=chance.random() < 0.8)
    if size < BLOCK:
        return Remote(size=int(max(0.0, left)), digest=chance.random() < 0.8)
    gaps = chance.randint(1, 3)
    each = int(max(1.0, left / gaps / 2))
    starts = sorted(chance.randrange(size) for _ in range(gaps))
    there, at = [], 0
    for start in starts:
        there += [(at, start)] if start > at else []
        at = max(at, min(size, start + each))
    there += [(at, size)] if at < size else []
    return Remote(size=size, there=tuple(there))
