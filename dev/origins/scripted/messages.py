"""A request as the origin read it, an answer as it will be written, and the object that both are about."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dev.origins.scripted.content import Content, Fixed, hexdigest

_RANGE = re.compile(r"bytes=(\d+)-(\d*)\s*")


class Role(StrEnum):
    """What a request is for; a fault strikes one role."""

    DATA = "data"
    HEAD = "head"
    RESOLVE = "resolve"
    INFORMATION = "info"
    LIST = "list"
    CONNECT = "connect"


class Ending(StrEnum):
    """What becomes of the connection behind an answer."""

    KEEP = "keep"
    CLOSE = "close"
    """The connection ends; over TLS without a close_notify, as when a middlebox cuts it."""
    RESET = "reset"


@dataclass(slots=True, kw_only=True)
class Object:
    """A file of the origin."""

    content: Content
    etag: str | None = None
    """With quotes; the MD5 of the content when None, absent when empty."""
    modified: str = ""
    lfs: bool = True
    """Whether the Hub keeps it on its CDN."""
    checksum: str | None = "sha256"
    """Algorithm that S3 tells; None for the ETag alone."""
    told: Content | None = None
    """The content that size and checksums are told of, where that differs from what is sent."""

    @property
    def announced(self) -> Content:
        """What listings speak of."""
        return self.told or self.content

    @property
    def tag(self) -> str:
        """The ETag header."""
        return f'"{hexdigest(self.announced, "md5")}"' if self.etag is None else self.etag


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asked for."""

    method: str
    target: str
    """As it stood in the request line."""
    path: str
    """Decoded, without query and without a prefix of faults."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    faults: str = ""
    """The prefix of faults in the path."""
    listener: str = "origin"
    base: str = ""
    """The listener's URL, with the prefix of faults."""

    def span(self, size: int) -> tuple[int, int] | None:
        """The range that is asked for, as [start, end); None for the whole."""
        found = _RANGE.fullmatch(self.headers.get("range", ""))
        if found is None:
            return None
        return int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)


@dataclass(slots=True, kw_only=True)
class Answer:
    """What is going to be sent; faults change it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    """A header of an empty value is not sent."""
    content: Content = field(default_factory=lambda: Fixed(b""))
    start: int = 0
    """The body is [start, end) of the content."""
    end: int = 0
    chunked: bool = False
    lines: bytes | None = None
    """Sent in place of status line and headers."""
    extra: bytes = b""
    """Sent behind the body, where no length speaks of it."""
    cut_after: int | None = None
    """Bytes of body after which the connection ends as `ending` says."""
    ending: Ending = Ending.KEEP
    stall_after: int | None = None
    """Bytes of body after which nothing more comes; -1 for not even a head."""
    bytes_per_second: float | None = None
    begins_after: float = 0.0
    """Seconds before the head."""

    @classmethod
    def of(
        cls, data: bytes, *, status: int = 200, kind: str = "application/json", **headers: str
    ) -> "Answer":
        """A small answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(
            status=status,
            headers={"Content-Type": kind, "Content-Length": str(len(data)), **named},
            content=Fixed(data),
            end=len(data),
        )


def file_answer(found: Object, request: Request) -> Answer:
    """The whole object or the range that is asked for, as RFC 9110 wants it."""
    size = found.content.size
    headers = {"ETag": found.tag, "Last-Modified": found.modified, "Accept-Ranges": "bytes"}
    span = request.span(size)
    if request.headers.get("if-range", found.tag) not in (found.tag, found.modified):
        span = None
    if span is not None and span[0] >= span[1]:
        return Answer(status=416, headers={"Content-Range": f"bytes */{size}", "Content-Length": "0"})
    start, end = span or (0, size)
    headers |= {"Content-Length": str(end - start), "Content-Type": "application/octet-stream"}
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    status = 200 if span is None else 206
    return Answer(status=status, headers=headers, content=found.content, start=start, end=end)
