"""The SyncQueue resource: how many ModelSyncs of a queue may run at once, and what one of them may take."""

from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from modelsync.api.common import quantity_fields
from modelsync.api.common.base import Value
from modelsync.api.conditions import Condition

MOST_STARTS = 256
"""Namespaces whose last start is stored: some 80 bytes each, in a status that is written at each start."""


class SyncQueueSpec(Value):
    """Limits of one queue. Queues live in the operator's namespace; `spec.queue` names them."""

    max_active: Annotated[int, Field(ge=0, le=10_000)] = 1
    """How many ModelSyncs of this queue may download at once. 0 admits none."""
    suspend: bool = False
    """Admits nothing new while true; what runs goes on."""
    max_active_per_namespace: Annotated[int | None, Field(ge=1, le=10_000)] = None
    """How many of them may be of one namespace; as many as maxActive when absent. Namespaces take turns
    anyway: among equal priority the one that holds the fewest slots is next."""
    max_priority: Annotated[int | None, Field(ge=-1000, le=1000, json_schema_extra={"format": "int32"})] = (
        None
    )
    """A higher spec.priority of a ModelSync counts as this one; no bound when absent."""
    active_deadline_seconds: Annotated[int | None, Field(ge=1, le=31_536_000)] = None
    """Longest time in seconds that one attempt in this queue may run; a ModelSync's own
    activeDeadlineSeconds counts where it is shorter. A change counts for attempts that start after it."""
    minimum_rate: Annotated[
        str | None,
        quantity_fields.AsText,
        quantity_fields.at_least(
            "1k", "must be a quantity of at least 1k bytes per second, such as 100k (m is milli)"
        ),
    ] = None
    """Bytes per second below which a download is ended as DownloadTooSlow, such as `100k`: on average over
    the progressDeadlineSeconds of the ModelSync, at most over ten minutes. The attempt is retried as others
    are, but counts as failed even if it got further. Time that an origin asked to wait (Retry-After,
    RateLimit) does not count, up to ten times as long; under a bandwidthLimit, half of that limit is fast
    enough. A change counts for attempts that start after it."""


class QueueDisplay(Value):
    """What a queue does as text for people and for `kubectl get`; not for parsing."""

    running: str | None = None
    """Those that run, such as `team/a, team/b, team/c +2 more`; absent when none runs."""


class NamespaceStart(Value):
    """When a namespace had its last turn."""

    namespace: str
    """Name of the namespace."""
    time: AwareDatetime
    """When the last attempt of one of its ModelSyncs in this queue started."""


class SyncQueueStatus(Value):
    """What a queue is doing now."""

    observed_generation: int | None = None
    """The metadata.generation that this status was made for."""
    active: int | None = None
    """Workers that hold a slot, also those whose ModelSync is gone and that have not ended yet."""
    waiting: int | None = None
    """ModelSyncs that wait for a slot."""
    complete: int | None = None
    """ModelSyncs of this queue that are Complete."""
    failed: int | None = None
    """ModelSyncs of this queue that are Failed."""
    cancelled: int | None = None
    """ModelSyncs of this queue that are Cancelled."""
    running: Annotated[
        tuple[str, ...],
        Field(max_length=3, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """Up to three names (namespace/name) of those that run; of the Job where the ModelSync is gone."""
    display: QueueDisplay = QueueDisplay()
    """The same as text."""
    oldest_wait_since: AwareDatetime | None = None
    """Since when the longest waiting one waits; absent when none waits."""
    last_starts: Annotated[
        tuple[NamespaceStart, ...],
        Field(
            max_length=MOST_STARTS,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["namespace"],
            },
        ),
    ] = ()
    """The latest turns of the namespaces that use this queue, the latest first: of two that hold equally many
    slots, the one whose turn is longer ago is next."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=8,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = ()
    """Ready says whether the queue admits: not while it is suspended, without slots, or while downloads are
    disabled in the operator."""


class SyncQueue(Value):
    """A queue of ModelSyncs: how many may download at once."""

    api_version: str = ""
    kind: str = ""
    metadata: dict[str, Any] = Field(default_factory=dict)
    spec: SyncQueueSpec = SyncQueueSpec()
    """Limits of the queue."""
    status: SyncQueueStatus = SyncQueueStatus()
    """What the queue is doing; written by the operator."""
