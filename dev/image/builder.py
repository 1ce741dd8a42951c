"""buildah on a debootstrapped base: the same Dockerfile that `docker build` takes, where no engine runs.

An archive is kept in the cache under a digest of everything that went into it, so building again without a
change costs nothing, and a change of our code rebuilds only the last layers.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from dev.image import base

ROOT = Path(__file__).resolve().parent.parent.parent
REPOSITORY, TAG = "localhost/modelsync", "dev"
NAME = f"{REPOSITORY}:{TAG}"
READER = "localhost/modelsync-reader:dev"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def build() -> Path:
    """The image of operator and worker as an OCI archive; built when its inputs changed."""
    inputs = ["pyproject.toml", "README.md", "LICENSE", "requirements/image.txt", "requirements/build.txt"]
    return _archive(NAME, "Dockerfile", inputs, ["operator"])


def build_reader() -> Path:
    """The demo's image that opens a model, as an OCI archive."""
    return _archive(READER, "dev/image/reader.Dockerfile", ["requirements/reader.txt"], [])


def archive_bytes(archive: Path) -> int:
    """Size of an archive."""
    return archive.stat().st_size


def cache() -> Path:
    """Where images are kept, outside the checkout."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelsync" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _archive(name: str, dockerfile: str, files: Iterable[str], folders: Iterable[str]) -> Path:
    key = _digest([dockerfile, *files, *_sources([*folders, "dev/image"])])
    short = name.rsplit("/", 1)[1].replace(":", "-")
    archive = cache() / f"{short}-{key}.tar"
    if archive.exists():
        return archive
    with (cache() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second build of the same waits, then finds it done
        if not archive.exists():
            _build(name, dockerfile, short, archive)
    return archive


def _build(name: str, dockerfile: str, short: str, archive: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        _run(
            "buildah", "bud", "--isolation", "chroot", "--layers", "--quiet", "--tag", name,
            "--build-arg", f"BASE={base.ensure(cache())}", *_pip_settings(Path(scratch)),
            "--file", dockerfile, str(ROOT),
        )  # fmt: skip
    partial = archive.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    _run("buildah", "push", "--quiet", name, f"oci-archive:{partial}:{name}")
    for old in cache().glob(f"{short}-*.tar"):
        old.unlink()
    partial.rename(archive)


def _sources(folders: Iterable[str]) -> list[str]:
    return sorted(
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def _digest(names: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\0".encode())
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()[:16]


def _pip_settings(scratch: Path) -> list[str]:
    """This machine's certificates and pip settings, for the build only: mounts leave nothing behind."""
    options = []
    if _CERTIFICATES.exists():
        options += ["--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro"]
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    found = dict(re.findall(r"^(?:global|:env:)\.([\w-]+)='(.*)'$", listed.stdout, re.MULTILINE))
    wanted = {name: value for name, value in found.items() if name != "find-links"}
    conf = scratch / "pip.conf"
    conf.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in wanted.items()))
    return [*options, "--volume", f"{conf}:/etc/pip.conf:ro"]


def _run(*command: str) -> None:
    environment = os.environ | {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": base.storage_driver()}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:2])} failed:\n{done.stderr[-4000:]}")
