"""How sizes, percentages, speeds and times are written for people.

One contract for `kubectl get`, the log, the command line and the pages: decimal SI units without a
space; at least 100 as an integer, 10 to 99 with one decimal, below 10 with two of which a trailing zero
is cut; halves round up, never to even. A value that rounds to 1000 is written in the next unit, so no
number has more than three digits before its unit.
"""

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

ABOUT = "~"
"""Stands before a figure that rests on an estimate: `~45.2%`."""
_UNITS = ("B", "KB", "MB", "GB", "TB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def _round(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def _three_digits(value: Decimal) -> str:
    """A value below 1000 by the precision rules."""
    if _round(value, 2) < 10:
        text = str(_round(value, 2))
        return text[:-1] if text.endswith("0") else text
    if _round(value, 1) < 100:
        return str(_round(value, 1))
    return str(_round(value, 0))


def size(count: int) -> str:
    """A number of bytes: `975MB`, `1.2GB`, `99.5MB`, `8.0GB`, `12B`."""
    if count < 1000:
        return f"{count}B"
    value = Decimal(count)
    for unit in _UNITS[1:]:
        value /= 1000
        if _round(value, 0) < 1000:
            return _three_digits(value) + unit
    return f"{_round(value, 0)}{_UNITS[-1]}"


def percent(done: int, total: int) -> str:
    """The done part in per cent with one decimal, half up: `81.3%`; an empty whole is `100.0%`."""
    if total <= 0:
        return "100.0%"
    return f"{_round(Decimal(done) * 100 / Decimal(total), 1)}%"


def amount(done: int, total: int | None, *, about: str = "") -> str:
    """Bytes done of all: `975MB/1.2GB ~ 81.3%`, or `Downloaded 350MB...` while the total is unknown.

    `about` marks a total that is an estimate: `975MB/~1.2GB ~ 81.3%`.
    """
    if total is None:
        return f"Downloaded {size(done)}..."
    return f"{size(done)}/{about}{size(total)} ~ {percent(done, total)}"


def counted(
    files: int | None, files_total: int | None, done: int | None, total: int | None, *, of: str = " of "
) -> str:
    """Figures of a stage: `12 of 40 files, 30.1GB of 100GB`; empty when none is known."""
    parts = []
    if files is not None:
        parts.append(f"{files}" + (" files" if files_total is None else f"{of}{files_total} files"))
    if done is not None:
        parts.append(size(done) + ("" if total is None else f"{of}{size(total)}"))
    return ", ".join(parts)


def log_line(done: int, total: int | None) -> str:
    """The progress line of a worker's log: `Download progress: 975MB/1.2GB ~ 81.3%`."""
    return amount(done, total) if total is None else f"Download progress: {amount(done, total)}"


def speed(bytes_per_second: float) -> str:
    """A transfer rate: `182MB/s`."""
    return f"{size(int(_round(Decimal(bytes_per_second), 0)))}/s"


def duration(seconds: float) -> str:
    """A time, rounded up: `45s`, `3m 20s`, `1h 5m`, `2d 3h`."""
    whole = int(Decimal(seconds).to_integral_value(rounding=ROUND_CEILING))
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE}s"
    minutes = -(-whole // _MINUTE)
    if minutes < _DAY // _MINUTE:
        return f"{minutes // 60}h {minutes % 60}m"
    hours = -(-whole // _HOUR)
    return f"{hours // 24}d {hours % 24}h"


def seconds_left(done: int | None, total: int | None, bytes_per_second: float | None) -> float | None:
    """Time until all bytes are there if the speed holds; None while it is unknown or nothing moves.

    The one place that decides it: for the status, for `modelsync pull` and for its JSON.
    """
    if done is None or total is None or not bytes_per_second:
        return None
    return max(0, total - done) / bytes_per_second
