"""What runs while a test looks: an engine's child processes, and a sync that is stopped in the middle."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelsync.worker.common.failures import Failure, Interrupted
from tests.worker.hubs import HubSync


def pids() -> list[int]:
    """The engines' processes that this one has started."""
    tasks = Path("/proc/self/task").iterdir()
    started = [int(each) for task in tasks for each in read(task / "children").split()]
    return [
        each for each in started if b"engines/library/child_main.py" in read(Path(f"/proc/{each}/cmdline"))
    ]


def read(path: Path) -> bytes:
    """What proc says of a task; nothing once it has ended, which may be just now."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@contextlib.contextmanager
def stopped_when(sync: HubSync, truth: Callable[[], bool]) -> Iterator[None]:
    """Run a sync until something is true, then stop it; the block sees how it ends."""
    ended: list[BaseException | None] = []

    def work() -> None:
        try:
            sync.run()
            ended.append(None)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(truth)
    sync.stop.set()
    yield
    thread.join(10)
    assert isinstance(ended[0], Interrupted)


def killed_when(sync: HubSync, truth: Callable[[], bool]) -> Failure:
    """Run a sync until something is true, then kill the engine's processes: how the sync ends."""
    ended: list[Failure] = []

    def work() -> None:
        with pytest.raises(Failure) as caught:
            sync.run()
        ended.append(caught.value)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(truth)
    for number in pids():
        os.kill(number, signal.SIGKILL)
    thread.join(10)
    return ended[0]


def wait_for(truth: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
