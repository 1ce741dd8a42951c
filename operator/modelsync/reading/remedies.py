"""What a person can do about a state, and the command that does it."""

import shlex

from modelsync.api.reasons import QueueReason, Reason
from modelsync.reading import reason_texts
from modelsync.reading.values import Remedy


def of(reason: str | None, phase: str | None, namespace: str, name: str) -> Remedy | None:
    """The remedy of a sync's reason; None where nothing need be done, or no fix is known."""
    text = _TEXTS.get(reason or "")
    if text is None or text == reason_texts.NOTHING:
        return None
    return Remedy(text=text.replace("`", ""), command=_command(reason or "", phase, namespace, name))


def of_wait(reason: str) -> str | None:
    """The remedy of a reason to wait in a queue."""
    found = next((one for one in QueueReason if one == reason), None)
    return None if found is None else reason_texts.QUEUE[found][1].replace("`", "")


def meaning_of_wait(reason: str) -> str:
    """Why a sync waits, as part of a sentence; the word itself where this version does not know it."""
    found = next((one for one in QueueReason if one == reason), None)
    if found is None:
        return reason
    text = reason_texts.QUEUE[found][0].replace("`", "").rstrip(".")
    return text[0].lower() + text[1:]


def command(verb: str, namespace: str, name: str, *more: str) -> str:
    """The plugin's command of a verb, ready to paste."""
    words = ["kubectl", "modelsync", verb, *([name] if name else []), *more, "-n", namespace]
    return shlex.join(words)


def _command(reason: str, phase: str | None, namespace: str, name: str) -> str | None:
    if reason in (Reason.PAUSED, Reason.CANCELLED):
        return command("resume", namespace, name)
    if phase == "Failed" or reason == Reason.BACKING_OFF:
        return command("retry", namespace, name)
    return None


_TEXTS: dict[str, str] = {
    str(reason): fix for group in reason_texts.GROUPS.values() for reason, (_, fix) in group.items()
}
