"""Engines that come as Go modules: built once into the cache; without them their rows are left out.

Debian's packages (aria2, rclone) are dev/setup.sh's.
"""

import os
import shutil
import subprocess
from collections.abc import Callable

from dev.bench import engines

MODULES = {"s5cmd": "github.com/peak/s5cmd/v2@v2.3.0"}
MOST_SECONDS = 600.0


def install(say: Callable[[str], None]) -> None:
    """Build what is missing; a failure is told and costs only the rows of that engine."""
    from dev.cluster import layout

    folder = layout.binaries_folder()
    for name, module in MODULES.items():
        if engines.find(name):
            continue
        go = shutil.which("go")
        if go is None:
            say(f"{name} is left out: there is no Go; dev/setup.sh installs it")
            continue
        say(f"building {module}")
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [go, "install", "-trimpath", module],
            env=os.environ | {"GOBIN": str(folder), "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"},
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
        if done.returncode:
            say(f"{name} is left out: {done.stderr.strip()[-300:]}")
