"""`make chart`: lint the chart and package it into build/, with the development cluster's Helm."""

import subprocess
import sys

from dev import target as targets
from dev.cluster import binaries, layout

CHART = "charts/modelsync"


def main() -> int:
    """Lint and package; returns Helm's exit code."""
    binaries.ensure(lambda line: print(line, file=sys.stderr))
    helm = str(layout.binaries_folder() / "helm")
    for command in (["lint", "--strict", CHART], ["package", CHART, "--destination", "build"]):
        code = subprocess.run([helm, *command], cwd=targets.REPOSITORY, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
