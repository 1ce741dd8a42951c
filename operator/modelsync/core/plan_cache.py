"""What was decided of ModelSyncs at which nothing has changed, so that ten thousand waiting ones cost little.

A sync without Jobs, Pods and problems is judged from its record, the settings and the time alone. Records are
immutable and replaced when they change, so the very same record gives the same answer until the time that the
answer itself names. Forgetting all of it changes no decision, only the time of a transition whose status
could not be stored: that is when it was first decided.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from modelsync.api.modelsync_status import ModelSyncStatus, QueueStatus
from modelsync.core.cluster.snapshot import Settings, SyncRecord
from modelsync.core.cluster.sync_view import View
from modelsync.core.queueing.admission import Candidate
from modelsync.core.status.phase_checks import Verdict


@dataclass(slots=True, kw_only=True)
class Judged:
    """A ModelSync on its way through the planner."""

    view: View
    base: ModelSyncStatus
    verdict: Verdict
    candidate: Candidate | None = None
    """What it asks of the queue, if it may start."""
    place: QueueStatus | None = None
    """The place that `status` was made for."""
    writer: str = ""
    """The ModelSync that it says is waited for, which writes to the same target."""
    status: ModelSyncStatus | None = None
    """The wanted status, once it is known."""


class Recall:
    """Remembers the idle ModelSyncs of the last plan."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._idle: Mapping[str, Judged] = {}

    def find(self, sync: SyncRecord, now: datetime, settings: Settings) -> Judged | None:
        """The verdict of the last plan, if it still holds."""
        known = self._idle.get(sync.uid)
        if known is None or known.view.sync is not sync or settings is not self._settings:
            return None
        until = known.verdict.wake_at
        return known if (until is None or now < until) and now >= known.view.now else None

    def keep(self, idle: Mapping[str, Judged], settings: Settings) -> None:
        """Remember this plan's idle ModelSyncs and nothing older."""
        self._idle, self._settings = idle, settings
