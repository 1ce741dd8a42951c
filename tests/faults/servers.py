"""Processes that have imported everything and fork a worker for each job; one of a kind stays
for the next case.

A start takes more processor time than most cases do. What a job changes, it changes in its own fork, so a
case cannot see those before it.
"""

import atexit
import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dev import target as targets
from tests.worker import forker
from tests.worker.forked import ROOT, Program

SECONDS = 60
"""How long one may take to end."""


class Server:
    """A process that takes a line and answers with a line."""

    def __init__(self, module: str, *, own_mounts: bool = False, under: Sequence[str] = ()) -> None:
        """With `own_mounts` nobody else sees what is mounted in it; `under` is a command that runs the
        process, from the start of Python, as a process of another repository does."""
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self._stdin, self._stdout = os.fdopen(ours_in, "w"), os.fdopen(ours_out)
        self._process: Program | subprocess.Popen[str]
        root = targets.REPOSITORY
        if under or root != ROOT:
            assert not own_mounts
            path = f"PYTHONPATH={root / 'operator'}:{root}"
            command = ["env", path, *under, sys.executable, "-m", module]
            self._process = subprocess.Popen(command, cwd=root, stdin=theirs_in, stdout=theirs_out, text=True)
        else:
            mounts = "from tests.faults import mounts; mounts.own(); " if own_mounts else ""
            code = f"{mounts}from {module} import main; main()"
            self._process = Program(code, [module], os.environ, stdin=theirs_in, stdout=theirs_out, stderr=2)
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            self._answer()  # it is in its own mount namespace now, if it is to be in one
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it takes no more lines."""
        return self._process.poll() is not None

    def ask(self, line: str) -> str:
        """Its answer. One that is interrupted ends, or the next job would read this one's answer."""
        try:
            self._stdin.write(line + "\n")
            self._stdin.flush()
            return self._answer()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End it, when its last job is done."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        self._process.wait(SECONDS)
        self._stdout.close()

    def _answer(self) -> str:
        if not (answer := self._stdout.readline()):
            raise RuntimeError(f"the process {self.pid} ended")
        return answer


def say_ready() -> None:
    """Of the process itself: build each value's validator once, not in every fork, and report it."""
    forker.build_validators()
    print("ready", flush=True)


_kept: dict[tuple[Path, str, bool], Server] = {}


def kept(module: str, *, own_mounts: bool = False) -> Server:
    """The server of this kind; it is started for the first who asks and ends with this process."""
    kind = (targets.REPOSITORY, module, own_mounts)
    found = _kept.get(kind)
    if found is None or found.ended:
        found = _kept[kind] = Server(module, own_mounts=own_mounts)
        atexit.register(found.end)  # before the process that forked it, which was there before it
    return found
