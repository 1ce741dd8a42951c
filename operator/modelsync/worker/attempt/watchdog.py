"""The one place that says that an attempt makes no progress, over all of its stages.

`progressDeadlineSeconds` bounds the silence of a stage, and each stage gets on by its own figures (`stages`):
a listing by its entries, a check by the bytes that it reads, a download by the bytes that come, publishing by
its files. Time in which the origin wants no request is no silence, for as long as origins count requests. An
origin that lets an entry drip now and then would hold a listing forever, so a listing is bounded as a whole,
too; one that lets bytes drip is bounded by a lowest speed, where the queue asks for one.

Ending has two steps, because not every wait can be left: a thread in the middle of a listing's body, or in a
system call on a dead file server, hears nothing. First the attempt is asked to end in order (`Overdue`, which
all loops look at); then, after a while, `Context.give_up` is called, which ends the process.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

from modelsync.api.reasons import Reason, Stage
from modelsync.worker.attempt.minimum_rate import Slowness
from modelsync.worker.common.failures import Failure
from modelsync.worker.context import Overdue
from modelsync.worker.progress.state import State

_log = logging.getLogger(__name__)

TICK_SECONDS = 0.25
GRACE_SECONDS = 3.0
"""For an end in order: a journal to write, children to end."""
LISTING_SECONDS = 3600.0
"""A whole listing, or ten deadlines, if that is longer. A million objects are listed in a third of it."""
LISTING_DEADLINES = 10
EXCUSED_SECONDS = 360.0
"""Of a silence, what an origin may ask for: a window of requests (`retry.LONGEST_WAIT`) and its jitter."""
_MISSED_SECONDS = 5.0
"""A look that comes so late could not be taken: the process was frozen, with all that it waits for."""
_WORDS = {
    Stage.RESOLVING: ("The source listed no further file", "Check the origin and the network to it."),
    Stage.CHECKING: ("No byte of the files on the volume could be read", "Check the volume."),
    Stage.DOWNLOADING: ("No byte came", "Check the origin and the network between it and the worker."),
    Stage.VERIFYING: ("No byte of the fetched files could be read", "Check the volume."),
    Stage.PUBLISHING: ("No file could be published", "Check the volume."),
    Stage.DONE: ("The published files could not be closed", "Check the volume."),
}


class Watchdog:
    """Judges by one clock whether the present stage still gets on; see the module."""

    def __init__(self, state: State, deadline_seconds: float, slowness: Slowness | None = None) -> None:
        self._state, self._deadline, self._slowness = state, deadline_seconds, slowness
        self._clock = state.meter.clock
        self._since = self._looked = self._clock()
        """No silence before this counts."""
        self._silent = self._excused = 0.0
        """Seconds of the silence at the last look, and of those in which the origin wanted no request."""

    def look(self) -> Failure | None:
        """The failure of an attempt that makes no progress; call it more often than every 5 seconds."""
        now = self._clock()
        passed, self._looked = now - self._looked, now
        if passed > _MISSED_SECONDS:
            self._since, passed = now, 0.0
        stage = self._state.stage
        if self._silence(now, passed) >= self._deadline:
            what, fix = _WORDS[stage]
            waited = f"for {self._deadline:g} seconds (spec.progressDeadlineSeconds)"
            return Failure(Reason.PROGRESS_DEADLINE_EXCEEDED, f"{what} {waited}. {fix}")
        longest = max(LISTING_SECONDS, LISTING_DEADLINES * self._deadline)
        if stage is Stage.RESOLVING and self._state.stages.lasted_seconds() >= longest:
            text = f"The source was not listed to its end in {longest:g} seconds. Check the origin."
            return Failure(Reason.PROGRESS_DEADLINE_EXCEEDED, text)
        return self._too_slow(passed) if stage is Stage.DOWNLOADING else None

    def _silence(self, now: float, passed: float) -> float:
        """Seconds without progress, beside those that the origin asked for."""
        silent = min(self._state.idle_seconds(), now - self._since)
        if silent < self._silent:
            self._excused = 0.0
        self._silent = silent
        if self._state.stages.waits_as_asked:
            self._excused += passed
        return silent - min(self._excused, EXCUSED_SECONDS, silent)

    def _too_slow(self, passed: float) -> Failure | None:
        slowness, state = self._slowness, self._state
        if slowness is None or not slowness.look(
            passed, state.arrived_bytes, excused=state.stages.waits_as_asked
        ):
            return None
        text = (
            f"Fewer bytes came in {slowness.window_seconds:g} seconds than the SyncQueue asks for (its"
            " minimumRate). Check the origin, the network to it and the volume, or use another queue."
        )
        return Failure(Reason.DOWNLOAD_TOO_SLOW, text)


@contextlib.contextmanager
def watching(
    watchdog: Watchdog,
    overdue: Overdue,
    stop: threading.Event,
    give_up: Callable[[Failure], None],
    *,
    grace_seconds: float = GRACE_SECONDS,
) -> Iterator[None]:
    """Look in a thread of its own until the block ends or is to be stopped anyway.

    `give_up` is called from that thread when the block has not ended although it was asked to.
    """
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(TICK_SECONDS) and not stop.is_set():
            overdue.failure = watchdog.look()
            if overdue.failure is not None:
                if not ended.wait(grace_seconds):
                    _log.error("%s", overdue.failure.message)
                    give_up(overdue.failure)
                return

    thread = threading.Thread(target=look, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
