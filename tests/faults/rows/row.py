"""One row of the origin's fault table, and the judge who looks at how a sync with that fault ended.

The worker's own word counts little: the bytes on the volume are compared with what the source announced, and
the origin's log shows how often the worker asked, what it fetched again, and who received its token.
"""

import contextlib
import dataclasses
import logging
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from dev.origins.content import Content, Fixed, Synthetic
from dev.origins.files.origin import Origin
from dev.origins.serving.connection import SEND_BUFFER
from dev.origins.serving.messages import Object, Role
from modelsync.api.reasons import Reason
from modelsync.worker.common import retry
from modelsync.worker.http.connector import Network
from tests.faults.case import Case, Tally
from tests.origins.syncs import KINDS, S3_KEYS, End, Sync

TOKEN = "hf_canary_token"
PATH = "model.bin"
SUITE = "origin"
_OTHERS = 1000
"""Bytes of the other files."""
_ON_THE_WAY = 4 * SEND_BUFFER
"""Bytes that the kernels hold of an answer that nobody reads on."""
PINNED = (*KINDS, "bare")
"""All sources, and one without checksums, which nothing but ETags, ranges and lengths guard."""
Check = Callable[[Sync, End], str]
"""Says what is wrong, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fault, and how a sync has to end that meets it."""

    name: str
    faults: tuple[str, ...] = ()
    """Laid onto the big file."""
    listing: tuple[str, ...] = ()
    """Laid onto requests that are about no file."""
    kinds: tuple[str, ...] = KINDS
    ends: Reason = Reason.SYNCED
    size: int = 300_000
    sync: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the sync that differ."""
    most_bytes: float = 2.2
    """Bytes of the file that the worker may take in, in sizes of it."""
    most_requests: int = 40
    """Requests of all kinds."""
    origin: Callable[[Origin], None] = lambda origin: None
    """Prepares the origin."""
    network: Callable[[Origin], Network] | None = None
    """How the outside is reached, where that is not directly."""
    around: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext
    """What a module of the worker has to look like meanwhile."""
    check: Check = lambda sync, end: ""
    full: int = 8
    quick: int = 1


@contextlib.contextmanager
def replaced(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Another value for a constant of the worker, so that a bound shows within a second."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


class _Tenth(random.Random):
    """Chance that takes a tenth of the time."""

    def uniform(self, a: float, b: float) -> float:
        return super().uniform(a, b) / 10


@contextlib.contextmanager
def short_waits() -> Iterator[None]:
    """Let the waits between two tries take a tenth of their time, and the worker say nothing."""
    log = logging.getLogger("modelsync")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with replaced(retry, "random", _Tenth()):
            yield
    finally:
        log.setLevel(before)


def case(row: Row) -> Case:
    """The row as a case of the fault table: its kinds of sources in turn."""

    def run(seed: int, count: int) -> Tally:
        def tried(turn: int) -> list[str]:
            kinds, found = len(row.kinds), []
            for number in range(turn, count, kinds):
                kind = row.kinds[(seed + number) % kinds]
                wrong = _tried(row, kind, random.Random(f"{row.name} {seed} {number}"))
                found.append(wrong and f"try {number} ({kind}): {wrong}")
            return found

        tally = Tally()
        # One thread for each kind: most tries only wait, but the Hub's library has one client for all.
        with row.around(), short_waits(), ThreadPoolExecutor(len(row.kinds)) as pool:
            for found in pool.map(tried, range(len(row.kinds))):
                for wrong in found:
                    tally.add(not wrong, wrong)
        return tally

    return Case(suite=SUITE, name=row.name, run=run, full=row.full, quick=row.quick)


def _tried(row: Row, kind: str, generator: random.Random) -> str:
    """One sync with the fault; what is wrong with its end, or nothing."""
    files: dict[str, bytes | Content | Object] = {
        PATH: Synthetic(row.size, generator.randrange(1 << 20)),
        "config.json": Object(content=Fixed(b'{"a": 1}'), lfs=False),
    }
    token = TOKEN if kind == "hub" else None
    bare: dict[str, Any] = {"digests": False, "sizes": False} if kind == "bare" else {}
    kind = "web" if bare else kind
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        origin = Origin(files, token=token)
        row.origin(origin)
        stack.enter_context(origin)
        origin.strike(PATH, *row.faults)
        origin.strike("", *row.listing)
        sync = Sync(origin=origin, volume=directory, kind=kind, token=token)
        sync = dataclasses.replace(sync, connections=generator.choice((1, 2, 4)))
        sync = dataclasses.replace(sync, **bare, **row.sync, network=row.network and row.network(origin))
        end = sync.run()
        return judged(row, sync, end) or row.check(sync, end)


def judged(row: Row, sync: Sync, end: End) -> str:
    """What is wrong with an end: bytes, reason, effort, or who heard a secret."""
    log = sync.origin.log
    if end.reason is not row.ends:
        return f"ended with {end.reason} ({end.message}) instead of {row.ends}"
    if wrong := sync.wrong():
        return f"published wrong bytes of {wrong}"
    if end.reason is Reason.SYNCED and set(end.published) != set(sync.origin.files):
        return f"published {sorted(end.published)} only"
    if end.reason is not Reason.SYNCED and PATH in end.published:
        return "published the file of a failed sync"
    size = max(1, sync.origin.files[PATH].content.size)
    taken, sent = end.state.progress().bytes_network, log.sent(PATH)
    if taken > row.most_bytes * size + _OTHERS:
        return f"{taken} bytes were taken of a file of {size}"
    if sent > taken + len(log.entries(role=Role.DATA, path=PATH)) * _ON_THE_WAY:
        return f"{sent} bytes were sent of {taken} that were taken"
    if len(log) > row.most_requests:
        return f"{len(log)} requests"
    return leaked(sync, end)


def leaked(sync: Sync, end: End) -> str:
    """Where a secret went that it must not go."""
    log = sync.origin.log
    if any(entry.request.listener != "origin" for entry in log.heard(TOKEN)):
        return "the token reached the CDN"
    if log.heard(S3_KEYS["AWS_SECRET_ACCESS_KEY"]):
        return "the secret key was sent"
    if any(word in end.message for word in ("canary", "Signature", "X-Amz")):
        return f"the message reveals a secret: {end.message}"
    return ""
