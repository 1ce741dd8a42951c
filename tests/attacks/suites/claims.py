"""Bytes of another user on the volume, and what vouches for them, where the source states no checksum."""

import json
import os
from collections.abc import Callable, Iterator

from modelsync.api import exitcodes
from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Verification
from tests.attacks.case import Attack, Ground, Outcome
from tests.attacks.volumes import DEAD, FILES, bench_made, dead, forged, fresh, key
from tests.faults.workers import Volume
from tests.worker.syncs import sha256

WORKER, OTHER = 0, 1234
"""User ids. The worker is the one that runs the tests: another could not read its libraries."""


def claims(full: bool) -> Iterator[Outcome]:
    """Another user's bytes, with a journal or a manifest that vouches for them, without a stated checksum."""
    with bench_made() as (server, origin):
        for name, plant in _CLAIMS.items():
            for checks in ("an ETag only", "verification Size"):
                volume = fresh(
                    server,
                    origin,
                    undigested=frozenset(FILES),
                    verification=Verification.CHECKSUM if checks == "an ETag only" else Verification.SIZE,
                )
                yield f"{name}, {checks}", _claimed(volume, plant)


def _claimed(volume: Volume, plant: Callable[[Volume], None]) -> str:
    zeros = bytes(len(FILES["model.bin"]))
    for path in (volume.mounted, volume.target):
        path.chmod(0o777)
    plant(volume)
    ended = volume.run()
    place = volume.target / "model.bin"
    there = place.read_bytes() if place.is_file() else None
    if ended.code == exitcodes.DONE:
        return {zeros: "the other's bytes were published", FILES["model.bin"]: ""}.get(there or b"", "wrong")
    reason = ended.words.reason if ended.words else None
    return "" if reason in (Reason.UNSAFE_PATH, Reason.VOLUME_NOT_WRITABLE) else f"ended with {ended.code}"


def _foreign(volume: Volume, *, modes: tuple[int, int] = (0o777, 0o666)) -> None:
    """Give all that is in the target to the other user, open to everybody."""
    for folder, _, files in os.walk(volume.target):
        for path in (folder, *(os.path.join(folder, file) for file in files)):
            os.chmod(path, modes[0] if path == folder else modes[1])
            os.chown(path, OTHER, OTHER)


def _forged_staging(volume: Volume) -> None:
    dead(volume)
    name, size = key(volume, "model.bin"), len(FILES["model.bin"])
    staging = volume.target / DEAD
    (staging / f"{name}.0").write_bytes(bytes(size))
    (staging / "journal").unlink()
    forged(staging, name, size, size, validator="etag:one")
    _foreign(volume)


def _forged_file_in_ours(volume: Volume) -> None:
    """The directory is the worker's own, which a group may write; what is in it is not."""
    _forged_staging(volume)
    for path in (volume.target / DEAD, *(volume.target / DEAD).parents):
        if path.is_relative_to(volume.target):
            os.chown(path, WORKER, OTHER)


def _forged_staging_file(volume: Volume) -> None:
    """The journal is the worker's own; the staging file is not."""
    _forged_file_in_ours(volume)
    os.chown(volume.target / DEAD / "journal", WORKER, OTHER)


def _hard_linked_staging_file(volume: Volume) -> None:
    """A staging file of the worker's own user with a second name, by which the other writes it."""
    _forged_staging_file(volume)
    staged = volume.target / DEAD / f"{key(volume, 'model.bin')}.0"
    os.chown(staged, WORKER, OTHER)
    os.link(staged, volume.mounted / "second")


def _forged_manifest(volume: Volume) -> None:
    zeros = bytes(len(FILES["model.bin"]))
    state = volume.target / ".modelsync"
    state.mkdir()
    (volume.target / "model.bin").write_bytes(zeros)
    entry = {"path": "model.bin", "size": len(zeros), "sha256": sha256(zeros)}
    line = json.dumps({**entry, "verifiedBy": "size", "etag": "one"})
    (state / "manifest.json").write_text(f'{{\n "version": 1,\n "files": [\n  {line}\n ]\n}}\n')
    _foreign(volume)


def _swapped_file(volume: Volume) -> None:
    """The manifest is the worker's own; the file has the right size and is another's."""
    _forged_manifest(volume)
    os.chown(volume.target / ".modelsync/manifest.json", WORKER, WORKER)
    text = (volume.target / ".modelsync/manifest.json").read_text()
    right = text.replace(sha256(bytes(len(FILES["model.bin"]))), sha256(FILES["model.bin"]))
    (volume.target / ".modelsync/manifest.json").write_text(right)


_CLAIMS = {
    "a forged journal and staging file": _forged_staging,
    "the same in a directory of the worker's": _forged_file_in_ours,
    "a forged staging file behind a journal of the worker's": _forged_staging_file,
    "a staging file with a second name": _hard_linked_staging_file,
    "a forged manifest and file": _forged_manifest,
    "a forged file behind a manifest of the worker's": _swapped_file,
}

ATTACKS = (
    Attack(
        topic="volume",
        name="another user's bytes without a checksum",
        how=Ground.LOOPBACK,
        run=claims,
        in_tests=os.geteuid() == 0,  # who else could give files to another user?
    ),
)
