"""A process that has imported what programs import, and forks one for each start that it is asked for.

    python -m tests.worker.forker DESCRIPTOR

A start of Python with the product's libraries takes half a second of a processor, more than most tests of a
command. The asking side is `tests.worker.forked`. This process has one thread, so that forking it is sound.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import socket
import sys
import threading
from dataclasses import dataclass
from typing import Any

from modelsync.settings import environment

environment.spare_plugins()

from modelsync.api.common.base import Value  # noqa: E402

LOADED = ("modelsync.__main__", "modelsync.cli.pull", "modelsync.cli.worker", "tests.worker.subject")
HUB = "huggingface_hub"
"""It reads its settings from the environment when it is imported, so each program imports it again; what it
imports, which takes most of the time, is here already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a process is to be."""

    code: str
    arguments: list[str]
    variables: dict[str, str]


def main() -> None:
    """Fork programs until nobody asks for more; in each of them, be it."""
    with socket.socket(fileno=int(sys.argv[1])) as control:
        for name in LOADED:
            importlib.import_module(name)
        importlib.import_module(f"{HUB}.hf_api")
        build_validators()
        gc.freeze()
        assert threading.active_count() == 1
        job = _forked(control)
    if job is not None:
        _be(job)


def build_validators() -> None:
    """Build each value's validator once, not in every fork."""
    models = [Value]
    while models:
        model = models.pop()
        model.model_rebuild()
        models += model.__subclasses__()


def _forked(control: socket.socket) -> Job | None:
    """Where this returns a job, it does so in a process that is to be it."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.data:
                    waiting.unregister(key.fileobj)
                    key.data.end()
                    continue
                message, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 4)
                if not message:
                    return None
                process = os.fork()
                if not process:
                    for other in waiting.get_map().values():
                        if other.data:
                            other.data.close()
                    return _to_be(json.loads(message), descriptors)
                *streams, answer = descriptors
                for stream in streams:
                    os.close(stream)
                running = _Running(process, socket.socket(fileno=answer))
                waiting.register(running.handle, selectors.EVENT_READ, running)


class _Running:
    """A program, and who asked for it: he gets its handle and number, and its exit code at the end."""

    def __init__(self, process: int, answer: socket.socket) -> None:
        self._process, self._answer = process, answer
        self.handle = os.pidfd_open(process)
        socket.send_fds(answer, [str(process).encode()], [self.handle])

    def end(self) -> None:
        """It has ended."""
        _, status = os.waitpid(self._process, 0)
        with contextlib.suppress(BrokenPipeError):
            self._answer.send(str(os.waitstatus_to_exitcode(status)).encode())
        self.close()

    def close(self) -> None:
        """Keep nothing open."""
        self._answer.close()
        os.close(self.handle)


def _to_be(job: dict[str, Any], descriptors: list[int]) -> Job:
    *streams, answer = descriptors
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.close(answer)
    return Job(**job)


def _be(job: Job) -> None:
    os.environ.clear()
    os.environ.update(job.variables)
    sys.argv[:] = job.arguments
    for name in [name for name in sys.modules if name.partition(".")[0] == HUB]:
        del sys.modules[name]
    exec(job.code, {"__name__": "__main__"})


if __name__ == "__main__":
    main()
