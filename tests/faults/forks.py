"""Several workers at once on one volume, each a process: a server that forks one for each job of a race.

    python -m tests.faults.forks

Reads a race a line (a JSON list of jobs), answers their exit codes when all have ended. The server has
imported everything and has one thread, so a worker starts within milliseconds, and races are close.
"""

import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict

from modelsync.api import protocol
from modelsync.worker.attempt.process import Attempt, PodInterface
from modelsync.worker.common import retry
from modelsync.worker.http.connector import Network
from modelsync.worker.sources import factory
from modelsync.worker.sources.credentials import Given
from modelsync.worker.storage import journal, mount_info
from tests.faults import operations, servers, steering
from tests.faults.rows import row

LONGEST = 60.0
"""Seconds after which a worker that hangs is killed."""


class Job(TypedDict):
    """One worker."""

    request: str
    volume: str
    delay: float
    """Seconds before it begins."""
    life: float
    """Seconds until it is killed; 0 for as long as it takes."""
    locks: str
    """true; "lie" when all get every lock; "node" when they hold only against the same process."""
    boot: str
    """File with the boot's id; empty for the machine's own."""
    budget: int
    """Bytes after which writing fails with `error`; -1 for never."""
    error: int


def _lying(*_: Any) -> None:
    """Grant every lock to everybody, as some network file systems do."""


def _node_locks() -> Callable[[int, int], None]:
    """Locks that each node keeps for itself: this process is a node."""
    held: dict[int, int] = {}

    def flock(descriptor: int, _operation: int) -> None:
        inode = os.fstat(descriptor).st_ino
        if held.setdefault(inode, descriptor) != descriptor:
            raise BlockingIOError

    return flock


def _work(job: Job) -> None:
    code = 70
    try:
        logging.disable()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, job["life"] + job["delay"] if job["life"] else LONGEST)
        if job["locks"] != "true":
            vars(fcntl)["flock"] = _lying if job["locks"] == "lie" else _node_locks()
            vars(mount_info)["locks_reach_all_nodes"] = lambda mount: job["locks"] == "lie"
        if job["boot"]:
            vars(journal)["_BOOT"] = Path(job["boot"])
        if job["budget"] >= 0:
            full = steering.Fault(name="pwrite", do="full", number=job["error"], budget=job["budget"])
            operations.install(steering.Faults([full]))
        vars(retry)["LONGEST_WAIT"] = 0.1
        time.sleep(job["delay"])
        request = protocol.WorkRequest.model_validate_json(job["request"])
        volume = Path(job["volume"])
        pod = PodInterface(volume=volume, termination_log=volume / f"words-{os.getpid()}", port=0, key="")
        network = Network(timeout_seconds=5, connections=request.tuning.connections)
        stop = threading.Event()
        source = factory.open_source(request.source, Given(where="nowhere"), network, stop=stop)
        with row.short_waits():
            code = Attempt(request, pod, stop).run(source, network)
    finally:
        os._exit(code)


def main() -> None:
    """Serve races until the input ends."""
    servers.say_ready()
    for line in sys.stdin:
        children = []
        for job in json.loads(line):
            child = os.fork()
            if not child:
                _work(job)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(json.dumps(codes), flush=True)


def race(jobs: Sequence[Job]) -> list[int]:
    """Run the workers side by side; exit codes, or negative signals."""
    codes: list[int] = json.loads(servers.kept(__name__).ask(json.dumps(jobs)))
    return codes


if __name__ == "__main__":
    main()
