"""Hostile names, and a neighbour who swaps directories for links, against the code that publishes.

What a source calls its files goes the way it goes in a sync: the plan, the layout's look at the target, the
moves out of staging, the snapshot's links. Only the transfer is left out, for it knows staging names alone.
"""

import contextlib
import hashlib
import os
import random
import stat
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.origins.files.web import WebOrigin
from modelsync.api import protocol
from modelsync.api.reasons import Reason
from modelsync.worker.attempt import planning
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Digest, Fetched, Listing, RemoteFile
from modelsync.worker.progress.stages import Stages
from modelsync.worker.publishing import manifests, publisher
from modelsync.worker.publishing.layouts.base import TargetLayout
from modelsync.worker.publishing.layouts.directory import DirectoryLayout
from modelsync.worker.publishing.layouts.hub_cache import HubCacheLayout
from modelsync.worker.storage.safe_directory import Tree
from modelsync.worker.storage.staging import Staging, key_of
from tests.faults import hostile, workers
from tests.faults.case import Case, Tally
from tests.worker.syncs import Sync

SUITE = "names"
CACHE = "hub/models--org--name"
COMMIT = "c0ffee" * 6 + "c0ff"
REFUSALS = {Reason.UNSAFE_PATH, Reason.VOLUME_NOT_WRITABLE}
ROUND = 500
"""Cases on one target before it is made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target with its staging directory, and all that must not change around it."""

    base: Path
    tree: Tree
    staging: Staging
    request: protocol.WorkRequest

    @property
    def root(self) -> Path:
        """The target's directory."""
        return self.base / "volume"

    def sync(self, layout: TargetLayout, paths: list[str]) -> None:
        """Bring files of these names to the target; raises Failure."""
        listed, stages = [_file(path) for path in paths], Stages()
        plan = planning.make_plan(Listing(revision=COMMIT, files=listed), self.request)
        nothing = manifests.Published(files={}, owner=self.staging.owner)
        layout.prepare(self.tree, plan.files, nothing, stages.advance)
        fetched = [self._staged(file) for file in plan.files]
        publisher.publish(self.tree, self.staging, fetched, nothing, layout, stages)
        publisher.sync_parents(self.tree, map(layout.place, plan.files), stages.advance)
        layout.finish(self.tree, self.staging, plan.files, stages.advance)

    def _staged(self, file: RemoteFile) -> Fetched:
        name = f"{key_of(file)}.0"
        content = file.path.encode("utf-8", "surrogatepass")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        descriptor = os.open(name, flags, dir_fd=self.staging.directory.descriptor)
        os.write(descriptor, content)
        os.close(descriptor)
        sha256 = hashlib.sha256(content).hexdigest()
        size = len(content)
        return Fetched(file=file, staged=name, size=size, sha256=sha256, verified_by="sha256", etag=None)


def _file(path: str) -> RemoteFile:
    content = path.encode("utf-8", "surrogatepass")
    digest = Digest(algorithm="sha256", value=hashlib.sha256(content).hexdigest())
    return RemoteFile(path=path, size=len(content), digests=(digest,), locator="x")


@contextlib.contextmanager
def planted(base: Path, below: str = "") -> Iterator[Target]:
    """A fresh target with canaries around and foreign files in it."""
    hostile.plant(base)
    with WebOrigin() as origin:
        request = Sync(origin, base / "volume").request()
    with Tree.open(base / "volume", below) as tree:
        staging = Staging(tree, "uid-1", stop=threading.Event(), wait_seconds=0)
        try:
            yield Target(base=base, tree=tree, staging=staging, request=request)
        finally:
            staging.close()


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="modelsync-names-", dir=workers.in_memory()) as directory:
        yield Path(directory) / "base"


def in_directory(seed: int, count: int) -> Tally:
    """Hostile names in a plain directory."""
    return _cases(seed, count, "")


def in_cache(seed: int, count: int) -> Tally:
    """Hostile names of files and revisions in a Hugging Face cache."""
    return _cases(seed, count, CACHE)


def _cases(seed: int, count: int, below: str) -> Tally:
    tally, generator = Tally(), random.Random(seed)
    ended: Counter[bool] = Counter()
    with _scratch() as base:
        while tally.tried < count:
            with planted(base, below) as target:
                before = hostile.fingerprint(base)
                for _ in range(min(ROUND, count - tally.tried)):
                    paths = hostile.paths(generator)
                    wrong = _tried(target, _layout(below, generator), paths, ended)
                    if hostile.fingerprint(base) != before:
                        wrong = "a canary or a foreign file was changed"
                        before = hostile.fingerprint(base)
                    tally.add(not wrong, f"{paths!r}: {wrong}")
    if count >= ROUND and min(ended[True], ended[False]) < count // 20:
        tally.add(False, f"the grammar is one-sided: {ended[True]} taken, {ended[False]} refused")
    return tally


