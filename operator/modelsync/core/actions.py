"""What the planner wants: values that the runtime carries out.

A Plan says what should be, not how: the runtime may find part of it already so, and that is success.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from modelsync.api import modelsync_status as api
from modelsync.api import reasons, syncqueue
from modelsync.core.cluster import snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateJob:
    """Start an attempt. The Job's name follows from sync and attempt, so doing it twice is harmless."""

    sync: snapshot.SyncRecord
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteJob:
    """End an attempt (background propagation; the worker gets SIGTERM) or clear a finished one."""

    job: snapshot.JobRecord
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLimit:
    """Set a running worker's share of the bandwidth."""

    pod: snapshot.PodRecord
    bytes_per_second: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """An Event on a ModelSync: for transitions only, never for progress."""

    sync: snapshot.SyncRecord
    type: Literal["Normal", "Warning"]
    reason: reasons.Reason
    message: str
    key: str
    """What makes two announcements the same one (attempt, generation): the Event's name follows from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The planner's whole answer."""

    creations: tuple[CreateJob, ...] = ()
    deletions: tuple[DeleteJob, ...] = ()
    limits: tuple[SetLimit, ...] = ()
    statuses: Mapping[str, api.ModelSyncStatus] = field(default_factory=dict)
    """Wanted status of every ModelSync, by uid (equal to the present one where nothing changed)."""
    queue_statuses: Mapping[str, syncqueue.SyncQueueStatus] = field(default_factory=dict)
    """Wanted status of every SyncQueue, by name."""
    events: tuple[Announce, ...] = ()
    foreign: tuple[Announce, ...] = ()
    """Events about Jobs and Pods that are not believed: wanted for as long as these are there."""
    workers: Mapping[str, int] = field(default_factory=dict)
    """Workers that run, by namespace."""
    wake_at: datetime | None = None
    """When time alone changes the plan: the next retry, deadline or stall."""
