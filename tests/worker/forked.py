"""Programs in processes of their own that start within milliseconds, see `tests.worker.forker`.

Only the imports are saved: each has its own arguments, variables, directory and streams, gets real signals
and ends with its own exit code. For each command a test or two still start Python itself.
"""

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]
MODELSYNC = "from modelsync.__main__ import run; run()"
SUBJECT = "from tests.worker.subject import main; main()"
SECONDS = 60
"""How long the process that forks may take to end."""


class Program:
    """A program that was started, with what tests use of subprocess.Popen.

    Its output is in a file, unless it gets streams that are led elsewhere.
    """

    def __init__(
        self,
        code: str,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> None:
        job = {"code": code, "arguments": list(arguments), "variables": dict(variables)}
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the program has ended
        output = self._stdout.fileno() if stdout is None else stdout
        error = output if stderr is None else stderr
        self._answer, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, open(os.devnull, "rb") as nothing:
            streams = [nothing.fileno() if stdin is None else stdin, output, error, theirs.fileno()]
            socket.send_fds(_forker(), [json.dumps(job).encode()], streams)
        message, (self._handle,), _, _ = socket.recv_fds(self._answer, 64, 1)
        self.pid = int(message)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or the negative number of a signal; None while it runs."""
        if self.returncode is None and select.select([self._answer], [], [], 0)[0]:
            self._ended()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, when it has ended; raises subprocess.TimeoutExpired."""
        if self.returncode is not None:
            return self.returncode
        if not select.select([self._answer], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a program", timeout or 0.0)
        return self._ended()

    def _ended(self) -> int:
        self.returncode = int(self._answer.recv(64))
        self._answer.close()
        os.close(self._handle)
        with self._stdout:
            self._stdout.seek(0)
            self._output = self._stdout.read().decode()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """What it wrote, when it has ended."""
        self.wait(timeout)
        return self._output, None

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for its end."""
        self.wait()


def run(
    code: str, arguments: Sequence[str], variables: Mapping[str, str], timeout: float = 60
) -> "subprocess.CompletedProcess[str]":
    """A program from its start to its end."""
    with (
        tempfile.TemporaryFile() as stderr,
        Program(code, arguments, variables, stderr=stderr.fileno()) as program,
    ):
        try:
            stdout, _ = program.communicate(timeout)
        except subprocess.TimeoutExpired:
            program.kill()
            raise
        stderr.seek(0)
        return subprocess.CompletedProcess(
            arguments, program.wait(), stdout=stdout, stderr=stderr.read().decode()
        )


@functools.cache
def _forker() -> socket.socket:
    """The way to the process that forks; it is started for the first who asks and ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    cached = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.worker.forker", str(theirs.fileno())],
            cwd=ROOT,
            env={**cached, **kept, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )

    def end() -> None:
        ours.close()
        process.wait(SECONDS)

    atexit.register(end)
    return ours
