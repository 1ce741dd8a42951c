"""A process beside the benchmark that ends with its input, however the benchmark ends."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from dev import target as targets
from dev.bench.measure import BenchError


@contextlib.contextmanager
def running(module: str, *arguments: str) -> Iterator[str]:
    """Run a module until the block ends; gives the line it writes when it is ready, without its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=targets.REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is not for it: it ends with its input
    )
    assert process.stdin and process.stdout
    try:
        line = process.stdout.readline()
        if not line:
            raise BenchError(f"{module} did not start")
        yield line.rstrip()
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
