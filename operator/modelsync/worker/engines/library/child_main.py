"""The process in which a download library runs; started by its path, it imports nothing of modelsync.

A library that blocks in native code can be ended only with its process, and its threads and buffers count
apart from the worker's. Jobs come in and news go out as lines of JSON on the standard streams, so that no URL
and no token is in an argument or a variable. Files are named relative to the working directory, which is the
attempt's staging directory. The process ends with the worker, however that ends: hf_transfer holds Python's
lock while it fetches, so it is the kernel that sees to it.
"""

import contextlib
import ctypes
import json
import os
import re
import signal
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when the thread that made it ends."""
NEWS_SECONDS = 0.1
"""Shortest time between two counts of a job."""
_STATUS = re.compile(r"\((\d{3}) [A-Z]")
_ERRNO = re.compile(r"os error (\d+)")
_HOST = re.compile(r"https?://([A-Za-z0-9.-]+(?::\d+)?)(?=[/?\s)'\"]|$)")
HEADERS = (
    "X-Error-Code",
    "Date",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Reset-After",
    "X-Rate-Limit-Remaining",
    "X-Rate-Limit-Reset",
)
"""Of an answer, what says why it refuses, and until when (`modelsync.worker.common.retry_after`)."""
_ONCE = threading.Lock()
Job = dict[str, Any]
Report = Callable[[Job], None]


class Later(Exception):
    """The origin wants no request now. The libraries would sleep, however long it asks, and say nothing: the
    worker waits for all of them, shows it, and can be stopped meanwhile."""

    def __init__(self, response: Any) -> None:
        super().__init__(f"HTTP {response.status_code}")
        self.response = response


class Counter:
    """A job's bytes, reported now and then."""

    def __init__(self, report: Report) -> None:
        self._report, self._lock = report, threading.Lock()
        self._bytes, self._reported_at = 0, 0.0

    def add(self, count: int) -> None:
        """Count bytes that were written."""
        with self._lock:
            self._bytes += count
            now = time.monotonic()
            if now - self._reported_at < NEWS_SECONDS:
                return
            self._reported_at = now
        self._report({"bytes": self._bytes})


def transfer(job: Job, report: Report) -> None:
    """Fetch one URL with hf_transfer; the file is given by its descriptor, as no other can be put there."""
    import hf_transfer

    with contextlib.suppress(FileNotFoundError):
        os.unlink(job["name"])
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
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
            callback=Counter(report).add if job["report"] else None,
        )
    finally:
        os.close(descriptor)


class Bar:
    """A progress bar as huggingface_hub takes one (`tqdm_class`), which shows nothing and counts.

    Xet writes nothing before a block of up to 64 MiB is whole, so what has come counts where it is more than
    what is written. It reports bytes that come again once, and headers besides the file's bytes; the count
    never goes back or beyond the file.
    """

    counter: Counter

    def __init__(self, *, total: int | None = None, **_: object) -> None:
        self.total = total
        self._written = self._came = self._shown = 0

    def update(self, count: int) -> None:
        """Bytes were written; fewer than none when they were dropped again."""
        self._written += count
        self._show()

    def update_transfer(self, count: int) -> None:
        """Bytes came over the network; with this method the library opens one bar for both."""
        self._came += count
        self._show()

    def _show(self) -> None:
        known = max(self._written, self._came)
        known = known if self.total is None else min(known, self.total)
        if known > self._shown:
            self.counter.add(known - self._shown)
            self._shown = known

    def set_postfix_str(self, *_: object, **__: object) -> None:
        """Nothing is shown."""

    set_transfer_postfix_str = set_postfix_str
    close = set_postfix_str
    __exit__ = set_postfix_str

    def __enter__(self) -> "Bar":
        return self


def repository(job: Job, report: Report) -> None:
    """Fetch one file of a repository with huggingface_hub, Xet included."""
    # The class of its whole API, which calls the same function, takes 70 ms more to load.
    from huggingface_hub.file_download import hf_hub_download

    _keep_to_itself(job)
    bar: Any = type("CountingBar", (Bar,), {"counter": Counter(report)})
    hf_hub_download(
        job["repository"],
        job["path"],
        repo_type=job["kind"],
        revision=job["commit"],
        endpoint=job["endpoint"],
        token=job["token"] or False,
        library_name="modelsync",
        library_version=job["version"],
        local_dir=job["name"],
        tqdm_class=bar if job["report"] else None,
    )


def _keep_to_itself(job: Job) -> None:
    """Make the library's client trust no address in an answer with the token (the Hub says where to ask for
    a token of Xet, and a host named there would get the user's), and leave waiting to the worker."""
    from huggingface_hub.utils import _http as library
    from huggingface_hub.utils._xet import XetTokenType, xet_connection_info_refresh_url

    route = xet_connection_info_refresh_url(
        token_type=XetTokenType.READ,
        repo_id=job["repository"],
        repo_type=job["kind"],
        revision=job["commit"],
        endpoint=job["endpoint"],
    )

    def asked(request: Any) -> None:
        if _origin(str(request.url)) != _origin(job["endpoint"]):
            request.headers.pop("authorization", None)

    def answered(response: Any) -> None:
        if response.status_code == 429 or (response.status_code == 503 and "Retry-After" in response.headers):
            raise Later(response)
        if "X-Xet-Hash" in response.headers:
            response.headers.pop("Link", None)
            response.headers["X-Xet-Refresh-Route"] = route

    def client() -> Any:
        made = library.default_client_factory()
        hooks = made.event_hooks
        made.event_hooks = {
            "request": [*hooks["request"], asked],
            "response": [*hooks["response"], answered],
        }
        return made

    with _ONCE:  # all jobs of a process are of one repository
        if library._GLOBAL_CLIENT_FACTORY is library.default_client_factory:
            library.set_client_factory(client)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


KINDS: dict[str, Callable[[Job, Report], None]] = {"transfer": transfer, "repository": repository}


def described(error: BaseException) -> Job:
    """What of an error may be reported: its class, numbers and host, never its text, which holds whole
    URLs."""
    text, response = str(error), _response(error)
    status, number, host = _STATUS.search(text), _ERRNO.search(text), _HOST.search(text)
    headers = getattr(response, "headers", {})
    return {
        "error": type(error).__name__,
        "status": getattr(response, "status_code", None) or (int(status[1]) if status else None),
        "errno": getattr(error, "errno", None) or (int(number[1]) if number else None),
        "host": host[1] if host else None,
        "headers": {name: headers[name] for name in HEADERS if name in headers},
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
        def report(news: Job) -> None:
            with writing:
                print(json.dumps({"id": job["id"], **news}), file=out)

        try:
            KINDS[job["job"]](job, report)
            report({"done": True})
        except BaseException as error:
            report(described(error))

    for line in sys.stdin:
        threading.Thread(target=work, args=(json.loads(line),), daemon=True).start()
    os._exit(0)


if __name__ == "__main__":
    main()
