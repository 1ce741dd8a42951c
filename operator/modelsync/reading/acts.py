"""What can be done to a ModelSync: each act is a change of the object, and nothing else.

So `kubectl`, the plugin, the REST API and the page cannot disagree: they write the same fields, and who may
do it is the API server's decision.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from modelsync.api import naming
from modelsync.api.common import quantity
from modelsync.api.reasons import Phase, Reason
from modelsync.reading import remedies
from modelsync.reading.fields import Fields
from modelsync.reading.values import ActWords

LEAST_PRIORITY, MOST_PRIORITY = -1000, 1000
UNLIMITED = "none"
"""What lifts a limit."""


class Act(StrEnum):
    """A verb of every door."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    PRIORITY = "priority"
    LIMIT = "limit"


class NotPossible(ValueError):
    """The act makes no sense for this ModelSync, or its value is wrong; the message says why."""


def possible(sync: Mapping[str, Any]) -> tuple[Act, ...]:
    """What makes sense now."""
    return tuple(act for act in Act if _obstacle(act, Fields(sync)) is None)


def patch(act: Act, sync: Mapping[str, Any], now: datetime, value: str | None = None) -> dict[str, Any]:
    """The merge patch that does it; doing it twice is doing it once, but for a retry. Raises NotPossible.

    `value` is the priority, or the limit in bytes per second (`50M`; `none` lifts it).
    """
    obstacle = _obstacle(act, Fields(sync))
    if obstacle is not None:
        raise NotPossible(obstacle)
    return change(act, Fields(sync).of("spec").flag("cancel"), now, value)


def change(act: Act, cancelled: bool, now: datetime, value: str | None = None) -> dict[str, Any]:
    """The merge patch of an act; `cancelled` says whether spec.cancel is true."""
    match act:
        case Act.PAUSE:
            return {"spec": {"suspend": True}}
        case Act.RESUME:
            return {"spec": {"suspend": False, "cancel": False}}
        case Act.CANCEL:
            return {"spec": {"cancel": True}}
        case Act.PRIORITY:
            return {"spec": {"priority": _priority(value)}}
        case Act.LIMIT:
            return {"spec": {"bandwidthLimit": _limit(value)}}
        case Act.RETRY if cancelled:
            return {"spec": {"cancel": False}}
        case Act.RETRY:
            return {"metadata": {"annotations": {naming.RETRY_ANNOTATION: f"{now:%Y-%m-%dT%H:%M:%S.%fZ}"}}}


def words() -> tuple[ActWords, ...]:
    """Each act in words, with the command that does the same."""
    return tuple(
        ActWords(act=act, label=label, done=done, command=remedies.command(verb, "NAMESPACE", "NAME", *value))
        for act, (verb, label, done, *value) in _WORDS.items()
    )


_WORDS: dict[Act, tuple[str, ...]] = {
    Act.PAUSE: ("pause", "Pause", "paused"),
    Act.RESUME: ("resume", "Resume", "resumed"),
    Act.RETRY: ("retry", "Retry", "retried"),
    Act.CANCEL: ("cancel", "Cancel", "cancelled"),
    Act.PRIORITY: ("prioritize", "Priority", "prioritized", "VALUE"),
    Act.LIMIT: ("limit", "Limit", "limited", "VALUE"),
}
"""The plugin's verb, the label of a button, the participle, and whether there is a value."""


def _priority(value: str | None) -> int:
    try:
        number = int(value or "")
    except ValueError:
        number = MOST_PRIORITY + 1
    if not LEAST_PRIORITY <= number <= MOST_PRIORITY:
        raise NotPossible(
            f"priority: {value!r} must be a whole number from {LEAST_PRIORITY} to {MOST_PRIORITY}"
        )
    return number


def _limit(value: str | None) -> str | None:
    if value == UNLIMITED:
        return None
    try:
        quantity.parse_rate(value or "")
    except ValueError as error:
        raise NotPossible(f"limit: {value!r} {error}; {UNLIMITED!r} lifts the limit") from None
    return value


def _obstacle(act: Act, sync: Fields) -> str | None:
    """Why an act makes no sense; None where it does. What this version does not understand is left to the
    API server."""
    spec, status = sync.of("spec"), sync.of("status")
    phase = status.text("phase")
    paused, cancelled = spec.flag("suspend"), spec.flag("cancel")
    over = phase in (Phase.COMPLETE, Phase.FAILED)
    match act:
        case Act.PAUSE if paused:
            return "it is paused already"
        case Act.RESUME if not paused and not cancelled:
            return "it is neither paused nor cancelled"
        case Act.CANCEL if cancelled:
            return "it is cancelled already"
        case Act.PAUSE | Act.CANCEL if over or cancelled:
            return f"it is {phase or 'cancelled'} already, so nothing runs"
        case Act.RETRY if not (over or cancelled or _backs_off(status)):
            return "nothing failed: one that is Failed, Complete, Cancelled or waits for a retry takes one"
        case Act.PRIORITY | Act.LIMIT if over:
            return f"it is {phase}, so nothing would change; a retry comes first"
        case Act.LIMIT if (spec.text("engine") or "Native") != "Native":
            return "only the engine Native keeps a limit, and spec.engine is another"
    return None


def _backs_off(status: Fields) -> bool:
    """Whether an attempt failed and another one follows, which a retry starts at once."""
    ready = [one.text("reason") for one in status.each("conditions", 50) if one.text("type") == "Ready"]
    return Reason.BACKING_OFF in ready or status.time("nextRetryTime") is not None
