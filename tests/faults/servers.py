"""Processes that have imported everything and fork a worker for each job; one of a kind stays
for the next case.

A start takes more processor time than most cases do. What a job changes, it changes in its own fork, so a
case cannot see those before it.
"""

import atexit
import contextlib
import subprocess
import sys
from collections.abc import Sequence

from dev import target as targets
from tests.worker import forker

SECONDS = 60
"""How long one may take to end."""


class Server:
    """A process that takes a line and answers with a line."""

    def __init__(self, module: str, under: Sequence[str] = ()) -> None:
        """`under` is a command that runs the process."""
        root = targets.REPOSITORY
        path = f"PYTHONPATH={root / 'operator'}:{root}"
        self._process = subprocess.Popen(
            ["env", path, *under, sys.executable, "-m", module],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
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
            assert self._process.stdin is not None
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            return self._answer()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End it, when its last job is done."""
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=SECONDS)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        if not (answer := self._process.stdout.readline()):
            raise RuntimeError(f"{self._process.args!r} ended")
        return answer


def say_ready() -> None:
    """Of the process itself: build each value's validator once, not in every fork, and report it."""
    forker.build_validators()
    print("ready", flush=True)


_kept: dict[tuple[str, ...], Server] = {}


def kept(module: str, under: Sequence[str] = ()) -> Server:
    """The server of this kind; it is started for the first who asks and ends with this process."""
    kind = (str(targets.REPOSITORY), module, *under)
    found = _kept.get(kind)
    if found is None or found.ended:
        found = _kept[kind] = Server(module, under)
    return found


@atexit.register
def _end_all() -> None:
    for server in _kept.values():
        server.end()
