"""The process in which a download library runs; started by its path, it imports nothing of modelsync.

A library that blocks in native code can be ended only with its process, and its threads and buffers count
apart from the worker's. Jobs come in and news go out as lines of JSON on the standard streams, so that no URL
and no token is in an argument or a variable. Files are named relative to the working directory, which is the
attempt's staging directory. The process ends with the worker, however that ends: hf_transfer holds Python's
lock while it fetches, so it is the kernel that sees to it.
"""

import ctypes
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when the thread that made it ends."""
NEWS_SECONDS = 0.1
"""Shortest time between two counts of a job."""
_STATUS = re.compile(r"\((\d{3}) [A-Z]")
_ERRNO = re.compile(r"os error (\d+)")
_HEADERS = ("Retry-After", "X-Error-Code")
Job = dict[str, Any]
Tell = Callable[[Job], None]


class Counter:
    """A job's bytes, told now and then."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._lock = tell, threading.Lock()
        self._bytes, self._told = 0, 0.0

    def add(self, count: int) -> None:
        """Count bytes that were written."""
        with self._lock:
            self._bytes += count
            now = time.monotonic()
            if now - self._told < NEWS_SECONDS:
                return
            self._told = now
        self._tell({"bytes": self._bytes})


def transfer(job: Job, tell: Tell) -> None:
    """Fetch one URL with hf_transfer; the file is given by its descriptor, as no other can be put there."""
    import hf_transfer

    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(job["name"], flags, 0o666)
    try:
        hf_transfer.download(
            url=job["url"],
            filename=f"/proc/self/fd/{descriptor}",
            max_files=job["connections"],
            chunk_size=job["chunk_bytes"],
            parallel_failures=min(job["connections"], 3) if job["retries"] else 0,
            max_retries=job["retries"],
            headers=job["headers"],
            callback=Counter(tell).add if job["report"] else None,
        )
    finally:
        os.close(descriptor)


def repository(job: Job, _: Tell) -> None:
    """Fetch one file of a repository with huggingface_hub, Xet included."""
    import huggingface_hub

    api = huggingface_hub.HfApi(endpoint=job["endpoint"], token=job["token"] or False)
    api.hf_hub_download(
        job["repository"],
        job["path"],
        repo_type=job["kind"],
        revision=job["commit"],
        local_dir=job["name"],
    )


KINDS: dict[str, Callable[[Job, Tell], None]] = {"transfer": transfer, "repository": repository}


def described(error: BaseException) -> Job:
    """What of an error may be told: its class and numbers, never its text, which holds whole URLs."""
    text, response = str(error), _response(error)
    status, number = _STATUS.search(text), _ERRNO.search(text)
    headers = getattr(response, "headers", {})
    return {
        "error": type(error).__name__,
        "status": getattr(response, "status_code", None) or (int(status[1]) if status else None),
        "errno": getattr(error, "errno", None) or (int(number[1]) if number else None),
        "headers": {name: headers[name] for name in _HEADERS if name in headers},
    }


def _response(error: BaseException | None) -> Any:
    """The HTTP answer behind an error, which huggingface_hub often wraps in another."""
    for _ in range(5):
        found = getattr(error, "response", None)
        if found is not None or error is None:
            return found
        error = error.__cause__ or error.__context__
    return None


def main() -> None:
    """Carry out jobs until the input ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no news
    writing = threading.Lock()

    def work(job: Job) -> None:
        def tell(news: Job) -> None:
            with writing:
                print(json.dumps({"id": job["id"], **news}), file=out)

        try:
            KINDS[job["job"]](job, tell)
            tell({"done": True})
        except BaseException as error:
            tell(described(error))

    for line in sys.stdin:
        threading.Thread(target=work, args=(json.loads(line),), daemon=True).start()
    os._exit(0)


if __name__ == "__main__":
    main()
