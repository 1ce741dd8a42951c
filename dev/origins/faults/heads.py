"""Faults of status line and headers, and of how long a body is said to be."""

from dataclasses import dataclass
from typing import Self

from dev.origins.faults.fault import Fault, Struck
from dev.origins.serving.messages import Ending

EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
"""What S3 and CloudFront answer to a URL whose time is over."""


@dataclass(frozen=True)
class Status(Fault):
    """An error or any other status, with a short body."""

    status: int = 503

    def _change(self, struck: Struck) -> None:
        struck.answer.replace_body(b"no", self.status)


@dataclass(frozen=True)
class Header(Fault):
    """`header=Name:Value`: a header is set; an empty value removes it."""

    header: str = "X-Fault"
    content: str = ""

    def _change(self, struck: Struck) -> None:
        struck.answer.headers[self.header] = self.content

    @classmethod
    def of(cls, value: str) -> Self:
        """The header from `Name:Value`."""
        name, _, content = value.partition(":")
        return cls(name or cls.header, content)

    @property
    def value(self) -> str:
        """`Name:Value`."""
        return f"{self.header}:{self.content}"


@dataclass(frozen=True)
class Length(Fault):
    """Content-Length is N, or `+N` and `-N` beside the true one, or absent; then the connection ends."""

    length: str = ""

    def _change(self, struck: Struck) -> None:
        value, answer = self.length, struck.answer
        if value.startswith(("+", "-")) and value[1:].isdecimal() and len(value) < 12:
            value = str(answer.end - answer.start + int(value))
        answer.headers["Content-Length"] = value
        answer.ending = Ending.CLOSE


@dataclass(frozen=True)
class NegativeLength(Fault):
    """Content-Length is -1, and the connection ends behind the answer."""

    def _change(self, struck: Struck) -> None:
        struck.answer.headers["Content-Length"] = "-1"
        struck.answer.ending = Ending.CLOSE


@dataclass(frozen=True)
class Chunked(Fault):
    """Chunked transfer coding in place of a length."""

    def _change(self, struck: Struck) -> None:
        struck.answer.chunked = True
        struck.answer.headers |= {"Content-Length": "", "Transfer-Encoding": "chunked"}


@dataclass(frozen=True)
class Redirect(Fault):
    """A 302 to a URL; to itself when there is none."""

    to: str = ""

    def _change(self, struck: Struck) -> None:
        struck.answer.replace_body(b"", 302)
        struck.answer.headers["Location"] = self.to or struck.request.target


@dataclass(frozen=True)
class Expire(Fault):
    """This signed URL is not accepted any more: 403 with the XML of S3 and CloudFront."""

    def _change(self, struck: Struck) -> None:
        struck.revoked.add(struck.request.query.get("Signature", ""))
        struck.answer.replace_body(EXPIRED, 403)


@dataclass(frozen=True)
class EtagSwap(Fault):
    """Another ETag for the same bytes; `each`: a new one each time."""

    etag: str = "swapped"

    def _change(self, struck: Struck) -> None:
        etag = f"swapped-{struck.entry.number}" if self.etag == "each" else self.etag
        if struck.answer.found is not None:
            struck.as_if(struck.answer.found, etag=f'"{etag}"')


@dataclass(frozen=True)
class WeakEtag(Fault):
    """The ETag is a weak one."""

    def _change(self, struck: Struck) -> None:
        struck.answer.headers["ETag"] = f"W/{struck.answer.headers['ETag']}"


FAULTS: tuple[type[Fault], ...] = (
    Status, Header, Length, NegativeLength, Chunked, Redirect, Expire, EtagSwap, WeakEtag,
)  # fmt: skip
