"""Acts through the REST API: what `reading.acts` says, done at most once.

A request may be repeated by a client that lost its answer. So where the object already says what the act
wants, nothing is written, and a retry that nobody has acted on yet is not asked for again.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from modelsync.api import naming
from modelsync.api.reasons import TERMINAL_PHASES, Phase
from modelsync.reading import acts

Object = dict[str, Any]


class Act(StrEnum):
    """Acts without a value."""

    START = "start"
    """Let run what is registered with spec.suspend, paused or cancelled; a Failed one is tried again."""
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    """Another attempt of one that failed, waits for its retry or is cancelled; a check of a Complete one."""


def change(act: Act, sync: Object, now: datetime, request: str | None = None) -> Object | None:
    """The merge patch, or None where nothing has to change; raises acts.NotPossible.

    `request` is the caller's own value for the annotation that asks for an attempt: one that was used before
    asks for nothing.
    """
    if act is Act.START:
        return _start(sync, now, request)
    verb = acts.Act(act)
    cancelled = (sync.get("spec") or {}).get("cancel") is True
    wanted = _named(acts.change(verb, cancelled, now), request)
    if _says(sync, wanted) or (act is Act.RETRY and not cancelled and _is_asked_for(sync)):
        return None
    acts.patch(verb, sync, now)
    return wanted


def with_value(act: acts.Act, sync: Object, now: datetime, value: str) -> Object | None:
    """The same for priority and limit."""
    wanted = acts.change(act, False, now, value)
    if _says(sync, wanted):
        return None
    return acts.patch(act, sync, now, value)


def is_finished(sync: Object) -> bool:
    """Whether it is Complete, Failed or Cancelled, and nothing newer is asked of it."""
    status = sync.get("status") or {}
    seen = status.get("observedGeneration") == (sync.get("metadata") or {}).get("generation")
    return status.get("phase") in TERMINAL_PHASES and seen and not _is_pending(sync)


def _start(sync: Object, now: datetime, request: str | None) -> Object | None:
    spec = sync.get("spec") or {}
    stopped = spec.get("suspend") is True or spec.get("cancel") is True
    wanted: Object = {"spec": {"suspend": False, "cancel": False}} if stopped else {}
    if (sync.get("status") or {}).get("phase") == Phase.FAILED and not _is_pending(sync):
        wanted |= _named(acts.change(acts.Act.RETRY, False, now), request)
    return None if not wanted or _says(sync, wanted) else wanted


def _named(patch: Object, request: str | None) -> Object:
    """The patch with the caller's own value for the request of an attempt."""
    if request is None or "metadata" not in patch:
        return patch
    return {"metadata": {"annotations": {naming.RETRY_ANNOTATION: request}}}


def _is_asked_for(sync: Object) -> bool:
    """Whether an attempt comes anyway: one was asked for, or the cancelling was taken back."""
    return _is_pending(sync) or (sync.get("status") or {}).get("phase") == Phase.CANCELLED


def _is_pending(sync: Object) -> bool:
    """Whether an attempt was asked for that the operator has not acted on."""
    annotations = (sync.get("metadata") or {}).get("annotations") or {}
    asked = annotations.get(naming.RETRY_ANNOTATION)
    return asked is not None and asked != (sync.get("status") or {}).get("lastHandledRetry")


_DEFAULTS = {"priority": 0, "suspend": False, "cancel": False}


def _says(thing: Any, patch: Mapping[str, Any]) -> bool:
    """Whether the object has every value of the patch."""
    found = thing if isinstance(thing, Mapping) else {}
    return all(
        _says(found.get(key), value)
        if isinstance(value, Mapping)
        else found.get(key, _DEFAULTS.get(key)) == value
        for key, value in patch.items()
    )
