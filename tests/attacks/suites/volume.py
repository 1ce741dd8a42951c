"""What another Pod of the claim puts in the place of modelsync's own files, and claims about others."""

import itertools
import os
import socket
import stat
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from modelsync.api import exitcodes
from modelsync.api.reasons import Reason
from tests.attacks.case import Attack, Ground, Outcome
from tests.attacks.volumes import DEAD, FILES, PRECIOUS, bench_made, dead, fresh, key
from tests.faults.workers import Ended, Volume

MOST_SECONDS = 60.0
"""For a sync that takes half a second, and seven with the largest journal, on a quiet machine."""
MOST_KIB = 256 * 1024


Kind = Callable[[Path, Path], None]
"""Puts something hostile in a place; the second argument is the precious file."""


def _socket(place: Path, _: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        above = os.open(place.parent, os.O_RDONLY)  # the whole path may be too long for a socket's address
        try:
            listener.bind(f"/proc/self/fd/{above}/{place.name}")
        finally:
            os.close(above)


def _sparse(place: Path, _: Path) -> None:
    place.touch()
    os.truncate(place, 1 << 30)


def _full_directory(place: Path, precious: Path) -> None:
    (place / "inner").mkdir(parents=True)
    (place / "inner/link").symlink_to(precious)


def _deep_directory(place: Path, _: Path) -> None:
    place.mkdir()
    current = os.open(place, os.O_RDONLY)
    for _number in range(1500):
        os.mkdir("d", dir_fd=current)
        inner = os.open("d", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = inner
    os.close(current)


KINDS: dict[str, Kind] = {
    "a hard link to another's file": lambda place, precious: os.link(precious, place),
    "a pipe": lambda place, _: os.mkfifo(place),
    "a link to another's file": lambda place, precious: place.symlink_to(precious),
    "a link to nowhere": lambda place, _: place.symlink_to("/nowhere/at/all"),
    "a link to itself": lambda place, _: place.symlink_to(place.name),
    "a link to a directory": lambda place, precious: place.symlink_to(precious.parent),
    "a socket": _socket,
    "a device": lambda place, _: os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(1, 5)),
    "a sparse GiB": _sparse,
    "an empty directory": lambda place, _: place.mkdir(),
    "a directory with a link in it": _full_directory,
    "directories 1,500 deep": _deep_directory,
}


def _places(volume: Volume) -> Iterator[str]:
    big = key(volume, "model.bin")
    yield from (".modelsync", ".modelsync/lock", ".modelsync/accounts", ".modelsync/manifest.json")
    yield from (".modelsync/manifest.new", ".modelsync/uid-1", ".modelsync/uid-1/staging", DEAD)
    yield from (f"{DEAD}/journal", f"{DEAD}/journal.new", f"{DEAD}/{big}.0", f"{DEAD}/{big}.1")
    yield from (".modelsync/another", "model.bin", "sub")


_SHORT = (".modelsync/manifest.new", f"{DEAD}/journal", ".modelsync/manifest.json")


def judged(volume: Volume, ended: Ended, seconds: float) -> str:
    """What is wrong with how a worker ended on a hostile volume, or nothing."""
    precious = volume.mounted / "other/precious"
    if precious.read_bytes() != PRECIOUS or len(list(precious.parent.iterdir())) != 1:
        return "another's file was changed"
    if seconds > MOST_SECONDS:
        return f"it took {seconds:.0f} s"
    if ended.peak_kib > MOST_KIB:
        return f"it took {ended.peak_kib >> 10} MiB"
    if ended.words is None or ended.words.reason is Reason.INTERNAL_ERROR:
        return f"it ended with {ended.code}: {ended.words and ended.words.message}"
    if ended.code == exitcodes.DONE:
        there = {path: (volume.target / path).read_bytes() for path in FILES}
        return "" if all(there.get(path) == data for path, data in FILES.items()) else "wrong bytes"
    clear = ended.words.reason in (Reason.UNSAFE_PATH, Reason.VOLUME_NOT_WRITABLE)
    clear = clear and any(word in ended.words.message for word in ("Remove", "Move it away"))
    late = volume.origin.log.sent() > 0
    if not clear:
        return f"says {ended.words.reason}: {ended.words.message}"
    return "it is reported after the transfer" if late else ""


def planted(full: bool) -> Iterator[Outcome]:
    """Each of modelsync's names, taken by each kind of thing, before a worker starts."""
    with bench_made() as (server, origin):
        places = list(_places(fresh(server, origin))) if full else _SHORT
        for place, (name, plant) in itertools.product(places, KINDS.items()):
            if name == "a device" and os.geteuid():
                continue
            volume = fresh(server, origin)
            dead(volume)
            there = volume.target / place
            there.parent.mkdir(parents=True, exist_ok=True)
            _removed(there)
            plant(there, volume.mounted / "other/precious")
            yield f"{name} as {place}", _tried(volume)
            _removed(volume.directory)


def _removed(path: Path) -> None:
    """By a program, since directories may be deeper than Python's own removal goes."""
    subprocess.run(["rm", "-rf", "--", str(path)], check=True)


def _tried(volume: Volume) -> str:
    volume.origin.log.clear()
    began = time.monotonic()
    ended = volume.run()
    return judged(volume, ended, time.monotonic() - began)


def _line(text: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _records(name: str) -> dict[str, Iterator[bytes]]:
    """Journals whose every line is whole and whose records are not a worker's."""
    head = b'{"file":"%s","generation":0,"size":400000,"validator":null}' % name.encode()
    one = (b"0" * 40).decode()

    def head_and(*texts: bytes) -> Iterator[bytes]:
        yield _line(head)
        yield from map(_line, texts)

    return {
        "400,000 entries": (
            _line(b'{"file":"%040x","generation":0,"size":9,"validator":null}' % n) for n in range(400_000)
        ),
        "500,000 ranges with a hole before each": itertools.chain(
            [_line(head)],
            (
                _line(
                    b'{"range":"%s","generation":0,"start":%d,"end":%d}' % (name.encode(), 3 * n, 3 * n + 1)
                )
                for n in range(500_000, 0, -1)
            ),
        ),
        "lists nested 100,000 deep": head_and(b"[" * 100_000 + b"]" * 100_000),
        "a size that is a list": iter([_line(head.replace(b"400000", b"[]"))]),
        "a size below zero": iter([_line(head.replace(b"400000", b"-1"))]),
        "a generation of 4,000 digits": iter([_line(head.replace(b"0,", b"1" * 4000 + b",", 1))]),
        "a key that is a path": iter([_line(head.replace(name.encode(), b"../../../../other/precious"))]),
        "a validator that is an object": iter([_line(head.replace(b"null", b"{}"))]),
        "a whole file without a validator": head_and(
            b'{"whole":"%s","generation":0,"size":5,"sha256":"x"}' % one.encode()
        ),
        "bytes before the sync, below zero": head_and(b'{"before":"%s","bytes":-9999}' % name.encode()),
        "bytes before the sync, beyond all": head_and(
            b'{"before":"%s","bytes":%d}' % (name.encode(), 10**30)
        ),
        "a range beyond the file": head_and(
            b'{"range":"%s","generation":0,"start":0,"end":%d}' % (name.encode(), 1 << 70)
        ),
        "a boot that is a list": head_and(
            b'{"range":"%s","generation":0,"start":0,"end":9,"boot":[]}' % name.encode()
        ),
    }


def _manifests() -> dict[str, Iterator[bytes]]:
    head = b'{\n "version": 1,\n "files": [\n'
    entry = b'  {"path":"%s","size":1,"verifiedBy":"size"%s},\n'
    wide = b',"etag":"' + "\U0001f600".encode() + b"x" * 65_000 + b'"'
    mebibyte = b"x" * (1 << 20)
    return {
        "300,000 files": itertools.chain([head], (entry % (b"%d" % n, b"") for n in range(300_000))),
        "2,000 lines of 64 KiB that hold one wide character": itertools.chain(
            [head], (entry % (b"%d" % n, wide) for n in range(2_000))
        ),
        "a line nested 30,000 deep": iter([head, b"[" * 30_000 + b"]" * 30_000 + b"\n"]),
        "16 million empty lists": iter([b"[" + b"[]," * 16_000_000 + b"0]"]),
        "one line without an end": itertools.chain([head, b'  {"path":"'], itertools.repeat(mebibyte, 200)),
        "numbers of 100,000 digits": iter([head, entry % (b"a", b',"size":' + b"9" * 60_000), b"]}"]),
        "files that are numbers": iter([b'{"files": [1, 2]}']),
    }  # fmt: skip


def written(full: bool) -> Iterator[Outcome]:
    """Files of modelsync's own, whole in form, that are too large, too deep or hold what no worker writes."""
    kinds: dict[str, Callable[[str], dict[str, Iterator[bytes]]]] = {
        f"{DEAD}/journal": _records,
        ".modelsync/manifest.json": lambda _: _manifests(),
    }
    short = ("a size that is a list", "a line nested 30,000 deep")
    with bench_made() as (server, origin):
        name = key(fresh(server, origin), "model.bin")
        for place, make in kinds.items():
            for variant, content in make(name).items():
                if not full and variant not in short:
                    continue
                volume = fresh(server, origin)
                dead(volume)
                with (volume.target / place).open("wb") as file:
                    file.writelines(content)
                yield f"{place} with {variant}", _tried(volume)
        for variant, record in _accounts().items():
            volume = fresh(server, origin)
            dead(volume)
            (volume.target / ".modelsync/accounts").write_bytes(record)
            yield f"accounts with {variant}", _tried(volume)


def _accounts() -> dict[str, bytes]:
    head = b'{"version": 1, "uid": "uid-1"}'.ljust(511) + b"\n"
    return {
        "bytes below zero": head + b"-0000000000000000005\n" + b"%020d\n" % 0,
        "more bytes than a number holds": head + b"9" * 20 + b"\n" + b"9" * 20 + b"\n",
        "a head nested 500 deep": (b"[" * 250 + b"]" * 250).ljust(511) + b"\n" + b"%020d\n" % 0 * 2,
    }


def names(full: bool) -> Iterator[Outcome]:
    """More names in modelsync's directories than memory holds."""
    with bench_made() as (server, origin):
        for place in (".modelsync", DEAD):
            volume = fresh(server, origin)
            dead(volume)
            for number in range(20_000 if full else 500):
                (volume.target / place / f"x{number}").touch()
            yield f"files in {place}", _tried(volume)


ATTACKS = (
    Attack(
        topic="volume", name="anything but a file under modelsync's names", how=Ground.LOOPBACK, run=planted
    ),
    Attack(topic="volume", name="forged records of modelsync's own", how=Ground.LOOPBACK, run=written),
    Attack(topic="volume", name="names without number", how=Ground.LOOPBACK, run=names),
)
