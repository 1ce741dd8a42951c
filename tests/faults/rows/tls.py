"""Certificates for the origins of the fault table, made once a process."""

import functools
import tempfile
from pathlib import Path

from dev.origins import certificates


@functools.cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="faults-tls-")


@functools.cache
def made(host: str, *, expired: bool = False) -> certificates.Tls:
    """A certificate for a host, and an authority of its own for it."""
    folder = Path(_folder().name) / f"{host}-{expired}"
    folder.mkdir()
    return certificates.make(folder, host, expired=expired)
