"""Changes of a status: whether there is one, what to write, and how urgent it is.

An equal status stays the same object. That identity is what makes ten thousand waiting ModelSyncs cheap: a
caller that gets the stored object back knows without a comparison that nothing has to be written. An empty
patch is not sent, so an idle cluster has no writes. A transition is what a person or a program waits for and
is written at once; everything else is progress and may wait for its turn.
"""

from typing import Any

from modelsync.api.modelsync_status import ModelSyncStatus

_PROGRESS_FIELDS = frozenset({"progress", "display", "conditions", "queue"})


def updated(status: ModelSyncStatus, **wanted: Any) -> ModelSyncStatus:
    """The status with these fields; the same object when they are equal already."""
    different = {name: value for name, value in wanted.items() if getattr(status, name) != value}
    return status.replace(**different) if different else status


def merge_patch(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The smallest JSON merge patch (RFC 7386) that turns `old` into `new`; lists go whole."""
    patch: dict[str, Any] = {key: None for key in old.keys() - new.keys()}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            inner = merge_patch(before, value)
            if inner:
                patch[key] = inner
        elif before != value or key not in old:
            patch[key] = value
    return patch


def is_transition(old: ModelSyncStatus, new: ModelSyncStatus) -> bool:
    """Whether more than progress changed: phase, a condition, an attempt, a result, the queue's reason."""
    if old is new:
        return False
    fields = ModelSyncStatus.model_fields.keys() - _PROGRESS_FIELDS
    if any(getattr(old, name) != getattr(new, name) for name in fields):
        return True
    return _conditions(old) != _conditions(new) or _queue(old) != _queue(new)


def _conditions(status: ModelSyncStatus) -> set[tuple[str, str, str]]:
    return {(c.type, c.status, c.reason) for c in status.conditions}


def _queue(status: ModelSyncStatus) -> tuple[object, ...]:
    return () if status.queue is None else (status.queue.name, status.queue.reason)
