"""A worker in a process of its own, for tests that kill it.

Its source is a list of files in a file, so that nothing but the engine is under test.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelsync.api import protocol
from modelsync.worker.attempt.process import Attempt, PodInterface
from modelsync.worker.common.model import Digest, RemoteFile
from modelsync.worker.http.connector import Network
from tests.worker.syncs import ListSource


def main() -> None:
    request_file, listing_file, volume, termination, port, key = sys.argv[1:]
    request = protocol.WorkRequest.model_validate_json(Path(request_file).read_bytes())
    listing = json.loads(Path(listing_file).read_bytes())
    files = [
        RemoteFile(
            path=path,
            size=size,
            digests=(Digest(algorithm="sha256", value=digest),) if digest else (),
            locator=path,
        )
        for path, size, digest in listing["files"]
    ]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    pod = PodInterface(volume=Path(volume), termination_log=Path(termination), port=int(port), key=key)
    network = Network(timeout_seconds=5, connections=request.tuning.connections)
    attempt = Attempt(request, pod, stop)
    if "HANGS" in os.environ:
        hang(attempt, *os.environ["HANGS"].split(":"))
    os._exit(attempt.run(ListSource(listing["url"], files), network))


def hang(attempt: Attempt, call: str, stage: str) -> None:
    """Let a call of the operating system never return in a stage, as on a dead file server."""
    real: Callable[..., Any] = getattr(os, call)
    read_end, _ = os.pipe()

    def held(*args: Any, **named: Any) -> Any:
        if attempt.state.stage == stage:
            os.read(read_end, 1)
        return real(*args, **named)

    setattr(os, call, held)


if __name__ == "__main__":
    main()
