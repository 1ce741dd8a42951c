"""The asking side of `subject`: start workers on a volume, read how they ended and what they left."""

import contextlib
import json
import pickle
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.origins.content import hexdigest
from dev.origins.files.web import WebOrigin
from modelsync.api import protocol
from modelsync.api.source.transfer import Verification
from modelsync.worker.common.model import Digest, RemoteFile
from tests.faults import servers, steering
from tests.worker.syncs import Sync, files_in

KILLED = -9
SUB_PATH = "model"
_SUBJECT = "tests.faults.subject"
_MEMORY = Path("/dev/shm")
"""Volumes are in memory: a kill takes nothing from the page cache, and a sync costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a worker ended."""

    code: int
    """Exit code, or the negative number of the signal."""
    peak_kib: int
    words: protocol.TerminationReport | None
    """A termination report; None when it was killed."""


class Server:
    """A `subject` that runs workers, perhaps in a mount namespace of its own, with a scratch directory."""

    def __init__(self, process: servers.Server, scratch: Path) -> None:
        self._process = process
        self.scratch = scratch

    @property
    def root(self) -> Path:
        """The file system as the workers see it, also what is mounted in their namespace."""
        return Path(f"/proc/{self._process.pid}/root")

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run one worker to its end."""
        answer: dict[str, Any] = json.loads(self._process.ask(json.dumps(job)))
        return answer

    def inside(self, *command: str) -> None:
        """Run a command in the workers' mount namespace; raises CalledProcessError."""
        entering = ["nsenter", f"--target={self._process.pid}", "--mount", "--"]
        subprocess.run([*entering, *command], check=True, capture_output=True, timeout=60)


def in_memory() -> Path | None:
    """Where temporary directories are in memory; None where that cannot be."""
    return _MEMORY if _MEMORY.is_dir() else None


@contextlib.contextmanager
def serving(*, own_mounts: bool = False, under: Sequence[str] = ()) -> Iterator[Server]:
    """A server with a scratch directory of this block's; one `under` a tracer ends with the block too."""
    with tempfile.TemporaryDirectory(prefix="modelsync-faults-", dir=in_memory()) as scratch:
        if not under:
            yield Server(servers.kept(_SUBJECT, own_mounts=own_mounts), Path(scratch))
            return
        process = servers.Server(_SUBJECT, under=under)
        try:
            yield Server(process, Path(scratch))
        finally:
            process.end()


@dataclass(kw_only=True)
class Volume:
    """A directory that workers fill from an origin, each run a process of its own."""

    server: Server
    origin: WebOrigin
    directory: Path
    connections: int = 3
    undigested: frozenset[str] = frozenset()
    """Paths whose checksum the source does not state: nothing but the journal's order guards them."""
    unsized: frozenset[str] = frozenset()
    user: int = 0
    uid: str = "uid-1"
    deadline: int = 60
    verification: Verification = Verification.CHECKSUM
    boots: int = 0
    """Power cuts so far: each boot of a kernel has an id of its own."""

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.mounted.mkdir(exist_ok=True)

    @property
    def mounted(self) -> Path:
        """Root of the volume."""
        return self.directory / "volume"

    @property
    def target(self) -> Path:
        """The sync's directory, as it is seen from here."""
        if self.server.root.exists():
            inside = self.mounted.relative_to("/")
            return self.server.root / inside / SUB_PATH
        return self.mounted / SUB_PATH

    def run(
        self, *, faults: list[dict[str, Any]] | None = None, record: str = "", count: str = "", log: str = ""
    ) -> Ended:
        """One worker, to its end or its death."""
        termination = self.directory / "termination"
        termination.unlink(missing_ok=True)
        termination.touch(mode=0o666)
        termination.chmod(0o666)
        boot = self.directory / "boot"
        boot.write_text(f"boot-{self.boots}")
        sync = Sync(
            self.origin,
            self.mounted,
            uid=self.uid,
            connections=self.connections,
            deadline=self.deadline,
            verification=self.verification,
        )
        answer = self.server.ask(
            {
                "request": sync.request().dump_json(),
                "files": self._listing(),
                "url": self.origin.url,
                "volume": str(self.mounted),
                "termination": str(termination),
                "faults": faults or [],
                "record": record,
                "count": count,
                "log": log,
                "boot": str(boot),
                "user": self.user,
                "seconds": 120,
            }
        )
        said = termination.read_bytes()
        words = protocol.TerminationReport.model_validate_json(said) if said else None
        return Ended(code=answer["code"], peak_kib=answer["peak_kib"], words=words)

    def _listing(self) -> list[tuple[str, int | None, str | None]]:
        listed: list[tuple[str, int | None, str | None]] = []
        for path, found in sorted(self.origin.files.items()):
            size = None if path in self.unsized else found.content.size
            digest = None if path in self.undigested else hexdigest(found.content, "sha256")
            listed.append((path, size, digest))
        return listed

    def files(self) -> list[RemoteFile]:
        """The files as the source lists them to the worker."""
        return [remote_file(*each) for each in self._listing()]

    def content(self) -> dict[str, bytes]:
        """All published files."""
        return {path: (self.target / path).read_bytes() for path in files_in(self.target)}

    def manifest(self) -> protocol.Manifest | None:
        """The manifest, when there is one."""
        path = self.target / ".modelsync/manifest.json"
        return protocol.Manifest.model_validate_json(path.read_bytes()) if path.exists() else None

    def state_bytes(self) -> int:
        """Bytes on the volume that are modelsync's own."""
        state = self.target / ".modelsync"
        return sum(each.lstat().st_blocks * 512 for each in state.rglob("*") if not each.is_dir())


def remote_file(path: str, size: int | None, digest: str | None) -> RemoteFile:
    """A listed file."""
    digests = (Digest(algorithm="sha256", value=digest),) if digest else ()
    return RemoteFile(path=path, size=size, digests=digests, locator=path)


def counted(path: Path) -> list[tuple[str, str]]:
    """The calls of a counting run: name and path of each."""
    found: list[tuple[str, str]] = pickle.loads(path.read_bytes())
    return found


def recorded(path: Path) -> list[steering.Step]:
    """The steps of recorded runs."""
    return steering.Recording.read(path).steps
