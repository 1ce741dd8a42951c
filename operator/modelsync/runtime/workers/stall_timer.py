"""For how long each worker was seen without progress, by this process and while it looked.

Seconds are added up look by look, each of which may add no more than the time between two looks can be: an
operator that was frozen, or whose machine was, finds the worker as silent as it left it. A new process, or
one that leads again, begins at zero.
"""

from collections.abc import Callable

from modelsync.api import protocol
from modelsync.core.cluster import snapshot

LONGEST_STEP = 40.0
"""More than the longest pause between two looks at a Pod, and its time-out."""


class Silences:
    """Counts silence by Pod uid. Only Pods that were heard of are in it."""

    def __init__(self, note: Callable[[str, snapshot.Silence | None], None]) -> None:
        self._note = note
        self._figures: dict[str, tuple[object, ...]] = {}
        self._seconds: dict[str, float] = {}
        self._looked: dict[str, float] = {}

    def heard(self, uid: str, report: protocol.ProgressReport, now: float) -> None:
        """A Pod has reported; `now` is a monotonic clock's."""
        new = _figures(report)
        if self._figures.get(uid) == new:
            self._longer(uid, now, answers=True)
            return
        self._figures[uid], self._seconds[uid], self._looked[uid] = new, 0.0, now
        self._note(uid, None)

    def missed(self, uid: str, now: float) -> None:
        """A Pod did not answer, or made no sense."""
        if uid in self._figures:
            self._longer(uid, now, answers=False)

    def keep(self, uids: set[str]) -> None:
        """Forget all other Pods: what is not asked is not observed."""
        for uid in self._figures.keys() - uids:
            del self._figures[uid], self._seconds[uid], self._looked[uid]
            self._note(uid, None)

    def _longer(self, uid: str, now: float, *, answers: bool) -> None:
        self._seconds[uid] += min(max(0.0, now - self._looked[uid]), LONGEST_STEP)
        self._looked[uid] = now
        self._note(uid, snapshot.Silence(seconds=self._seconds[uid], answers=answers))


def _figures(report: protocol.ProgressReport) -> tuple[object, ...]:
    """What of a report is progress; a retry or a wait is none."""
    done = report.progress
    return (report.stage, report.stage_progress, done.bytes_done, done.bytes_network, done.files_done)
