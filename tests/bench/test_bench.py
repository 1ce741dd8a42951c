"""The benchmark runs every tool for real and prints a row of each."""

import os
import re
import subprocess
import sys

from dev import target as targets
from dev.bench import __main__ as bench


def test_every_tool_fetches_the_file_and_gets_a_row() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dev.bench", "--mib", "4", "--runs", "1"],
        cwd=targets.REPOSITORY,
        env=os.environ | {"PYTHONPATH": "operator"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for tool in bench.TOOLS:
        assert re.search(rf"^{re.escape(tool.name)} +[0-9.]+ +[0-9]+ ", done.stdout, re.MULTILINE), (
            done.stdout
        )
