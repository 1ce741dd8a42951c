"""One ModelSync, as the API server returns it, as a row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from modelsync.api.reasons import ACTIVE_PHASES, TERMINAL_PHASES, ConditionType, Phase, Reason
from modelsync.reading import acts, amounts, badges, details, forecast, remedies, transfer_speed
from modelsync.reading.fields import Fields, seconds_since
from modelsync.reading.forecast import Forecasts
from modelsync.reading.values import Bytes, Eta, FileBar, Files, Rate, Remedy, Row

MOST_BARS = 8


def key(namespace: str, name: str) -> str:
    """What forecasts and histories of a sync are kept under."""
    return f"sync/{namespace}/{name}"


def read(sync: Mapping[str, Any], now: datetime, memory: Forecasts | None = None) -> Row:
    """The row of a ModelSync; never raises, whatever the object holds."""
    sync_ = Fields(sync)
    meta, spec, status = sync_.of("metadata"), sync_.of("spec"), sync_.of("status")
    namespace, name = meta.text("namespace", 63) or "", meta.text("name", 253) or ""
    phase = status.text("phase", 63)
    condition = _ready(status)
    stated = condition.text("reason", 63)
    badge, progress = badges.of(phase, stated), status.of("progress")
    reason = (status.of("lastFailure").text("reason", 63) if stated == Reason.BACKING_OFF else None) or stated
    figures, shown = _figures(status, phase, now), _bytes(status, phase)
    comes = transfer_speed.is_present(phase, stated, progress.text("stage"), figures)
    pace = progress.count("bytesPerSecond") if comes else None
    fetches = comes and badge.word == Phase.DOWNLOADING
    finished = phase in TERMINAL_PHASES
    place = None if finished else details.place(spec, status, now)
    return Row(
        namespace=namespace,
        name=name,
        uid=meta.text("uid", 63),
        group=spec.text("group", 63),
        queue=spec.text("queue", 63) or "default",
        phase=phase,
        badge=badge,
        reason=reason,
        message=condition.text("message"),
        remedy=_remedy(reason, stated, phase, namespace, name),
        since=condition.time("lastTransitionTime"),
        bytes=shown,
        files=_files(status, phase),
        file_bars=_bars(status) if phase in ACTIVE_PHASES else (),
        stage=status.of("display").text("stage", 300) if phase in ACTIVE_PHASES else None,
        speed=amounts.speed(pace),
        network=_network(status) if comes else None,
        eta=_eta(memory, key(namespace, name), now, shown, pace, fetches),
        place=place,
        attempt=details.attempt(spec, status, phase),
        bytes_network=progress.count("bytesNetwork"),
        bytes_reused=progress.count("bytesReused"),
        source=details.source(spec, status),
        target=details.target(spec, status),
        priority=spec.number("priority") or 0,
        bandwidth_limit=spec.quantity("bandwidthLimit"),
        engine=spec.text("engine", 63),
        revision=status.of("resolved").text("revision", 128),
        node=status.of("worker").text("nodeName", 253),
        pod=status.of("worker").text("podName", 253),
        created=meta.time("creationTimestamp"),
        age_seconds=seconds_since(meta.time("creationTimestamp"), now),
        started=status.time("startTime"),
        completed=status.time("completionTime"),
        duration_seconds=_duration(status, condition, now, finished=finished),
        figures_time=progress.time("observedTime") if phase in ACTIVE_PHASES else None,
        figures_age_seconds=figures,
        finished=finished,
        acts=tuple(map(str, acts.possible(sync))),
        counted=badges.counted(phase),
        attention=badges.attention(badge, None if place is None else place.position),
        hint=details.hint(spec) if badge.word == Phase.DOWNLOADING else None,
    )


def _ready(status: Fields) -> Fields:
    """The condition Ready; empty where there is none."""
    ready = (one for one in status.each("conditions", 50) if one.text("type") == ConditionType.READY)
    return next(ready, Fields(None))


def _duration(status: Fields, condition: Fields, now: datetime, *, finished: bool) -> int | None:
    """Seconds from the first start to the end, or until now."""
    started, completed = status.time("startTime"), status.time("completionTime")
    end = (completed or condition.time("lastTransitionTime")) if finished else now
    return None if started is None or end is None else seconds_since(started, end)


def _remedy(reason: str | None, stated: str | None, phase: str | None, *name: str) -> Remedy | None:
    """Of what failed; while the sync goes on by itself, of what holds it up."""
    found = remedies.of(reason, phase, *name)
    if found is None or stated != Reason.BACKING_OFF:
        return found
    return found.replace(command=remedies.command("retry", *name))


def _figures(status: Fields, phase: str | None, now: datetime) -> int | None:
    """How old the figures of a running worker are."""
    if phase not in ACTIVE_PHASES:
        return None
    return seconds_since(status.of("progress").time("observedTime"), now)


def _bytes(status: Fields, phase: str | None) -> Bytes:
    progress = status.of("progress")
    done, total = progress.count("bytesDone"), progress.count("bytesTotal")
    if done is None and total is not None:
        done = total if phase == Phase.COMPLETE else 0
    return amounts.of(done, total, estimated=progress.flag("estimated"))


def _network(status: Fields) -> Rate | None:
    network = status.of("progress", "network")
    down, up = network.count("receiveBytesPerSecond"), network.count("transmitBytesPerSecond")
    return None if down is None or up is None else amounts.rate(down, up)


def _eta(
    memory: Forecasts | None, key: str, now: datetime, shown: Bytes, pace: int | None, fetches: bool
) -> Eta | None:
    remaining = None if not fetches or shown.total is None else shown.total - (shown.done or 0)
    return forecast.eta(memory, key, now, remaining=remaining, speed=pace)


def _files(status: Fields, phase: str | None) -> Files:
    progress = status.of("progress")
    done, total = progress.count("filesDone"), progress.count("filesTotal")
    if done is not None and total is not None:
        done = min(done, total)
    current = progress.text("currentFile", 500) if phase in ACTIVE_PHASES else None
    text = None if total is None else f"{done or 0}/{total}"
    return Files(done=done, total=total, current=current, text=text)


def _bars(status: Fields) -> tuple[FileBar, ...]:
    found = []
    for one in status.of("progress").each("activeFiles", MOST_BARS):
        path = one.text("path", 500)
        if path is not None:
            found.append(
                FileBar(path=path, bytes=amounts.of(one.count("bytesDone"), one.count("bytesTotal")))
            )
    return tuple(found)
