"""A job and the engines' common shape: what is fetched from where, and what surrounds a run of it."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dev import target as targets
from dev.bench.data import FileSet
from dev.origins.programs import versitygw

DRIVERS = Path(__file__).resolve().parent / "drivers"
BUCKET, PREFIX = "bench", "model/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What an engine is to fetch, and where to."""

    files: FileSet
    endpoint: str
    """The Hub's, or the S3 server's."""
    cdn: str
    """What the CDN's URLs begin with."""
    target: Path
    work: Path
    """A scratch folder of this run."""
    authority: Path | None = None
    prefix: tuple[str, ...] = ()
    """What to run the engine by, such as in a network namespace."""

    def write(self, name: str, text: str) -> str:
        """Write a file that the command line names."""
        (self.work / name).write_text(text)
        return str(self.work / name)

    def pairs(self, address: Callable[[str], str]) -> str:
        """A JSON list of [address, local path], written to a file."""
        pairs = [(address(file.path), str(self.target / file.path)) for file in self.files.files]
        return self.write("wanted.json", json.dumps(pairs))

    def url(self, path: str) -> str:
        """The CDN's URL of a file."""
        return self.cdn + path


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One way to fetch a set of files."""

    name: str
    verified: str
    """What is compared when the measured time ends."""
    command: Callable[[Job], list[str]]
    version: Callable[[], str]
    needs_pass: bool = True
    """Whether the SHA-256 pass follows and counts."""
    limit: bool = False
    """It stores or checks nothing: a bound to compare with, no rival."""


def environment(job: Job) -> Mapping[str, str]:
    """The whole environment of a run: nothing of the user's own, no proxy, no cache."""
    found = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin",
        "HOME": str(job.work),
        "PYTHONPATH": str(targets.REPOSITORY / "operator"),
        "HF_ENDPOINT": job.endpoint,
        "HF_HOME": str(job.work / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "AWS_ENDPOINT_URL": job.endpoint,
        "AWS_ACCESS_KEY_ID": versitygw.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": versitygw.SECRET_KEY,
        "AWS_REGION": versitygw.REGION,
        "AWS_DEFAULT_REGION": versitygw.REGION,
    }
    if job.authority:
        found["SSL_CERT_FILE"] = str(job.authority)
    return found


def verification(job: Job, *, fsync: bool) -> list[str]:
    """The pass over what an engine wrote; with `fsync` it also brings the files to the disk, as ours does."""
    expected = job.write("manifest.json", json.dumps({file.path: file.sha256 for file in job.files.files}))
    more = ["--fsync"] if fsync else []
    return [sys.executable, "-I", str(DRIVERS / "verify.py"), expected, str(job.target), *more]
