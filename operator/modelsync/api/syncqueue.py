"""The SyncQueue resource: how many ModelSyncs of a queue may run at once."""

from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from modelsync.api.base import Value
from modelsync.api.conditions import Condition


class SyncQueueSpec(Value):
    """Limits of one queue. Queues live in the operator's namespace; `spec.queue` names them."""

    max_active: Annotated[int, Field(ge=0, le=10_000)] = 1
    """How many ModelSyncs of this queue may download at once. 0 admits none."""
    suspend: bool = False
    """Admits nothing new while true; what runs goes on."""


class QueueDisplay(Value):
    """What a queue does as text for people and for `kubectl get`; not for parsing."""

    running: str | None = None
    """Those that run, such as `team/a, team/b, team/c +2 more`; absent when none runs."""


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
