"""An engine around a library: the library brings whole files, the rest is ours.

Child processes fetch into the staging directory; each file is then synced, renamed to `<key>.whole`,
hashed and judged. A later attempt finds the whole files, proves them again and fetches the others from their
beginning: the libraries cannot say which ranges of a file are on the disk.
"""

import collections
import contextlib
import errno
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence

from modelsync.api.protocol import FileProgress
from modelsync.api.reasons import Reason
from modelsync.worker.checksums import file_digest
from modelsync.worker.common import contents, names, unexpected, volume_errors
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.model import Fetched, RemoteFile
from modelsync.worker.common.retry import Budget, Transient
from modelsync.worker.context import Context
from modelsync.worker.engines.library.backends import Backend, Prepared
from modelsync.worker.engines.library.child_progress import Figures, Flight
from modelsync.worker.engines.library.gateway import Gateway
from modelsync.worker.engines.library.subprocess import Child, Job, ended_early
from modelsync.worker.http import range_response
from modelsync.worker.progress.waiting import Patience
from modelsync.worker.storage.staging import Staging, key_of

_log = logging.getLogger(__name__)

WHOLE = ".whole"
"""Suffix of a fetched file in the staging directory."""
SAMPLE_SECONDS = 0.2
_TRIES = 2
"""Times a file may be fetched until its bytes are right."""
_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE, errno.ENFILE}
"""Errors of the child that speak of the volume or the machine and not of the network."""
_OF_THE_LIBRARY = {"ValueError", "TypeError", "KeyError", "IndexError", "AttributeError", "ImportError"}
"""Errors of Python code that the network did not cause: the same call ends the same way."""


