"""Every way in which origins say "later": how many seconds an answer asks to wait.

Retry-After is one of many. The Hub sends the fields of an IETF draft (draft-ietf-httpapi-ratelimit-headers),
whose form changed three times and is in use in all of them; others send X-RateLimit-Reset, by the clock or
from now on. (S3 names no time: its code SlowDown is all it says, see `sources.s3.codes`.)
"""

import datetime
import re
from collections.abc import Mapping, Sequence

from modelsync.api.common import backoff

HEADERS = (
    "Date",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Reset-After",
    "X-Rate-Limit-Remaining",
    "X-Rate-Limit-Reset",
)
"""All headers that are read here."""
_PAIRS = (
    ("RateLimit-Remaining", "RateLimit-Reset"),
    ("X-RateLimit-Remaining", "X-RateLimit-Reset-After"),
    ("X-RateLimit-Remaining", "X-RateLimit-Reset"),
    ("X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"),
)
"""Quotas in two headers each: what is left, and when all of it is there again."""
_ITEMS = re.compile(r'(?:"[^"]*"|[^",])+')
_PARAMETER = re.compile(r"(?:^|[;,\s])(r|remaining|t|reset|w)\s*=\s*([0-9]{1,18})(?![0-9.])")
_SHORT = {"remaining": "r", "reset": "t"}
"""Names of older drafts."""
_NAME = re.compile(r'"([^"]*)"')
_NUMBER = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*(?:;.*)?")
_LEAST_EPOCH, _LEAST_MILLISECONDS = 1e9, 1e11
"""Numbers from which on a time is no delay (30 years) but seconds, or milliseconds, since 1970."""

Quota = tuple[bool | None, float | None]
"""Whether nothing is left of it, None if unknown; and the seconds until it is whole again."""


def seconds(status: int, headers: Mapping[str, str], *, now: float, longest: float) -> float | None:
    """Seconds from 0 to `longest` that an answer asks to wait; None where it names no time.

    `now` is in seconds since the epoch; the answer's own Date stands before it, since two clocks differ. A
    quota counts when nothing is left of it, and on a 429 also where it is unknown: most origins send
    theirs with every answer.
    """
    if status not in (403, 429) and status < 500:
        return None
    at = _moment(headers.get("Date", ""))
    now = now if at is None else at
    asked = backoff.retry_after(headers.get("Retry-After"), now=now, longest=longest)
    if asked:
        return asked
    resets = [
        reset
        for spent, reset in _quotas(headers, now)
        if reset is not None and (spent or (spent is None and status == 429))
    ]
    return min(max(resets), longest) if resets else asked


def _quotas(headers: Mapping[str, str], now: float) -> Sequence[Quota]:
    """The quotas of an answer; of a policy alone its shortest window, when there is more, most likely."""
    found = _fields(headers.get("RateLimit", ""), _windows(headers.get("RateLimit-Policy", "")))
    for remaining, reset in _PAIRS:
        left, until = _NUMBER.fullmatch(headers.get(remaining, "").strip()), headers.get(reset)
        if until is not None:
            found.append((None if left is None else float(left[1]) == 0, _delay(until.strip(), now)))
    windows = _windows(headers.get("RateLimit-Policy", "")).values()
    return found or ([(None, min(windows))] if windows else [])


def _fields(text: str, windows: Mapping[str, float]) -> list[Quota]:
    """The header RateLimit: a list such as `"api";r=0;t=55`, or as in older drafts
    `limit=100, remaining=0, reset=55`."""
    old = "remaining" in text or "reset" in text
    items = [text] if old else _ITEMS.findall(text)
    found: list[Quota] = []
    for item in items:
        values = {_SHORT.get(name, name): float(number) for name, number in _PARAMETER.findall(item)}
        if not values:
            continue
        names = _NAME.findall(item)
        window = windows.get(names[-1] if names else "", min(windows.values(), default=None))
        found.append((values["r"] == 0 if "r" in values else None, values.get("t", window)))
    return found


def _windows(text: str) -> dict[str, float]:
    """The windows of the header RateLimit-Policy by name: `"api";q=500;w=300`, on the Hub with `"fixed
    window"` before it, or in older drafts `500;w=300`."""
    found = {}
    for item in _ITEMS.findall(text):
        values = {name: float(number) for name, number in _PARAMETER.findall(item)}
        names = _NAME.findall(item)
        if "w" in values:
            found[names[-1] if names else item.strip()] = values["w"]
    return found


def _delay(text: str, now: float) -> float | None:
    """A reset: seconds from now on, or a time in seconds or milliseconds since the epoch or as a date."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        at = _moment(text)
        return None if at is None else max(0.0, at - now)
    number = float(found[1])
    if number >= _LEAST_MILLISECONDS:
        number /= 1000
    return max(0.0, number - now) if number >= _LEAST_EPOCH else number


def _moment(text: str) -> float | None:
    """A date of HTTP or ISO 8601 in seconds since the epoch."""
    passed = backoff.retry_after(text, now=0.0, longest=1e12) if text and not text[0].isdigit() else None
    if passed is not None:
        return passed
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return when.timestamp() if when.tzinfo else when.replace(tzinfo=datetime.UTC).timestamp()
