"""Foreign servers as child processes: started on a free port, awaited by connecting, ended with certainty.

`setpriv --pdeathsig` ends the server even when the test run itself is killed; the process group ends whatever
the server started.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import unittest
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

READY_SECONDS = 15.0
ATTEMPTS = 3


class OriginError(Exception):
    """A server did not come up; the message ends with what it printed."""


def binary(name: str) -> str:
    """The path of a program on PATH or among those built for the cluster; skips the test without it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelsync" / "bin"
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), str(cache), "/usr/sbin"]))
    if found is None:
        raise unittest.SkipTest(f"{name} is missing: run dev/setup.sh and `python -m dev.cluster start`")
    return found


@contextlib.contextmanager
def running(command: Callable[[int], Sequence[str]], host: str, log: Path) -> Iterator[int]:
    """Run what `command` makes for a port until the block ends; gives the port.

    The port is free when it is chosen and may be taken a moment later, so a server that ends at once is
    started again on another one.
    """
    process, port = _started(command, host, log)
    try:
        yield port
    finally:
        _end(process)


def _started(
    command: Callable[[int], Sequence[str]], host: str, log: Path
) -> tuple[subprocess.Popen[bytes], int]:
    for _ in range(ATTEMPTS):
        port = free_port(host)
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command(port)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        if _accepts(process, host, port):
            return process, port
        _end(process)
    raise OriginError(f"{command(0)[0]} did not start on {host}:\n{log.read_text(errors='replace')[-2000:]}")


def free_port(host: str) -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server((host, 0)) as listener:
        return int(listener.getsockname()[1])


def _accepts(process: subprocess.Popen[bytes], host: str, port: int) -> bool:
    """Wait until the server accepts a connection; False when it ended or took too long."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection((host, port), timeout=1).close()
            return process.poll() is None
        time.sleep(0.02)  # a refused connection is no event that could be awaited
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group; these servers hold nothing that outlives a test."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