class LibraryEngine:
    """Fetches files with a library and verifies them."""

    def __init__(
        self, context: Context, backend: Backend, staging: Staging, files: Sequence[RemoteFile]
    ) -> None:
        self.results: list[Fetched] = []
        self.failure: Failure | None = None
        self.done = threading.Event()
        self._context, self._backend, self._staging = context, backend, staging
        self._state = state = context.state
        self._waiting = collections.deque(files)
        self._count = len(files)
        self._judging = 0
        sizes = [file.size for file in files]
        self._lock = threading.Lock()
        self._halt = threading.Event()
        self._patience = Patience(self._halt, state.stages)
        self._figures = Figures(
            folder=f"/proc/self/fd/{staging.directory.descriptor}",
            counts=backend.counts,
            devices=context.devices,
            state=state,
            total=None if None in sizes else sum(size or 0 for size in sizes),
        )
        self._gateway = Gateway(context.network, self._fail)
        self._children: list[Child] = []
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"library-{number}", daemon=True)
            for number in range(min(backend.at_once, len(files)))
        ]
        self._sampler = threading.Thread(target=self._sample, name="sampler", daemon=True)

    def start(self) -> None:
        """Start the children and the threads that feed them."""
        self._state.watch(self.amounts, self.active, lambda: self._figures.layer)
        if not self._count:
            self.done.set()
            return
        self._gateway.start()
        directory, variables = self._staging.directory.descriptor, self._backend.variables(self._gateway)
        count = min(self._backend.processes, len(self._threads))
        self._children = [Child(directory, variables) for _ in range(count)]
        for thread in (*self._threads, self._sampler):
            thread.start()

    def end(self, timeout: float = 2.0) -> None:
        """Kill the children; whole files stay."""
        self._halt.set()
        for child in self._children:
            child.kill()
        self._gateway.close()
        deadline = time.monotonic() + timeout
        for thread in (*self._threads, self._sampler):
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(OSError):
            self._staging.journal.sync()

    def amounts(self) -> tuple[int, int | None]:
        """Bytes that are there, and of all files, as far as the best layer sees them."""
        return self._figures.amounts()

    def active(self) -> list[FileProgress]:
        """The files on their way."""
        return self._figures.active()

    def fetching(self) -> bool:
        """Whether the library has still files to bring."""
        with self._lock:
            return self._figures.flying or (bool(self._waiting) and not self._judging)

    def stuck(self) -> None:
        """Unknown: the libraries report nothing of what they wait for."""

    def _run(self, number: int) -> None:
        child = self._children[number % len(self._children)]
        try:
            while not self._halt.is_set():
                with self._lock:
                    if not self._waiting:
                        return
                    file = self._waiting.popleft()
                    self._figures.depart(key_of(file), Flight(file=file))
                self._bring(child, file, key_of(file))
        except Interrupted:
            pass
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        failure = unexpected.while_fetching(error)
        if self._halt.is_set():
            return
        self.failure = self.failure or failure
        self._halt.set()
        self.done.set()

    def _bring(self, child: Child, file: RemoteFile, key: str) -> None:
        """One file, until it is whole and right."""
        kept = self._kept(file, key)
        if kept is not None:
            self._finish(kept)
            return
        wrong = ""
        for _ in range(_TRIES):
            prepared = self._fetched(child, file, key)
            size = self._take(file, key, prepared.left_at)
            judged = self._judged(file, key, size, prepared.etag)
            if isinstance(judged, Fetched):
                self._finish(judged)
                return
            wrong = judged
            if file.size == 0:
                break  # there is nothing to fetch again
            _log.warning("%s of %r is wrong; it is fetched again", wrong, file.path)
            self._lose(key, file, size)
        raise file_digest.damaged(file, wrong)

    def _kept(self, file: RemoteFile, key: str) -> Fetched | None:
        """The file as an earlier attempt left it, if it is right."""
        found = self._staging.own(key + WHOLE)
        if found is None:
            self._staging.directory.remove(key + WHOLE)
            return None
        with self._figures.landing(key, found.st_size, brought=False):
            pass
        judged = self._judged(file, key, found.st_size, file.etag)
        if isinstance(judged, Fetched):
            return judged
        self._lose(key, file, found.st_size)
        return None

    def _lose(self, key: str, file: RemoteFile, size: int) -> None:
        """The whole file is wrong."""
        self._staging.directory.remove(key + WHOLE)
        self._figures.again(key, file, lost=size)
        self._state.forfeit(self._staging.journal.forfeit(key))

    def _fetched(self, child: Child, file: RemoteFile, key: str) -> Prepared:
        """Let the library fetch a file, again while what fails may pass."""
        budget = Budget(most=self._context.request.tuning.max_retries)
        while True:
            try:
                prepared = self._prepared(file, key)
                if prepared.job is not None:
                    self._transferred(child, file, key, prepared)
                return prepared
            except range_response.Changed as changed:
                raise changed.failure from changed
            except range_response.Renew as renew:
                raise renew.failure from renew
            except Transient as trouble:
                seconds = self._patience.spend(trouble, budget)
                self._state.add_retry()
                self._figures.again(key, file)
                self._patience.pause(seconds)

    def _prepared(self, file: RemoteFile, key: str) -> Prepared:
        if self._halt.is_set():
            raise Interrupted
        self._patience.keep()
        if file.size == 0:
            return self._empty(key)
        return self._backend.prepare(file, key, self._gateway)

    def _empty(self, key: str) -> Prepared:
        """A file without bytes, of which no range can be asked for."""
        with volume_errors.guarded("opening a staging file"):
            os.close(self._staging.create(f"{key}.partial"))
        return Prepared(job=None, left_at=f"{key}.partial")

    def _transferred(self, child: Child, file: RemoteFile, key: str, prepared: Prepared) -> None:
        running = child.submit(prepared.job or {})
        self._figures.depart(key, Flight(file=file, running=running, growing=prepared.growing))
        running.ended.wait()
        if self._halt.is_set():
            raise Interrupted
        if running.trouble is not None:
            self._raise(file, running.trouble)

    def _raise(self, file: RemoteFile, trouble: Job) -> None:
        """What the child's trouble means; raises Failure, Transient or what `range_response.read` raises."""
        if trouble["error"] == "ProcessEnded":
            raise ended_early()
        if trouble.get("errno") in _OF_THE_DISK:
            raise volume_errors.failure(OSError(trouble["errno"], os.strerror(trouble["errno"])), "fetching")
        status, host = trouble.get("status"), trouble.get("host")
        if status is not None and status not in (200, 206):
            asked = range_response.Asked(
                path=file.path,
                start=0,
                end=None,
                ranged=False,
                size=file.size,
                validator=None,
                origin=f"The host {host}" if host else "The origin",
            )
            range_response.read(status, trouble["headers"], asked)
        if trouble["error"] in _OF_THE_LIBRARY and host is None:
            text = f"{self._backend.name} failed on {names.printable(file.path)} ({trouble['error']})."
            raise Failure(Reason.INTERNAL_ERROR, f"{text} Use spec.engine Native.")
        text = (
            f"{self._backend.name} could not fetch {names.printable(file.path)} ({trouble['error']}). Check"
            f" that {host or 'the origin'} can be reached from the worker's namespace.{self._backend.advice}"
        )
        raise Transient(Failure(Reason.NETWORK_ERROR, text))

    def _take(self, file: RemoteFile, key: str, left_at: str) -> int:
        """Give what the library left its name as a whole file, durably; its size."""
        directory = self._staging.directory
        with volume_errors.guarded(f"taking over {names.printable(file.path)}"):
            descriptor = directory.open_file(left_at)
            try:
                os.fsync(descriptor)
                size = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
            landing = self._figures.landing(key, size, brought=True)
            with directory.parent(left_at) as (folder, name), landing:
                os.rename(name, key + WHOLE, src_dir_fd=folder, dst_dir_fd=directory.descriptor)
        return size

    def _judged(self, file: RemoteFile, key: str, size: int, etag: str | None) -> Fetched | str:
        """The whole file as a result, or what of it is wrong."""
        if file.size is not None and size != file.size:
            return "size"
        self._check_content(file, key, size)
        sha256, verified_by = None, "size"
        if self._context.verifies_checksums:
            started = time.thread_time()
            with volume_errors.guarded("reading a staging file"), self._busy_judging():
                digests = self._digests(file, key, size)
            self._state.add_verification(time.thread_time() - started)
            wrong = digests.wrong() if digests.offset == size else "size"
            if wrong is not None:
                return wrong
            sha256, verified_by = digests.sha256, digests.verified_by()
            self._staging.journal.verified(key, sha256)
        return Fetched(
            file=file, staged=key + WHOLE, size=size, sha256=sha256, verified_by=verified_by, etag=etag
        )

    def _check_content(self, file: RemoteFile, key: str, size: int) -> None:
        """Raise a Failure, and forget the bytes, when a whole file cannot be what its name says."""
        with volume_errors.guarded("reading a staging file"):
            descriptor = self._staging.directory.open_file(key + WHOLE)
            try:
                head = os.pread(descriptor, contents.HEAD, 0)
            finally:
                os.close(descriptor)
        found = contents.problem(file.path, size, head)
        if found is not None:
            self._lose(key, file, size)
            raise found

    @contextlib.contextmanager
    def _busy_judging(self) -> Iterator[None]:
        """While all who could fetch are hashing, no byte is due."""
        with self._lock:
            self._judging += 1
        try:
            yield
        finally:
            with self._lock:
                self._judging -= 1

    def _digests(self, file: RemoteFile, key: str, size: int) -> file_digest.Digests:
        descriptor = self._staging.directory.open_file(key + WHOLE)
        try:
            return file_digest.digest_file(
                descriptor, file.digests, size, lambda count: self._state.hashed(count)
            )
        finally:
            os.close(descriptor)

    def _finish(self, fetched: Fetched) -> None:
        self._state.add_file()
        with self._lock:
            self.results.append(fetched)
            if len(self.results) == self._count:
                self.done.set()

    def _sample(self) -> None:
        while not self._halt.wait(SAMPLE_SECONDS) and not self.done.is_set():
            self._figures.sample()
