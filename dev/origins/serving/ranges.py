"""The answer about a file: Range, If-Range, If-Match and If-None-Match (RFC 9110, sections 13 and 14).

Only a single range is served; several ones are answered with the whole file, which the RFC allows and which
S3 and the Hub's CDN do too.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dev.origins.content import Content
from dev.origins.serving.messages import Answer, Object, Request

_RANGE = re.compile(r"bytes=(\d*)-(\d*)\s*")


@dataclass(frozen=True, slots=True)
class Span:
    """What to answer: a status and the bytes [start, end)."""

    status: int
    start: int = 0
    end: int = 0


def file_answer(found: Object, request: Request, form: Callable[[Content], Content] | None = None) -> Answer:
    """The whole file or the range that is asked for, with ETag, Last-Modified and the fitting status."""
    content = form(found.content) if form else found.content
    tag = found.tag
    span = select(request.headers, content.size, tag, found.modified)
    headers = {"ETag": tag, "Last-Modified": found.modified, "Accept-Ranges": "bytes"}
    headers["Content-Type"] = "application/octet-stream"
    if span.status != 304:
        headers["Content-Length"] = str(span.end - span.start)
    if span.status == 206:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{content.size}"
    elif span.status == 416:
        headers["Content-Range"] = f"bytes */{content.size}"
    return Answer(
        status=span.status,
        headers=headers,
        content=found.content,
        form=form,
        start=span.start,
        end=span.end,
        found=found,
    )


def select(headers: Mapping[str, str], size: int, etag: str, modified: str = "") -> Span:
    """Decide status and bytes for a file of a size, in bytes, and a quoted strong ETag.

    Names of headers are in lower case.
    """
    if (wanted := headers.get("if-match")) and not _matches(wanted, etag):
        return Span(412)
    if (known := headers.get("if-none-match")) and _matches(known, etag):
        return Span(304)
    whole = Span(200, 0, size)
    header = headers.get("range")
    if not header or headers.get("if-range", etag) not in (etag, modified):
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
