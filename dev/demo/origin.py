"""Where the demo's model comes from, and what its files should be.

Without internet: a real sentence-transformer from a PyPI package, served by our Hub-compatible server. With
`MODEL=org/name`: the real Hub.
"""

import contextlib
import hashlib
import subprocess
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev import target as targets
from dev.origins.hub import demo_model

PORT = 8900
LOCAL_REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class Origin:
    """A repository and the digests that its files must have on the volume."""

    repository: str
    endpoint: str | None
    digests: dict[str, tuple[str, str]]
    """By path: (algorithm, value); sha256, or git-sha1 for small files of the real Hub."""

    @property
    def address(self) -> str | None:
        """What workers have to be allowed to reach besides the internet."""
        return urllib.parse.urlsplit(self.endpoint).hostname if self.endpoint else None


@contextlib.contextmanager
def local(target: targets.Target, rate: str) -> Iterator[Origin]:
    """Serve the demo's model at a rate such as `3MB` a second, where the cluster's Pods reach it."""
    root = demo_model.ensure()
    folder = root / LOCAL_REPOSITORY
    host = target.origin_host
    command = ["dev.origins.hub", "--root", str(root), "--host", host, "--port", str(PORT), "--rate", rate]
    server = subprocess.Popen(
        [*target.prefix, *targets.PYTHON, "-m", *command],
        cwd=targets.REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        if not server.stdout.readline():
            raise targets.TargetError(f"the demo's Hub did not start on {host}:{PORT}; is the port in use?")
        yield Origin(LOCAL_REPOSITORY, f"http://{host}:{PORT}", _digests(folder))
    finally:
        server.terminate()
        server.wait(10)


def _digests(folder: Path) -> dict[str, tuple[str, str]]:
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found[str(path.relative_to(folder))] = ("sha256", digest)
    return found


@contextlib.contextmanager
def real_hub(repository: str) -> Iterator[Origin]:
    """A repository of the real Hub, with the digests that the Hub states."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    digests = {}
    for entry in HfApi().list_repo_tree(repository, recursive=True):
        if isinstance(entry, RepoFile):
            digests[entry.path] = ("sha256", entry.lfs.sha256) if entry.lfs else ("git-sha1", entry.blob_id)
    yield Origin(repository, None, digests)
