"""Parts of a row: its source and target, its attempt, its place in the queue."""

from datetime import datetime

from modelsync.api.reasons import Phase
from modelsync.reading import remedies
from modelsync.reading.fields import Fields, seconds_since
from modelsync.reading.values import Attempt, Place

_MOST = 500


def source(spec: Fields, status: Fields) -> str:
    """The source in a word, as the status says it; of one that the operator has not seen, by its spec."""
    shown = status.of("display").text("source", _MOST)
    if shown is not None:
        return shown
    from_ = spec.of("source")
    hub, bucket = from_.of("huggingFace"), from_.of("s3")
    if hub:
        kind = "datasets/" if hub.text("repositoryType") == "Dataset" else ""
        return f"hf://{kind}{hub.text('repository', _MOST) or '?'}@{hub.text('revision', 200) or 'main'}"
    if bucket:
        return f"s3://{bucket.text('bucket', 200) or '?'}/{bucket.text('prefix', _MOST) or ''}"
    files = list(from_.of("http").each("files"))
    if len(files) == 1:  # a query may hold a signature
        return (files[0].text("url", 4096) or "?").partition("?")[0][:_MOST]
    return f"{len(files)} files" if files else "?"


def target(spec: Fields, status: Fields) -> str:
    """The target in a word: `pvc/models:llama`."""
    shown = status.of("display").text("target", _MOST)
    if shown is not None:
        return shown
    claim = spec.of("target", "persistentVolumeClaim")
    path = claim.text("subPath", _MOST)
    return f"pvc/{claim.text('claimName', 253) or '?'}" + (f":{path}" if path else "")


def hint(spec: Fields) -> str | None:
    """What to know of the figures of a download that runs: only the engine Native reports every range."""
    engine = spec.text("engine", 63) or "Native"
    if engine == "Native":
        return None
    return f"The engine {engine} reports its progress in steps, so the figures may stand still for a while."


def attempt(spec: Fields, status: Fields, phase: str | None) -> Attempt | None:
    """The attempt that runs, or that comes next; of a sync that failed, the last one."""
    started = status.count("attempts")
    if not started or phase == Phase.COMPLETE:
        return None
    failures, limit = status.count("failures") or 0, spec.count("backoffLimit")
    most = (5 if limit is None else limit) + 1
    number = max(1, failures) if phase in (Phase.FAILED, Phase.CANCELLED) else failures + 1
    most = max(number, most)
    return Attempt(
        number=number,
        most=most,
        started=started,
        next_time=status.time("nextRetryTime") if phase == Phase.QUEUED else None,
        text=f"attempt {number} of {most}",
    )


def place(spec: Fields, status: Fields, now: datetime) -> Place | None:
    """Where it stands in its queue; None where it does not wait there."""
    queue = status.of("queue")
    reason = queue.text("reason", 63)
    if reason is None:
        return None
    position, since = queue.count("position"), queue.time("since")
    name = queue.text("name", 63) or spec.text("queue", 63) or "default"
    where = f"{_ordinal(position)} in the queue {name}" if position else f"waits in the queue {name}"
    return Place(
        position=position or None,
        reason=reason,
        text=f"{where}: {remedies.meaning_of_wait(reason)}",
        remedy=remedies.of_wait(reason),
        since=since,
        wait_seconds=seconds_since(since, now),
    )


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
