"""Worker processes by the hundred: a server that has imported everything and forks one for each job.

    python -m tests.faults.subject

Says that it is ready, then reads a job a line (JSON) and answers a line when that worker has ended. Each
worker is the whole attempt, with threads, sockets and a volume of its own, and dies by a real signal; only
the second of start-up is saved. The server itself has one thread, so that forking it is sound.
"""

import json
import logging
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from modelsync.api import protocol
from modelsync.worker.attempt.process import Attempt, PodInterface
from modelsync.worker.engines.native import durability
from modelsync.worker.http.connector import Network
from modelsync.worker.storage import journal, mount_info
from tests.faults import operations, servers, steering, workers
from tests.worker.syncs import ListSource


def main() -> None:
    """Serve jobs until the input ends."""
    servers.say_ready()
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            _work(job)
        _, status, used = os.wait4(child, 0)
        answer = {"code": os.waitstatus_to_exitcode(status), "peak_kib": used.ru_maxrss}
        print(json.dumps(answer), flush=True)


def _work(job: dict[str, Any]) -> None:
    """The worker, in a process of its own; never returns."""
    signal.alarm(job["seconds"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = 70
    try:
        if job["log"]:
            logging.basicConfig(filename=job["log"], level=logging.INFO)
        else:
            logging.disable()
        if job["user"]:
            os.setgroups([])
            os.setgid(job["user"])
            os.setuid(job["user"])
        code = _attempt(job)
    finally:
        os._exit(code)


TICK_SECONDS = 0.01
"""Between two syncs: a run of a fraction of a second meets as many as one of minutes does."""


def _attempt(job: dict[str, Any]) -> int:
    faults = [steering.Fault(**each) for each in job["faults"]]
    notes: steering.Recorder | steering.Counting | None = None
    if job["record"]:
        operations.install(notes := steering.Recorder(Path(job["volume"]), Path(job["record"]), faults))
    elif job["count"]:
        operations.install(notes := steering.Counting(Path(job["count"])))
    elif faults:
        operations.install(steering.Faults(faults))
    vars(durability)["TICK_SECONDS"] = TICK_SECONDS
    vars(durability)["JOURNAL_SECONDS"] = 2 * TICK_SECONDS
    if job["boot"]:
        # After a simulated power cut, the kernel that held the page cache is no more.
        vars(journal)["_BOOT"] = Path(job["boot"])
    request = protocol.WorkRequest.model_validate_json(job["request"])
    files = [workers.remote_file(*each) for each in job["files"]]
    vars(mount_info)["reserves"] = lambda mount: True  # the scratch is in memory and stands for a disk
    pod = PodInterface(volume=Path(job["volume"]), termination_log=Path(job["termination"]), port=0, key="")
    network = Network(timeout_seconds=5, connections=request.tuning.connections)
    code = Attempt(request, pod, threading.Event()).run(ListSource(job["url"], files), network)
    if notes is not None:
        notes.save()
    return code


if __name__ == "__main__":
    main()
