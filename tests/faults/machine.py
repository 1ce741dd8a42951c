"""A state machine that does to a sync whatever can happen to it, in any order; hypothesis chooses.

After each step, every published file is one that its source announced at some time; after a sync that says it
is done, the target holds exactly what the source announces now, and the manifest says so. In the end, with no
more faults, the work can always be finished.
"""

import errno
import random
import tempfile
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dev.origins.content import Content, Synthetic, hexdigest, read
from dev.origins.files.origin import Origin
from dev.origins.serving.messages import Object
from modelsync.api import exitcodes, protocol
from modelsync.api.reasons import Reason
from modelsync.worker.storage import journal
from tests.faults import forks
from tests.origins.syncs import Sync

PATHS = ("model.bin", "deep/config.json", "empty")
SIZES = {"model.bin": 400_000, "deep/config.json": 700, "empty": 0}
KILLED = -14
_PASSING = {
    Reason.INSUFFICIENT_STORAGE,
    Reason.CHECKSUM_MISMATCH,
    Reason.SIZE_MISMATCH,
    Reason.SOURCE_CHANGED,
    Reason.NETWORK_ERROR,
    Reason.ORIGIN_ERROR,
    Reason.TARGET_BUSY,
}
ORDERLY = {exitcodes.DONE, KILLED, *(exitcodes.BY_REASON[reason] for reason in _PASSING)}
"""Ends that the steps can cause; an internal error or a broken volume is none of them."""
UNDETECTED = ("flip", "hybrid")
"""What only a checksum shows."""
PERCENT = st.integers(0, 99)
PATH = st.sampled_from(PATHS)
FAULT = st.sampled_from(("cut", "reset", "flip", "hybrid", "status=503", "whole", "etag-swap", "drop"))


