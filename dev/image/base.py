"""The base image: Debian with Python, made by mmdebstrap from the machine's own package mirror."""

import hashlib
import os
import subprocess
from pathlib import Path

SUITE = "trixie"
"""Debian 13, for its Python 3.13."""
_OPTIONS = (
    "--variant=minbase",
    "--include=python3,python3-venv,ca-certificates",
    # Nobody reads manuals in a container; licences stay.
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    SUITE,
)
_KEY = hashlib.sha256(repr(_OPTIONS).encode()).hexdigest()[:8]
NAME = f"localhost/modelsync-base:{SUITE}-{_KEY}"


def ensure(cache: Path) -> str:
    """Name of the base image, which is made when it is missing."""
    environment = os.environ | {"STORAGE_DRIVER": storage_driver()}
    known = subprocess.run(
        ["buildah", "inspect", "--type", "image", NAME], env=environment, capture_output=True, check=False
    )
    if known.returncode == 0:
        return NAME
    root = _root(cache)
    file = f"FROM scratch\nADD {root.name} /\n"
    subprocess.run(
        ["buildah", "bud", "--isolation", "chroot", "--quiet", "--tag", NAME, "--file", "-", str(cache)],
        input=file, text=True, env=environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return NAME


def _root(cache: Path) -> Path:
    """The root file system as a tar file; those of other options go."""
    root = cache / f"base-{SUITE}-{_KEY}.tar"
    if not root.exists():
        for old in cache.glob("base-*.tar"):
            old.unlink()
        partial = root.with_suffix(".partial.tar")
        subprocess.run(["mmdebstrap", "--quiet", *_OPTIONS, str(partial), *_mirror()], check=True)
        partial.rename(root)
    return root


def _mirror() -> list[str]:
    """The machine's own mirror, so that no host is written down here; mmdebstrap's default without one."""
    indexes = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)"], capture_output=True, text=True, check=False
    )
    sites = [line for line in indexes.stdout.splitlines() if line.rstrip("/").endswith("/debian")]
    return sites[:1]


def storage_driver() -> str:
    """overlay where the kernel has it (a change then costs one layer), else vfs."""
    return "overlay" if "overlay" in Path("/proc/filesystems").read_text() else "vfs"
