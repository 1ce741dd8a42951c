"""Listings that are small on the wire and large in memory, from a Hub and from S3."""

import bz2
import gzip
import itertools
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.origins.content import Fixed, Synthetic
from dev.origins.files.origin import Origin
from dev.origins.serving.log import Entry
from dev.origins.serving.messages import Answer, Object, Request, Role
from modelsync.api.reasons import Reason
from tests.attacks.case import Attack, Ground, Outcome
from tests.origins.syncs import Sync

MOST_MEMORY = 320 << 20
"""Bytes that one answer may take in all its forms: a worker's default limit is 512 MiB, and it has 70 MiB
without one."""
MOST_TAKEN = 128 << 20
"""Bytes of the volume: 64 MiB ahead of a connection's range, and two ranges of 16 MiB."""
_REFUSALS = (Reason.ORIGIN_ERROR, Reason.NOTHING_MATCHED)
"""The second for XML that is well formed and lists nothing."""
_LISTS = (Role.INFORMATION, Role.LIST)
_XML = b'<?xml version="1.0"?>'
_BILLION = b"".join(b'<!ENTITY e%d "%s">' % (level + 1, b"&e%d;" % level * 10) for level in range(10))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """What a listing is replaced by."""

    body: bytes
    coding: str = ""
    chunked: bool = False
    length: int | None = None
    """Stated in place of the body's own."""


class Liar(Origin):
    """An origin whose listings are all one hostile answer."""

    hostile = Hostile(body=b"")

    def change(self, answer: Answer, request: Request, role: Role, path: str) -> Entry:
        """Replace what lists; all else is as it should be."""
        entry = super().change(answer, request, role, path)
        if role in _LISTS:
            hostile, body = self.hostile, self.hostile.body
            answer.content, answer.start, answer.end = Fixed(body), 0, len(body)
            answer.headers["Content-Length"] = str(len(body) if hostile.length is None else hostile.length)
            answer.headers["Content-Encoding"] = hostile.coding
            answer.chunked = hostile.chunked
            if hostile.chunked:
                answer.headers |= {"Content-Length": "", "Transfer-Encoding": "chunked"}
        return entry


def _page(kind: str) -> Iterator[bytes]:
    """An empty listing of 200 MiB, by the MiB."""
    begin, end = (b"[", b"]") if kind == "hub" else (_XML + b"<r>", b"</r>")
    return itertools.chain([begin], itertools.repeat(b" " * (1 << 20), 200), [end])


def _zipped(kind: str) -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    return b"".join([*map(packer.compress, _page(kind)), packer.flush()])


def _coded(kind: str) -> Iterator[tuple[str, Hostile]]:
    """A page in each coding that a client may know, alone and one in the other."""
    once = _zipped(kind)
    yield "gzip in gzip", Hostile(body=gzip.compress(once, 9), coding="gzip, gzip")
    yield "gzip", Hostile(body=once, coding="gzip")
    yield "gzip in chunks", Hostile(body=once, coding="gzip", chunked=True)
    yield "GZIP", Hostile(body=once, coding="GZIP")
    yield "x-gzip", Hostile(body=once, coding="x-gzip")
    body = b"".join(_page(kind))
    yield "deflate", Hostile(body=zlib.compress(body, 9), coding="deflate")
    yield "identity and gzip", Hostile(body=once, coding="identity, gzip")
    for name in ("br", "zstd", "compress"):
        yield f"what is said to be {name}", Hostile(body=once, coding=name)
    yield "a coding that nobody knows", Hostile(body=bz2.compress(body), coding="bzip2")


def _rich(kind: str) -> Mapping[str, Callable[[], bytes]]:
    """Texts of some MiB without any coding, which a parser makes much of; made when they are tried."""
    if kind == "s3":
        return {
            "20 million elements": lambda: _XML + b"<r>" + b"<a/>" * 5_000_000 + b"</r>",
            "elements nested 200,000 deep": lambda: _XML + b"<a>" * 200_000 + b"</a>" * 200_000,
            "elements nested 2,000,000 deep": lambda: _XML + b"<a>" * 2_000_000 + b"</a>" * 2_000_000,
            "a million attributes": lambda: (
                _XML + b"<r %s/>" % b" ".join(b'a%x=""' % n for n in range(1_000_001))
            ),
            "entities of 10 GB": lambda: (
                _XML + b'<!DOCTYPE r [<!ENTITY e0 "x">' + _BILLION + b"]><r>&e10;</r>"
            ),
            "an entity that names a file": lambda: (
                _XML + b'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r>&e;</r>'
            ),
        }
    return {
        "8 million empty lists": lambda: b"[" + b"[]," * 8_000_000 + b"0]",
        "lists nested 200,000 deep": lambda: b"[" * 200_000 + b"]" * 200_000,
        "objects nested 200,000 deep": lambda: b'{"a":' * 200_000 + b"0" + b"}" * 200_000,
        "a number of a million digits": lambda: b"[" + b"9" * 1_000_000 + b"]",
        "2 million keys": lambda: b"{%s}" % b",".join(b'"%x":0' % n for n in range(2_000_000)),
    }