def _layout(below: str, generator: random.Random) -> TargetLayout:
    if not below:
        return DirectoryLayout(directory="")
    revision = "main" if generator.random() < 0.7 else hostile.path(generator)
    return HubCacheLayout(directory=below, commit=COMMIT, revision=revision)


def _tried(target: Target, layout: TargetLayout, paths: list[str], ended: Counter[bool]) -> str:
    """What went wrong with one listing, or nothing."""
    try:
        target.sync(layout, paths)
    except Failure as failure:
        ended[False] += 1
        if failure.reason not in REFUSALS:
            return f"refused as {failure.reason}: {failure.message!r}"
        return "" if failure.message.isprintable() else f"the message is not printable: {failure.message!r}"
    except Exception as error:
        return f"broke with {error!r}"
    ended[True] += 1
    return next(filter(None, (_there(target, layout, path) for path in paths)), "")


def _there(target: Target, layout: TargetLayout, path: str) -> str:
    """Whether a file that was taken is at its place below the target, and no link leads there."""
    place = target.root / layout.directory / layout.place(_file(path))
    if os.path.normpath(place) != str(place) or not place.is_relative_to(target.root):
        return f"was taken as {place}"
    for each in (place, *place.parents):
        if each == target.root:
            break
        if stat.S_ISLNK(os.lstat(each).st_mode):
            return f"is behind the link {each}"
    return "" if place.read_bytes() == path.encode() else "other bytes"


def swapped(seed: int, count: int) -> Tally:
    """Directories of the target are exchanged for links to the canary while files are moved below them."""
    tally, generator = Tally(), random.Random(seed)
    ended: Counter[bool] = Counter()
    with _scratch() as base, planted(base) as target:
        for name in ("sub", ".modelsync/swap"):
            (target.root / name).mkdir(parents=True)
        aside = base / "aside"
        aside.symlink_to(base / "canary")
        (base / "canary/inner").mkdir()
        before = hostile.fingerprint(base)
        command = [sys.executable, "-m", "tests.faults.swapper", str(target.root / "sub"), str(aside)]
        with subprocess.Popen([*command, str(count)]) as swapper:
            wrong = ""
            while swapper.poll() is None and not wrong:
                wrong = _moved(target, generator, ended)
                if hostile.fingerprint(base) != before:
                    wrong = "a canary was changed"
            if wrong:
                swapper.kill()
        if swapper.returncode and not wrong:
            wrong = f"the swapper ended with {swapper.returncode}"
        if not wrong and not min(ended[True], ended[False]):
            wrong = f"never met: {ended[True]} moves went through, {ended[False]} were refused"
    tally.tried = count
    tally.passed = 0 if wrong else count
    if wrong:
        tally.failures.append(wrong)
    return tally


def _moved(target: Target, generator: random.Random, ended: Counter[bool]) -> str:
    """One turn of publishing, looking and removing below the directory that is swapped."""
    path = generator.choice(
        ["sub/secret", "sub/deep/secret", "sub/inner/new", "sub/new", f"sub/{os.urandom(3).hex()}"]
    )
    try:
        target.sync(DirectoryLayout(directory=""), [path])
        ended[True] += 1
        target.tree.regular(path)
        with target.tree.parent(path) as (directory, _), Tree(os.dup(directory)) as tree:
            for name in tree.names():
                tree.remove(name)
    except Failure as failure:
        ended[False] += 1
        if failure.reason not in REFUSALS:
            return f"refused as {failure.reason}: {failure.message!r}"
    except OSError:
        ended[False] += 1
    return ""


CASES = (
    Case(
        suite=SUITE,
        name="hostile paths in a directory: taken to their place or refused, canaries unchanged",
        run=in_directory,
        full=100_000,
        quick=400,
    ),
    Case(
        suite=SUITE,
        name="hostile paths and revisions in a Hugging Face cache: canaries unchanged",
        run=in_cache,
        full=30_000,
        quick=200,
    ),
    Case(
        suite=SUITE,
        name="a directory swapped for a link while files are published below it: canaries unchanged",
        run=swapped,
        full=100_000,
        quick=5_000,
    ),
)
