"""A phase and a reason as a badge."""

from modelsync.api.reasons import Phase, Reason
from modelsync.reading.values import Badge, Colour

_ORDINARY = {
    Phase.QUEUED: Badge(word="Queued", icon="◷", colour=Colour.YELLOW),
    Phase.DOWNLOADING: Badge(word="Downloading", icon="↓", colour=Colour.BLUE, active=True),
    Phase.VERIFYING: Badge(word="Verifying", icon="◌", colour=Colour.BLUE, active=True),
    Phase.COMPLETE: Badge(word="Complete", icon="✓", colour=Colour.GREEN),
    Phase.FAILED: Badge(word="Failed", icon="✗", colour=Colour.RED),
    Phase.CANCELLED: Badge(word="Cancelled", icon="⊘", colour=Colour.BLACK),
    Phase.PAUSED: Badge(word="Paused", icon="‖", colour=Colour.GREY),
}
NEW = Badge(word="New", icon="·", colour=Colour.GREY)
STALLED = Badge(word="Stalled", icon="!", colour=Colour.AMBER, active=True)
RETRYING = Badge(word="Retrying", icon="↻", colour=Colour.AMBER)
WAITING = Badge(word="Waiting", icon="◷", colour=Colour.AMBER, active=True)
BLOCKED = Badge(word="Blocked", icon="!", colour=Colour.AMBER)
_RUNNING = frozenset({Phase.DOWNLOADING, Phase.VERIFYING})
_UNFINISHED = _RUNNING | {Phase.QUEUED}
_COURSE = frozenset(
    {
        Reason.QUEUED,
        Reason.STARTING,
        Reason.STOPPING,
        Reason.RESOLVING,
        Reason.CHECKING,
        Reason.DOWNLOADING,
        Reason.VERIFYING,
        Reason.SYNCED,
    }
)
"""Reasons of a sync on its ordinary course."""


_COUNTED: dict[str | None, str] = {
    None: "waiting",
    Phase.QUEUED: "waiting",
    Phase.DOWNLOADING: "active",
    Phase.VERIFYING: "active",
    Phase.PAUSED: "paused",
    Phase.COMPLETE: "complete",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "cancelled",
}
_ATTENTION = (
    STALLED.word,
    Phase.FAILED,
    BLOCKED.word,
    RETRYING.word,
    WAITING.word,
    Phase.DOWNLOADING,
    Phase.VERIFYING,
    Phase.QUEUED,
    NEW.word,
    Phase.PAUSED,
    Phase.CANCELLED,
    Phase.COMPLETE,
)
_ORDER = {str(word): place for place, word in enumerate(_ATTENTION, 1)}
_LAST_POSITION = 10**6 - 1


def counted(phase: str | None) -> str:
    """Which of `values.Counts` a phase is part of."""
    return _COUNTED.get(phase, "other")


def attention(badge: Badge, position: int | None) -> int:
    """Sorts what has this badge and this place in its queue: what needs somebody first. A badge that this
    version does not know comes before all."""
    return _ORDER.get(badge.word, 0) * (_LAST_POSITION + 1) + min(position or _LAST_POSITION, _LAST_POSITION)


def of(phase: str | None, reason: str | None) -> Badge:
    """The badge of a phase, as its reason colours it; a phase of another version is shown by its own word."""
    if phase is None:
        return NEW
    known = next((one for one in Phase if one == phase), None)
    if known is None:
        return Badge(word=phase[:20], icon="?", colour=Colour.GREY)
    return (_troubled(known, reason) if known in _UNFINISHED and reason is not None else None) or _ORDINARY[
        known
    ]


def _troubled(phase: Phase, reason: str) -> Badge | None:
    """The badge of one that does not go its ordinary course; a reason of another version counts as that."""
    if reason == Reason.BACKING_OFF:
        return RETRYING
    if reason == Reason.DOWNLOAD_STALLED:
        return STALLED
    if reason == Reason.RATE_LIMITED and phase in _RUNNING:
        return WAITING
    known = next((one for one in Reason if one == reason), None)
    return None if known is None or known in _COURSE else BLOCKED
