"""Which bytes a request asks for: Range, If-Range, If-Match and If-None-Match (RFC 9110, sections 13 and
14).

Only a single range is served; several ones are answered with the whole file, which the RFC allows and
which S3 and the Hub's CDN do too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=(\d*)-(\d*)\s*")


@dataclass(frozen=True, slots=True)
class Span:
    """What to answer: a status and the bytes [start, end)."""

    status: int
    start: int = 0
    end: int = 0


def select(headers: Mapping[str, str], size: int, etag: str, *, honour_range: bool = True) -> Span:
    """Decide status and bytes for a file of a size, in bytes, and a quoted strong ETag."""
    if (wanted := headers.get("If-Match")) and not _matches(wanted, etag):
        return Span(412)
    if (known := headers.get("If-None-Match")) and _matches(known, etag):
        return Span(304)
    whole = Span(200, 0, size)
    header = headers.get("Range")
    if not header or not honour_range or headers.get("If-Range", etag) != etag:
        return whole
    return _partial(header, size) or whole


def _matches(header: str, etag: str) -> bool:
    return header.strip() == "*" or etag in (part.strip() for part in header.split(","))


def _partial(header: str, size: int) -> Span | None:
    match = _RANGE.fullmatch(header)
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < start:
            return None
    return Span(206, start, end) if start < end else Span(416)
