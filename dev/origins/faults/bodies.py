"""Faults of the body: wrong bytes, another range, another form."""

import gzip
from dataclasses import dataclass

from dev.origins.content import BLOCK, Fixed, read
from dev.origins.faults.altered import Flipped, Inverted, Spliced, other
from dev.origins.faults.fault import Fault, Struck

LOGIN_PAGE = b"<!DOCTYPE html><html><body><form>Please sign in to the network</form></body></html>"


@dataclass(frozen=True)
class Flip(Fault):
    """One bit is another."""

    after: int = 0

    def _change(self, struck: Struck) -> None:
        answer = struck.answer
        offset = answer.start + self.after if struck.offset is None else struck.offset
        answer.content = Flipped(answer.content, offset)


@dataclass(frozen=True)
class Invert(Fault):
    """Every bit is another, from an offset of the file on."""

    start: int = 0

    def _change(self, struck: Struck) -> None:
        struck.answer.content = Inverted(struck.answer.content, self.start)


@dataclass(frozen=True)
class Hybrid(Fault):
    """Bytes of another version from the position on, under the same ETag."""

    after: int = 0

    def _change(self, struck: Struck) -> None:
        answer = struck.answer
        if answer.found is not None:
            offset = answer.start + struck.after(self.after)
            answer.content = Spliced(answer.content, other(answer.found.content), offset)


@dataclass(frozen=True)
class Misplaced(Fault):
    """The bytes of another part of the file, so many bytes on, under the head of the right one."""

    by: int = 0

    def _change(self, struck: Struck) -> None:
        answer = struck.answer
        content, data = answer.formed, answer.body
        size = content.size
        by = self.by or max(1, size // 3)
        full = read(content) if size <= 8 * BLOCK else data
        turned = full[by % len(full) :] + full[: by % len(full)] if full else b""
        answer.content, answer.form = Fixed(turned), None
        if len(turned) != size:
            answer.start, answer.end = 0, len(data)


@dataclass(frozen=True)
class Shift(Fault):
    """Another range than was asked for, so many bytes off, and the head says so."""

    by: int = 512

    def _change(self, struck: Struck) -> None:
        answer, by = struck.answer, self.by
        if answer.status == 206:
            answer.start = max(0, answer.start - by) if answer.start else min(by, answer.end - 1)
            answer.headers["Content-Range"] = f"bytes {answer.start}-{answer.end - 1}/{answer.formed.size}"
            answer.headers["Content-Length"] = str(answer.end - answer.start)


@dataclass(frozen=True)
class Whole(Fault):
    """The range is ignored: 200 with the whole file."""

    def _change(self, struck: Struck) -> None:
        answer = struck.answer
        if answer.status == 206:
            answer.status, answer.start, answer.end = 200, 0, answer.formed.size
            answer.headers.pop("Content-Range")
            answer.headers["Content-Length"] = str(answer.end)


@dataclass(frozen=True)
class Truncate(Fault):
    """The file ends at the position, and the head says so."""

    after: int = 0

    def _change(self, struck: Struck) -> None:
        answer, after = struck.answer, struck.after(self.after)
        answer.end = answer.start + after
        answer.headers["Content-Length"] = str(after)
        if answer.status == 206 and after:
            answer.headers["Content-Range"] = f"bytes {answer.start}-{answer.end - 1}/{answer.end}"


@dataclass(frozen=True)
class Extra(Fault):
    """Bytes behind the body that no length announces."""

    data: str = "and more that nobody announced" * 20

    def _change(self, struck: Struck) -> None:
        struck.answer.extra = self.data.encode()


@dataclass(frozen=True)
class Multipart(Fault):
    """The range as multipart/byteranges."""

    def _change(self, struck: Struck) -> None:
        answer = struck.answer
        span = f"bytes {answer.start}-{answer.end - 1}/{answer.formed.size}"
        body = f"--x\r\nContent-Range: {span}\r\n\r\n".encode() + answer.body + b"\r\n--x--\r\n"
        answer.replace_body(body, 206)
        answer.headers["Content-Type"] = "multipart/byteranges; boundary=x"


@dataclass(frozen=True)
class Gzip(Fault):
    """The body is coded with gzip; `quiet`: and no header says so."""

    how: str = ""

    def _change(self, struck: Struck) -> None:
        answer = struck.answer
        span = answer.headers.get("Content-Range", "")
        answer.replace_body(gzip.compress(answer.body, mtime=0), answer.status)
        answer.headers["Content-Range"] = span
        if self.how != "quiet":
            answer.headers["Content-Encoding"] = "gzip"


@dataclass(frozen=True)
class Html(Fault):
    """The login page of a captive portal, as 200."""

    def _change(self, struck: Struck) -> None:
        struck.answer.replace_body(LOGIN_PAGE)
        struck.answer.headers |= {"Content-Type": "text/html", "ETag": "", "Last-Modified": ""}


FAULTS: tuple[type[Fault], ...] = (
    Flip, Invert, Hybrid, Misplaced, Shift, Whole, Truncate, Extra, Multipart, Gzip, Html,
)  # fmt: skip
