"""The cases: which files, over which link, onto which volume, by which engines.

The single file has 4 GiB, as the weights of a small model have. Sets at held links are such that a run takes
7 to 11 s: long enough for a ratio within some percent, short enough for all of them in one go. A shorter run
only weighs an engine's start more, so it flatters nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from dev.bench import data, engines
from dev.bench.data import GIB, MIB
from dev.bench.job import Engine


class Volume(StrEnum):
    """Where the files go."""

    MEMORY = "memory"
    """A tmpfs, so that a disk decides nothing."""
    DISK = "disk"
    SLOW = "slow disk"
    """A file system on a disk that the kernel holds to SLOW_RATE."""
    VAST = "sparse disk"
    """A file system of more size than any disk here."""


class Reach(StrEnum):
    """How an origin is reached."""

    LOOPBACK = "loopback"
    HELD = "held"
    """By way of a relay that holds the rate of all connections together."""
    FAR = "far"
    """By way of a relay of packets that delays each, between two network namespaces."""
    S3 = "S3"
    POD = "pod"
    """In a Pod with a memory limit, on a real kubelet."""


SLOW_RATE = 80_000_000
ROUND_TRIP_SECONDS = 0.05
FAR_RATE = 125_000_000
POD_MEMORY_MIB = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One comparison."""

    spec: data.Spec
    engines: tuple[Engine, ...]
    reach: Reach = Reach.LOOPBACK
    tls: bool = False
    rate: int = 0
    """Bytes per second of the link; 0 where it is not held."""
    volume: Volume = Volume.MEMORY
    repeats: int | None = None
    """Instead of what the command line says."""
    once: tuple[Engine, ...] = ()
    """Engines that get one run, as theirs takes minutes."""
    stop_after_s: float | None = None
    doing: str = ""
    """What is done instead of a download."""

    @property
    def name(self) -> str:
        """What the tables call it; unique."""
        scheme = "TLS" if self.tls else "plain"
        words = {
            Reach.LOOPBACK: "loopback, not held",
            Reach.HELD: f"link held to {_rate(self.rate)}",
            Reach.FAR: f"{ROUND_TRIP_SECONDS * 1000:.0f} ms round trip at {_rate(FAR_RATE)}",
            Reach.S3: "S3 on loopback",
            Reach.POD: f"in a Pod with {POD_MEMORY_MIB} MiB",
        }[self.reach]
        where = {
            Volume.MEMORY: "",
            Volume.DISK: ", onto the disk",
            Volume.SLOW: f", onto a volume of {_rate(SLOW_RATE)}",
            Volume.VAST: f", the first {self.stop_after_s or 0:.0f} s",
        }[self.volume]
        if self.doing:
            return f"{self.doing} {self.spec.name}, {words}"
        return f"{self.spec.name}, {scheme}, {words}{where}"


def _rate(rate: int) -> str:
    return f"{rate / 1e9:.3g} GB/s" if rate >= 10**9 else f"{rate / 1e6:.3g} MB/s"


ALL = (engines.CURL, engines.OURS_HUB, engines.HF_TRANSFER, engines.HUB, engines.ARIA2)
OF_SMALL = (engines.CURL, engines.OURS_HUB, engines.HUB, engines.ARIA2)
"""Without hf_transfer, which splits large files; huggingface_hub never used it for small ones."""
FAST = (engines.CURL, engines.OURS_HUB, engines.HF_TRANSFER, engines.ARIA2)
FEW = (engines.CURL, engines.OURS_HUB, engines.HF_TRANSFER)
ONTO_DISK = (engines.CURL, engines.WRITE, engines.OURS_HUB, engines.HF_TRANSFER, engines.ARIA2)
OF_S3 = (engines.CURL_S3, engines.OURS_S3, engines.BOTO3, engines.RCLONE, engines.S5CMD)
IN_POD = (engines.OURS_HUB, engines.HF_TRANSFER, engines.HUB)
ALONE = (engines.OURS_HUB,)

HELD = ((125_000_000, 5 * GIB // 4, FEW), (312_000_000, 5 * GIB // 2, FEW), (1_250_000_000, 5 * GIB, FAST))
"""Rates with the size of a model's set, and the engines."""


def full() -> list[Case]:
    """All cases of the published table, small differences next to each other."""
    return [*_loopback(), *_held(), *_elsewhere(), *_memory()]


def _loopback() -> Iterator[Case]:
    for tls in (False, True):
        yield Case(spec=data.large(4 * GIB), engines=ALL, tls=tls)
    for tls in (False, True):
        yield Case(spec=data.model(5 * GIB), engines=ALL, tls=tls)
    yield Case(spec=data.small(10_000), engines=OF_SMALL, once=(engines.HUB,))


def _held() -> Iterator[Case]:
    for rate, size, chosen in HELD:
        for spec in (data.large(4 * GIB), data.model(size)):
            for tls in (False, True):
                yield Case(spec=spec, engines=chosen, tls=tls, rate=rate, reach=Reach.HELD)


def _elsewhere() -> Iterator[Case]:
    yield Case(spec=data.large(GIB), engines=FAST, reach=Reach.FAR)
    yield Case(spec=data.large(GIB), engines=OF_S3, reach=Reach.S3)
    yield Case(spec=data.small(2000), engines=OF_S3, reach=Reach.S3)
    yield Case(spec=data.large(4 * GIB), engines=ONTO_DISK, volume=Volume.DISK)
    yield Case(spec=data.large(768 * MIB), engines=ONTO_DISK, volume=Volume.SLOW)
    yield Case(spec=data.large(GIB), engines=IN_POD, reach=Reach.POD, volume=Volume.DISK)
    yield Case(
        spec=data.large(GIB), engines=engines.WRITERS, reach=Reach.POD, volume=Volume.DISK, doing="writing"
    )


def _memory() -> Iterator[Case]:
    """Only what ours holds is asked for here."""
    yield Case(spec=data.small(100_000, 512), engines=ALONE, repeats=1)
    yield Case(
        spec=data.sparse(10**12),
        engines=ALONE,
        reach=Reach.HELD,
        rate=125_000_000,  # what arrives is stored, so a faster link would fill the disk under
        volume=Volume.VAST,
        repeats=1,
        stop_after_s=20,
    )


def quick() -> list[Case]:
    """A sample of each kind that needs neither root nor a cluster; takes seconds."""
    few = (engines.CURL, engines.OURS_HUB, engines.HF_TRANSFER)
    size = 16 * MIB
    return [
        Case(spec=data.large(size), engines=few),
        Case(spec=data.model(size), engines=few, tls=True, rate=25_000_000, reach=Reach.HELD),
        Case(spec=data.large(size), engines=(engines.WRITE, engines.OURS_HUB), volume=Volume.DISK),
        Case(
            spec=data.large(size), engines=(engines.CURL_S3, engines.OURS_S3, engines.BOTO3), reach=Reach.S3
        ),
    ]
