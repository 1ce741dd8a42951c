"""Bytes, speeds and percentages as values with their text."""

from collections.abc import Iterable

from modelsync.api.common import display
from modelsync.reading.values import Bytes, Rate, Speed


def of(done: int | None, total: int | None, *, estimated: bool = False) -> Bytes:
    """Bytes done of a total, either of which may be unknown; what exceeds the total is not shown."""
    if done is not None and total is not None:
        done = min(done, total)
    about = display.ABOUT if estimated else ""
    percent = _percent(done, total)
    return Bytes(
        done=done,
        total=total,
        percent=percent,
        estimated=estimated and total is not None,
        text=_text(done, total, about),
        percent_text=None if percent is None else f"{about}{percent:.1f}%",
    )


def total(parts: Iterable[Bytes]) -> Bytes:
    """The sum of those whose total is known: a part without one would make the share of the rest wrong."""
    known = [part for part in parts if part.total is not None]
    if not known:
        return Bytes()
    return of(
        sum(part.done or 0 for part in known),
        sum(part.total or 0 for part in known),
        estimated=any(part.estimated for part in known),
    )


def speed(bytes_per_second: int | None) -> Speed | None:
    """A speed; None stays None."""
    if bytes_per_second is None:
        return None
    return Speed(bytes_per_second=bytes_per_second, text=display.speed(bytes_per_second))


def rate(down: int, up: int) -> Rate:
    """What network devices receive and send, in bytes per second."""
    received = Speed(bytes_per_second=down, text=display.speed(down))
    sent = Speed(bytes_per_second=up, text=display.speed(up))
    return Rate(down=received, up=sent, text=f"↓ {received.text}  ↑ {sent.text}")


def _percent(done: int | None, total: int | None) -> float | None:
    """Rounded down to one decimal: all of it is done only when all of it is."""
    if done is None or total is None:
        return None
    return 100.0 if total <= 0 else done * 1000 // total / 10


def _text(done: int | None, total: int | None, about: str) -> str | None:
    if done is None and total is None:
        return None
    if total is None:
        return display.size(done or 0)
    return f"{display.size(done or 0)} / {about}{display.size(total)}"