class Machine(RuleBasedStateMachine):
    """A source, a volume, and workers that come and go."""

    begun: ClassVar[int] = 0
    """Runs so far."""

    @initialize(seed=st.integers(0, 1000), digests=st.booleans())
    def begin(self, seed: int, digests: bool) -> None:
        """An empty volume, and a source with three files.

        Without checksums nothing but ETags and the journal's order stand between a crash and wrong bytes.
        """
        Machine.begun += 1
        self.seed, self.digests, self.boots, self.done = seed, digests, 0, False
        self.directory = tempfile.TemporaryDirectory(prefix="machine-")
        self.volume = Path(self.directory.name)
        files = {path: Object(content=Synthetic(size, seed)) for path, size in SIZES.items()}
        self.announced: dict[str, set[Content]] = {path: {each.content} for path, each in files.items()}
        self.origin = Origin(files)
        self.origin.__enter__()

    def teardown(self) -> None:
        """Whatever happened: without more faults the work comes to its end."""
        if not hasattr(self, "origin"):
            return
        try:
            self.origin.clear()
            codes = [self._run()]
            while codes[-1] != exitcodes.DONE and len(codes) < 3:
                codes += [self._run()]
            assert codes[-1] == exitcodes.DONE, codes
            self.published_is_right()
        finally:
            self.origin.close()
            self.directory.cleanup()

    @rule()
    def fetch(self) -> None:
        """One worker, to its end."""
        self._ended(self._run())

    @rule(path=PATH, fault=FAULT, percent=PERCENT)
    def strike(self, path: str, fault: str, percent: int) -> None:
        """An answer for a file will be cut, damaged, refused, …"""
        if self.digests or fault not in UNDETECTED:
            self.origin.strike(path, f"{fault}@{percent}%")

    @rule(path=st.sampled_from(PATHS[:2]), seed=st.integers(0, 1000))
    def swap(self, path: str, seed: int) -> None:
        """The source holds another file of the same size from now on."""
        content = Synthetic(SIZES[path], seed)
        self.announced[path].add(content)
        self.origin.files[path] = Object(content=content)
        self.done = False

    @rule(life=st.sampled_from((0.05, 0.3, 0.6)), percent=PERCENT, power=st.booleans())
    def crash(self, life: float, percent: int, power: bool) -> None:
        """A worker is killed, mostly in the middle; with a power cut, what was not durable is gone."""
        self.origin.strike("model.bin", f"stall@{percent}%")
        self._ended(self._run(life=life))
        if power:
            self.boots += 1
            self._forget()

    @rule(budget=st.integers(0, 500_000))
    def no_space(self, budget: int) -> None:
        """The volume is full after so many bytes."""
        self._ended(self._run(budget=budget))

    @rule(percent=PERCENT, how=st.sampled_from(("flip", "cut", "remove")))
    def damage_the_journal(self, percent: int, how: str) -> None:
        """A journal that a dead worker left is not what it was."""
        for path in self.volume.rglob("staging/*/journal"):
            data = bytearray(path.read_bytes())
            place = len(data) * percent // 100
            if how == "remove":
                path.unlink()
            elif data:
                data[place] ^= 0x10
                path.write_bytes(data if how == "flip" else data[:place])

    @rule(locks=st.sampled_from(("true", "lie", "node")), life=st.sampled_from((0.0, 0.0, 0.1)))
    def two_processes(self, locks: str, life: float) -> None:
        """Two workers at once, with locks that may lie; one may die."""
        jobs = [self._job(locks=locks), self._job(locks=locks, life=life)]
        for code in forks.race(jobs):
            self._ended(code, alone=False)

    @invariant()
    def published_is_right(self) -> None:
        """No file but those that were announced, whole; and just these after a sync that was done."""
        if not hasattr(self, "volume"):
            return
        published = self._sync().published()
        for path, data in published.items():
            assert any(data == read(content) for content in self.announced[path]), f"wrong bytes in {path}"
        if self.done:
            now = {path: read(found.content) for path, found in self.origin.files.items()}
            assert published == now
            manifest = (self.volume / "model/.modelsync/manifest.json").read_bytes()
            listed = {
                each.path: each.sha256 for each in protocol.Manifest.model_validate_json(manifest).files
            }
            assert listed == {
                path: hexdigest(each.content, "sha256") for path, each in self.origin.files.items()
            }

    def _sync(self) -> Sync:
        return Sync(
            origin=self.origin,
            volume=self.volume,
            kind="web",
            connections=3,
            timeout=1.0,
            digests=self.digests,
            sizes=self.digests,
        )

    def _job(self, *, locks: str = "true", life: float = 0.0, budget: int = -1) -> forks.Job:
        boot = self.volume / "boot"
        boot.write_text(f"boot-{self.boots}")
        return forks.Job(
            request=self._sync().request().dump_json(),
            volume=str(self.volume),
            delay=0.0,
            life=life,
            locks=locks,
            boot=str(boot),
            budget=budget,
            error=errno.ENOSPC,
        )

    def _run(self, *, life: float = 0.0, budget: int = -1) -> int:
        (code,) = forks.race([self._job(life=life, budget=budget)])
        return code

    def _ended(self, code: int, *, alone: bool = True) -> None:
        words = [path.read_text() for path in self.volume.glob("words-*")]
        assert code in ORDERLY, f"exit code {code}: {words}"
        self.done = code == exitcodes.DONE if alone else self.done or code == exitcodes.DONE

    def _forget(self) -> None:
        """A power cut: of staging files, only what the journal calls durable is still there."""
        generator = random.Random(self.seed)
        for directory in self.volume.glob("model/.modelsync/*/staging/*"):
            path = directory / journal.NAME
            entries = journal.read(path.read_bytes() if path.exists() else b"")
            for staged in directory.iterdir():
                key, _, generation = staged.name.partition(".")
                if key in entries and generation == str(entries[key].generation):
                    _forgotten(staged, entries[key], generator)


def _forgotten(staged: Path, entry: journal.Entry, generator: random.Random) -> None:
    data = bytearray(staged.read_bytes())
    kept = bytearray(generator.choice((b"\0", b"\xff")) * len(data))
    for start, end in entry.durable:
        kept[start:end] = data[start:end]
    staged.write_bytes(kept)
