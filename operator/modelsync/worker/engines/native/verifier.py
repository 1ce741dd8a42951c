"""Threads that follow the writers and judge each file when its last byte is hashed."""

import collections
import threading
import time
from collections.abc import Callable

from modelsync.worker.checksums.file_digest import BLOCK, Digests
from modelsync.worker.common import volume_errors
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.engines.native.buffer_pool import HASHERS, Pool
from modelsync.worker.engines.native.file_ranges import Copy
from modelsync.worker.engines.native.partial_file import Part
from modelsync.worker.progress.state import State


class Verifier:
    """Hashes parts behind their writers, and reports each complete one once, to be judged."""

    def __init__(
        self,
        *,
        pool: Pool,
        judge: Callable[[Part, Copy, Digests], None],
        failed: Callable[[BaseException], None],
        state: State,
    ) -> None:
        self._pool = pool
        self._judge = judge
        self._failed = failed
        self._state = state
        self._queue: collections.deque[tuple[Part, Copy]] = collections.deque()
        self._change = threading.Condition()
        self._ended = False
        self._at_work = 0
        self._threads = [
            threading.Thread(target=self._run, name=f"hash-{number}", daemon=True)
            for number in range(HASHERS)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def end(self, timeout: float) -> None:
        """Stop after the block at hand."""
        with self._change:
            self._ended = True
            self._change.notify_all()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def at_work(self) -> int:
        """How many copies the threads hash or will."""
        with self._change:
            return self._at_work + len(self._queue)

    def advance(self, part: Part, copy: Copy) -> None:
        """More of a copy may be ready to be hashed, or to be judged."""
        with part.lock:
            if copy.scheduled or copy.judged:
                return
            small = copy.size is not None and copy.size <= BLOCK
            if small and not copy.complete:
                return  # its last connection will hash it, for which a hand over would cost more
            if copy.ready.prefix_end() <= copy.hashed and not copy.complete:
                return
            copy.scheduled = True
        if small:
            self._hash(part, copy)
            return
        with self._change:
            self._queue.append((part, copy))
            self._change.notify()

    def _hash(self, part: Part, copy: Copy) -> None:
        started = time.thread_time()
        self._follow(part, copy)
        self._state.add_verification(time.thread_time() - started)

    def _run(self) -> None:
        try:
            while (work := self._take()) is not None:
                self._hash(*work)
                with self._change:
                    self._at_work -= 1
        except Interrupted:
            pass
        except BaseException as error:
            self._failed(error)

    def _take(self) -> tuple[Part, Copy] | None:
        with self._change:
            while not self._queue and not self._ended:
                self._change.wait()
            if self._ended:
                return None
            self._at_work += 1
            return self._queue.popleft()

    def _follow(self, part: Part, copy: Copy) -> None:
        """Hash up to the end of what is ready in order; judge the copy when that is all of it."""
        digests = copy.digests = copy.digests or Digests(part.file.digests, copy.size or 0)
        if copy.whole:  # hashed from memory already: the pool holds nothing of it
            with part.lock:
                copy.judged = copy.complete
                copy.scheduled = False
        else:
            self._hash_ready(part, copy, digests)
        if copy.judged and part.copy is copy:
            self._judge(part, copy, digests)

    def _hash_ready(self, part: Part, copy: Copy, digests: Digests) -> None:
        self._pool.follow(copy)
        try:
            while part.copy is copy and not self._ended:
                with part.lock:
                    end = copy.ready.prefix_end()
                    if end <= digests.offset:
                        copy.scheduled = False
                        copy.judged = copy.complete
                        break
                before = digests.offset
                if not self._kept(copy, digests):
                    self._read_back(copy, digests, end)
                self._state.hashed(digests.offset - before)
        finally:
            self._pool.leave(copy)

    def _read_back(self, copy: Copy, digests: Digests, end: int) -> None:
        with volume_errors.guarded("reading a staging file"):
            fed = digests.feed(copy.handle.descriptor, end)
        if not fed:
            raise Failure(*_SHRUNK)
        self._pool.forget(copy, before=digests.offset)

    def _kept(self, copy: Copy, digests: Digests) -> bool:
        """Hash what a writer left, if that comes next."""
        found = self._pool.take_kept(copy, digests.offset)
        if found is None:
            return False
        block, data = found
        try:
            digests.update(data)
        finally:
            self._pool.release_hashed(block)
        return True


_SHRUNK = (
    volume_errors.failure(OSError(5, "the file became shorter"), "reading a staging file").reason,
    "A staging file on the volume became shorter while it was written. Does another program write there?",
)
