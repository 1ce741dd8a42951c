"""What an attempt is doing, how far that is, and when it last got on.

Each stage has figures of its own, because a byte from the origin is the measure of the download alone: a
listing brings entries, a check reads what is on the volume, publishing moves files. What counts as progress
of a stage is what its figures count: bytes of a listing that never become an entry are none. The watchdog,
the report to the operator and the log all judge by this one record.
"""

import threading
import time
from collections.abc import Callable

from modelsync.api.protocol import Retrying, StageProgress
from modelsync.api.reasons import Stage
from modelsync.worker.common.retry import Budget, Transient


class Stages:
    """The present stage and its figures. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._stage = Stage.RESOLVING
        self._began = self._advanced = clock()
        self._files: int | None = None
        self._bytes: int | None = None
        self._files_total: int | None = None
        self._bytes_total: int | None = None
        self._retry: tuple[float, float, Retrying] | None = None
        """When it was noted, when the next try is due, and the note."""
        self._asked_until = self._began
        self.asked_seconds = 0.0
        """Time in which an origin wanted no request, no matter which thread waited."""

    @property
    def stage(self) -> Stage:
        """The present stage."""
        return self._stage

    def figures(self) -> StageProgress:
        """How far the stage is; what it does not count is unknown, and nothing exceeds its total."""
        with self._lock:
            return StageProgress(
                files_done=_bounded(self._files, self._files_total),
                files_total=self._files_total,
                bytes_done=_bounded(self._bytes, self._bytes_total),
                bytes_total=self._bytes_total,
            )

    def enter(self, stage: Stage, *, files: int | None = None, size: int | None = None) -> None:
        """Begin a stage of so many files and bytes, where known; nothing when it is the present one."""
        with self._lock:
            if stage is not self._stage:
                self._stage = stage
                self._began = self._clock()
                self._count_of(files, size)

    def restart_count(self, *, files: int | None = None, size: int | None = None) -> None:
        """The next part of the same stage begins, with so many files and bytes: count from zero."""
        with self._lock:
            self._count_of(files, size)

    def advance(self, *, files: int = 0, size: int = 0) -> None:
        """The stage got on, by so many files and bytes."""
        if not (files or size):
            self._advanced = self._clock()  # a single store: no reader can see half of it
            return
        with self._lock:
            self._advanced = self._clock()
            if files:
                self._files = (self._files or 0) + files
            if size:
                self._bytes = (self._bytes or 0) + size

    def retry(self, trouble: Transient, budget: Budget, seconds: float) -> None:
        """A request has failed and is tried again after some seconds."""
        now = self._clock()
        if trouble.asked:
            self.asked_to_wait(seconds)
        elif now < self._asked_until:
            return  # what others wait for is what there is to report
        note = Retrying(
            cause=str(trouble)[:300],
            tries=budget.used,
            most=budget.most + 1,
            next_seconds=seconds,
            asked=trouble.asked,
        )
        self._retry = (now, max(now + seconds, self._asked_until), note)

    def asked_to_wait(self, seconds: float) -> None:
        """An origin wants no request for so long from now on."""
        with self._lock:
            now = self._clock()
            until = max(self._asked_until, now + seconds)
            self.asked_seconds += until - max(self._asked_until, now)
            self._asked_until = until

    @property
    def waits_as_asked(self) -> bool:
        """Whether the origin has asked for a wait that is not over."""
        return self._clock() < self._asked_until

    def retrying(self, idle_seconds: float) -> Retrying | None:
        """The newest retry, if nothing came since, or if its origin's own time is not over: what was on
        its way comes later, too. `idle_seconds` ago something came."""
        noted, now = self._retry, self._clock()
        if noted is None or (idle_seconds < now - noted[0] and now >= self._asked_until):
            return None
        return noted[2].replace(next_seconds=max(0.0, noted[1] - now))

    def lasted_seconds(self) -> float:
        """Seconds since the stage began."""
        return max(0.0, self._clock() - self._began)

    def idle_seconds(self) -> float:
        """Seconds since the stage last got on, or since it began."""
        return max(0.0, self._clock() - self._advanced)

    def _count_of(self, files: int | None, size: int | None) -> None:
        self._advanced = self._clock()
        self._files_total, self._bytes_total = files, size
        self._files = None if files is None else 0
        self._bytes = None if size is None else 0


def _bounded(done: int | None, total: int | None) -> int | None:
    return done if done is None or total is None else min(done, total)