def _variants(kind: str, full: bool) -> Iterator[tuple[str, Hostile]]:
    coded, rich = _coded(kind), list(_rich(kind).items())
    if not full:
        coded = itertools.islice(coded, 1)
        rich = rich[: 2 if kind == "hub" else 1]
    yield from coded
    for name, made in rich:
        yield name, Hostile(body=made())
    if full:
        page = b"".join(_page(kind))
        yield "200 MiB", Hostile(body=page)
        yield "200 MiB in chunks", Hostile(body=page, chunked=True)
        yield "a length of 8 EiB", Hostile(body=page[:1000], length=(1 << 63) - 1)


def _listed(kind: str, full: bool) -> Iterator[Outcome]:
    with tempfile.TemporaryDirectory() as folder, Origin({"x": b"x"}) as origin:
        # What a source imports at its first sync is no answer's, and traced it takes five times as long.
        assert Sync(origin=origin, volume=Path(folder), kind=kind).run().reason is Reason.SYNCED
    for name, hostile in _variants(kind, full):
        with tempfile.TemporaryDirectory() as folder, Liar({"x": b"x"}) as origin:
            assert isinstance(origin, Liar)
            origin.hostile = hostile
            tracemalloc.start()
            try:
                end = Sync(origin=origin, volume=Path(folder), kind=kind, timeout=20, deadline=60).run()
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        problem = ""
        if peak > MOST_MEMORY:
            problem = f"it takes {peak >> 20} MiB"
        elif end.reason not in _REFUSALS:
            problem = f"{end.reason}: {end.message}"
        yield f"{name} ({len(hostile.body) >> 10} KiB)", problem


def hub(full: bool) -> Iterator[Outcome]:
    """As the Hub's information on a repository."""
    yield from _listed("hub", full)


def s3(full: bool) -> Iterator[Outcome]:
    """As a page of ListObjectsV2."""
    yield from _listed("s3", full)


_ANNOUNCED = Object(content=Synthetic(3 << 30, 1), etag='"one"', checksum=None)


def announced(full: bool) -> Iterator[Outcome]:
    """3 GiB announced by a HEAD, a listing or the answer itself, of which next to nothing comes."""
    for kind, sizes, sent in (
        ("web", True, 1), ("web", False, 1), ("s3", True, 1), ("s3", True, 70_000)
    )[: 4 if full else 2]:  # fmt: skip
        with tempfile.TemporaryDirectory() as folder, Origin({"x": _ANNOUNCED}) as origin:
            origin.strike("x", f"stall={sent}x*")
            sync = Sync(origin=origin, volume=Path(folder), kind=kind, sizes=sizes, digests=False)
            sync.chunk, sync.timeout, sync.deadline, sync.max_retries = 16 << 20, 2, 10, 0
            end = sync.run()
            taken = sum(path.lstat().st_blocks * 512 for path in Path(folder).rglob("*"))
        problem = f"{taken >> 20} MiB of the volume are taken" if taken > MOST_TAKEN else ""
        if end.reason not in (Reason.NETWORK_ERROR, Reason.PROGRESS_DEADLINE_EXCEEDED):
            problem = f"{end.reason}: {end.message}"
        yield (
            f"{kind}, {'listed' if sizes else 'stated by the answer'}, {sent} bytes of a range sent",
            problem,
        )


ATTACKS = (
    Attack(topic="origins", name="3 GiB announced and not sent", how=Ground.LOOPBACK, run=announced),
    Attack(topic="origins", name="a Hub's listing that fills the memory", how=Ground.LOOPBACK, run=hub),
    Attack(topic="origins", name="an S3 listing that fills the memory", how=Ground.LOOPBACK, run=s3),
)
