"""Volumes on which somebody else was before a worker starts, for the attacks."""

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from dev.origins.content import noise
from dev.origins.files.web import WebOrigin
from modelsync.worker.storage.journal import Journal
from modelsync.worker.storage.staging import key_of
from tests.faults import workers
from tests.faults.workers import Server, Volume
from tests.worker.syncs import CHUNK

FILES = {"model.bin": noise(6 * CHUNK + 7), "sub/config.json": b"{}"}
PRECIOUS = noise(5000, "precious")
DEAD = ".modelsync/uid-1/staging/dead"


@contextlib.contextmanager
def bench_made() -> Iterator[tuple[Server, WebOrigin]]:
    """A server of workers and an origin without checksums in its file names."""
    with WebOrigin(FILES) as origin, workers.serving() as server:
        yield server, origin


_numbers = itertools.count()


def fresh(server: Server, origin: WebOrigin, **more: object) -> Volume:
    """An empty volume with somebody else's precious file beside the target."""
    volume = Volume(
        server=server, origin=origin, directory=server.scratch / f"v{next(_numbers)}", deadline=60
    )
    volume = dataclasses.replace(volume, **more)  # type: ignore[arg-type]
    (volume.mounted / "other").mkdir()
    (volume.mounted / "other/precious").write_bytes(PRECIOUS)
    volume.target.mkdir()
    return volume


def key(volume: Volume, path: str) -> str:
    """The name of a file's content in a staging directory."""
    return next(key_of(file) for file in volume.files() if file.path == path)


def dead(volume: Volume) -> None:
    """What a killed worker left: a journal that speaks of the large file's first chunk."""
    staging = volume.target / DEAD
    staging.mkdir(parents=True)
    name = key(volume, "model.bin")
    (staging / f"{name}.0").write_bytes(FILES["model.bin"][:CHUNK])
    forged(staging, name, len(FILES["model.bin"]), CHUNK)


def forged(staging: Path, name: str, size: int, end: int, validator: str | None = None) -> None:
    descriptor = os.open(staging, os.O_RDONLY)
    try:
        journal = Journal(descriptor)
        journal.file(name, generation=0, size=size, validator=validator)
        journal.ranges([(name, 0, 0, end)])
        journal.close()
    finally:
        os.close(descriptor)
