"""The worker's side of the child process: hand jobs over, hear of them, end it at once."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure
from modelsync.worker.engines.library import child_main
from modelsync.worker.http.connector import Network

Job = dict[str, Any]


class Running:
    """One job in the child."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.bytes: int | None = None
        """Bytes reported so far; None where the library reports none."""
        self.trouble: Job | None = None
        """What the child said of an error, see `child_main.described`."""


class Child:
    """A child process with a staging directory as its working directory."""

    def __init__(self, directory: int, environment: Mapping[str, str]) -> None:
        # -I: neither the user's packages nor the directory of this file stand before the installed ones.
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(Path(child_main.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries write whole URLs
            cwd=f"/proc/self/fd/{directory}",
            env=dict(environment),
            text=True,
            start_new_session=True,  # a terminal's Ctrl-C is the worker's to act on
        )
        self._lock = threading.Lock()
        self._jobs: dict[int, Running] = {}
        self._count = 0
        self._listener = threading.Thread(target=self._listen, name="child", daemon=True)
        self._listener.start()

    def submit(self, job: Job) -> Running:
        """Hand a job over."""
        running = Running()
        with self._lock:
            self._count += 1
            number = self._count
            self._jobs[number] = running
            stdin = self._process.stdin
            assert stdin is not None
            try:
                stdin.write(json.dumps({"id": number, **job}) + "\n")
                stdin.flush()
            except OSError:
                self._give_up(number)
        return running

    def kill(self) -> None:
        """End the process now, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()

    def _listen(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in stdout:
                self._hear(json.loads(line))
        with self._lock:
            for number in list(self._jobs):
                self._give_up(number)

    def _hear(self, news: Job) -> None:
        running = self._jobs.get(news["id"])
        if running is None:
            return
        if "bytes" in news:
            running.bytes = news["bytes"]
            return
        running.trouble = None if news.get("done") else news
        with self._lock:
            self._jobs.pop(news["id"])
        running.ended.set()

    def _give_up(self, number: int) -> None:
        running = self._jobs.pop(number)
        running.trouble = {"error": "ProcessEnded"}
        running.ended.set()


def environment(network: Network, proxy: str, **more: str) -> dict[str, str]:
    """The variables of a child: what a transfer needs, and nothing else of the worker's. All hosts are behind
    the proxy."""
    found = {"PATH": os.defpath, "LANG": "C.UTF-8"}
    for scheme in ("http", "https", "all"):
        found[f"{scheme}_proxy"] = found[f"{scheme.upper()}_PROXY"] = proxy
    if network.ca_file is not None:
        found["SSL_CERT_FILE"] = network.ca_file
    return found | more


def ended_early() -> Failure:
    """The failure when the process went away by itself."""
    text = (
        "The engine's process ended by itself, perhaps for lack of memory. Give the worker more of it"
        " (spec.podTemplate.resources), or use spec.engine Native."
    )
    return Failure(Reason.INTERNAL_ERROR, text)
