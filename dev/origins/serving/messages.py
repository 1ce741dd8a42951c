"""A request as an origin read it, and an answer as it will be written."""

import http.client
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dev.origins.content import Content, Fixed, hexdigest, part


class Role(StrEnum):
    """What a request is for."""

    DATA = "data"
    """Bytes of a file."""
    HEAD = "head"
    """A HEAD of a file."""
    RESOLVE = "resolve"
    """Where a file of a Hub is."""
    INFORMATION = "info"
    """What a repository is, its references, or what is known of some paths."""
    LIST = "list"
    """A page of a listing."""
    XET = "xet"
    """A token for Xet, or how a file is put together from xorbs."""
    CONNECT = "connect"


class Ending(StrEnum):
    """What becomes of the connection behind an answer."""

    KEEP = "keep"
    CLOSE = "close"
    """The connection ends; over TLS without a close_notify, as when a middlebox cuts it."""
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asked for."""

    method: str
    target: str
    """As it stood in the request line."""
    path: str
    """Decoded, without query and without a prefix of faults."""
    raw_path: str
    """The same, not decoded."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""
    faults: str = ""
    """The prefix of faults in the path."""
    listener: str = "origin"
    base: str = ""
    """The listener's URL, with the prefix of faults."""


@dataclass(slots=True, kw_only=True)
class Object:
    """A file of an origin."""

    content: Content
    etag: str | None = None
    """With quotes; the MD5 of the content when None, absent when empty."""
    modified: str = ""
    lfs: bool = True
    """Whether the Hub keeps it on its CDN."""
    checksum: str | None = "sha256"
    """Algorithm of the checksum that S3 states; None for the ETag alone."""
    stated: Content | None = None
    """The content whose size and checksums are stated, where that differs from what is sent."""

    @property
    def announced(self) -> Content:
        """What listings describe."""
        return self.stated or self.content

    @property
    def tag(self) -> str:
        """The ETag header."""
        return f'"{hexdigest(self.announced, "md5")}"' if self.etag is None else self.etag


def objects(files: Mapping[str, bytes | Content | Object]) -> dict[str, Object]:
    """Files by path; those of bytes or content have the ETag of what they hold."""
    return {path: _object(value) for path, value in files.items()}


def _object(value: bytes | Content | Object) -> Object:
    if isinstance(value, Object):
        return value
    return Object(content=Fixed(value) if isinstance(value, bytes) else value)


@dataclass(slots=True, kw_only=True)
class Answer:
    """What is going to be sent; faults change it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    """A header of an empty value is not sent."""
    content: Content = field(default_factory=lambda: Fixed(b""))
    form: Callable[[Content], Content] | None = None
    """How the content is put into the answer, such as by the chunks of a xorb."""
    start: int = 0
    """The body is [start, end) of the content in its form."""
    end: int = 0
    found: Object | None = None
    """The file that it is about."""
    chunked: bool = False
    lines: bytes | None = None
    """Sent in place of status line and headers."""
    extra: bytes = b""
    """Sent behind the body, where no length announces it."""
    cut_after: int | None = None
    """Bytes of body after which the connection ends as `ending` says."""
    ending: Ending = Ending.KEEP
    stall_after: int | None = None
    """Bytes of body after which nothing comes until `released`; -1 for not even a head."""
    released: threading.Event = field(default_factory=threading.Event)
    bytes_per_second: float | None = None
    head_bytes_per_second: float | None = None
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

    @property
    def formed(self) -> Content:
        """The content as it is sent."""
        return self.form(self.content) if self.form else self.content

    @property
    def body(self) -> bytes:
        """All bytes of the body."""
        return part(self.formed, self.start, self.end)

    def replace_body(self, data: bytes, status: int = 200) -> None:
        """Answer with other bytes."""
        self.status, self.content, self.form, self.start, self.end = status, Fixed(data), None, 0, len(data)
        self.headers.pop("Content-Range", None)
        self.headers["Content-Length"] = str(len(data))

    @property
    def head(self) -> bytes:
        """Status line and headers."""
        if self.lines is not None:
            return self.lines
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, 'Odd')}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items() if value]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
