"""What a complete file is: right, and so a result; or wrong, and so fetched once more."""

import logging
import os
from collections.abc import Callable

from modelsync.api.reasons import Reason
from modelsync.worker.checksums import file_digest
from modelsync.worker.checksums.file_digest import Digests
from modelsync.worker.common import contents, volume_errors
from modelsync.worker.common.model import Fetched
from modelsync.worker.engines.native.buffer_pool import Pool
from modelsync.worker.engines.native.file_ranges import Copy
from modelsync.worker.engines.native.partial_file import Part
from modelsync.worker.engines.native.schedule import Schedule
from modelsync.worker.progress.state import State
from modelsync.worker.storage.staging import Staging

_log = logging.getLogger(__name__)


class Verdicts:
    """Judges complete copies, each once. Thread-safe."""

    def __init__(
        self,
        staging: Staging,
        state: State,
        schedule: Schedule,
        pool: Pool,
        finished: Callable[[Part, Copy], None],
    ) -> None:
        """`finished` is called with each right copy before it becomes a result, to have it synced."""
        self._staging, self._state = staging, state
        self._schedule, self._pool, self._finished = schedule, pool, finished

    def advance_by_size(self, part: Part, copy: Copy) -> None:
        """More of a copy is written: without checksums, a complete file is right."""
        with part.lock:
            if not copy.complete or copy.judged or part.copy is not copy:
                return
            copy.judged = True
        if self._content_fits(part, copy):
            self._finish(part, copy, None, "size")

    def judge(self, part: Part, copy: Copy, digests: Digests) -> None:
        """All bytes of a copy are hashed. Raises Failure for a file that is wrong again."""
        if not self._content_fits(part, copy):
            return
        wrong = digests.wrong()
        if wrong is None:
            self._found_right(part, copy, digests.sha256)
            self._finish(part, copy, digests.sha256, digests.verified_by())
            return
        failure = file_digest.damaged(part.file, wrong)
        if part.file.size == 0:
            raise failure  # there is nothing to fetch again
        _log.warning("%s of %r is wrong; it is fetched again", wrong, part.file.path)
        part.restart(copy, failure)
        self.start_over(part, copy)

    def _content_fits(self, part: Part, copy: Copy) -> bool:
        """Whether a complete file can be what its name says; else it is fetched again, as a page may come
        from somebody in between. Raises Failure the second time, and for a pointer at once."""
        head = copy.head
        if head is None:
            with volume_errors.guarded("reading a staging file"):
                head = os.pread(copy.handle.descriptor, contents.HEAD, 0)
        found = contents.problem(part.file.path, copy.size or 0, head, copy.media_type)
        if found is None:
            return True
        part.restart(copy, found)
        if found.reason is Reason.NOT_FOUND:
            raise found
        self.start_over(part, copy)
        return False

    def _found_right(self, part: Part, copy: Copy, sha256: str) -> None:
        journal = self._staging.journal
        if copy.whole:
            size, validator = copy.size or 0, copy.validator
            journal.whole(part.key, generation=copy.generation, size=size, validator=validator, sha256=sha256)
        else:
            journal.verified(part.key, sha256)

    def _finish(self, part: Part, copy: Copy, sha256: str | None, verified_by: str) -> None:
        kind, _, value = (copy.validator or "").partition(":")
        fetched = Fetched(
            file=part.file,
            staged=part.staged.name(copy.generation),
            size=copy.size or 0,
            sha256=sha256,
            verified_by=verified_by,
            etag=value if kind == "etag" else None,
        )
        self._state.add_file()
        self._pool.forget(copy)
        self._finished(part, copy)
        self._schedule.finish(part, fetched)

    def start_over(self, part: Part, copy: Copy) -> None:
        """An outdated copy's memory is free, and its part's ranges are handed out again."""
        self._pool.forget(copy)
        self._state.forfeit(self._staging.journal.forfeit(part.key))
        self._schedule.reopen(part)
