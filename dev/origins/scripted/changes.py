"""How each fault changes an answer: the vocabulary of the origin's faults, by name."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dev.origins.scripted.content import BLOCK, Computed, Fixed, Flipped, Spliced
from dev.origins.scripted.messages import Answer, Ending, Object, Request, file_answer

EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
LOGIN_PAGE = b"<!DOCTYPE html><html><body><form>Please sign in to the network</form></body></html>"
_OTHER = 1_000_003
"""Added to a seed for content of the same size and other bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """What a fault has at hand."""

    answer: Answer
    request: Request
    found: Object | None
    value: str
    offset: int | None
    number: int
    """Of the request in the log."""
    revoked: set[str]
    """Signatures that work no longer."""

    @property
    def after(self) -> int:
        """Bytes of body before the fault's place: from its position, else from its value, else none."""
        return int(self.value or 0) if self.offset is None else self.offset - self.answer.start


def other(found: Object) -> Computed:
    """Other content of an object's size."""
    content = found.content
    seed = content.seed + _OTHER if isinstance(content, Computed) else _OTHER + content.size
    return Computed(seed, content.size)


def _body(answer: Answer, data: bytes, status: int = 200) -> None:
    answer.status, answer.content, answer.start, answer.end = status, Fixed(data), 0, len(data)
    answer.headers.pop("Content-Range", None)
    answer.headers["Content-Length"] = str(len(data))


def refuse(answer: Answer, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """An error in place of the answer."""
    answer.headers = {"Content-Type": "application/xml", **headers}
    _body(answer, body, status)


def _cut(struck: Struck) -> None:
    struck.answer.cut_after, struck.answer.ending = struck.after, Ending.CLOSE


def _reset(struck: Struck) -> None:
    struck.answer.cut_after, struck.answer.ending = struck.after, Ending.RESET


def _drop(struck: Struck) -> None:
    """End without a word, as a server does with an idle connection just when it is used again."""
    struck.answer.lines, struck.answer.cut_after, struck.answer.ending = b"", 0, Ending.CLOSE


def _idle_close(struck: Struck) -> None:
    """Answer well, promise to keep the connection, and close it."""
    struck.answer.ending = Ending.CLOSE


def _stall(struck: Struck) -> None:
    struck.answer.stall_after = struck.after


def _silent(struck: Struck) -> None:
    struck.answer.stall_after = -1


def _late(struck: Struck) -> None:
    """`late=SECONDS`: the answer begins later."""
    struck.answer.begins_after = float(struck.value)


def _slow(struck: Struck) -> None:
    struck.answer.bytes_per_second = float(struck.value)


def _status(struck: Struck) -> None:
    _body(struck.answer, b"no", int(struck.value))


def _header(struck: Struck) -> None:
    """`header=Name:Value`; an empty value takes the header away."""
    name, _, value = struck.value.partition(":")
    struck.answer.headers[name] = value


def _length(struck: Struck) -> None:
    """`length=N`, or `+N` and `-N` beside the true one; nothing for no length at all."""
    value, answer = struck.value, struck.answer
    if value.startswith(("+", "-")) and value[1:].isdecimal() and len(value) < 12:
        value = str(answer.end - answer.start + int(value))
    answer.headers["Content-Length"] = value
    answer.ending = Ending.CLOSE


def _negative(struck: Struck) -> None:
    struck.answer.headers["Content-Length"] = "-1"
    struck.answer.ending = Ending.CLOSE


def _chunked(struck: Struck) -> None:
    struck.answer.chunked = True
    struck.answer.headers |= {"Content-Length": "", "Transfer-Encoding": "chunked"}


def _extra(struck: Struck) -> None:
    struck.answer.extra = b"and more that nobody announced" * 20


def _whole(struck: Struck) -> None:
    """Ignore the range."""
    answer = struck.answer
    if answer.status == 206:
        answer.status, answer.start, answer.end = 200, 0, answer.content.size
        answer.headers.pop("Content-Range")
        answer.headers["Content-Length"] = str(answer.end)


def _shift(struck: Struck) -> None:
    """Answer with another range than was asked for, and say so."""
    answer, by = struck.answer, int(struck.value or 512)
    if answer.status == 206:
        answer.start = max(0, answer.start - by) if answer.start else min(by, answer.end - 1)
        answer.headers["Content-Range"] = f"bytes {answer.start}-{answer.end - 1}/{answer.content.size}"
        answer.headers["Content-Length"] = str(answer.end - answer.start)


def _misplaced(struck: Struck) -> None:
    """Answer with the bytes of another place, under the head of the right one."""
    answer = struck.answer
    size = answer.content.size
    by = int(struck.value or max(1, size // 3))
    data = b"".join(answer.content.pieces(answer.start, answer.end))
    full = b"".join(answer.content.pieces(0, size)) if size <= 8 * BLOCK else data
    turned = full[by % len(full) :] + full[: by % len(full)] if full else b""
    answer.content = Fixed(turned)
    if len(turned) != size:
        answer.start, answer.end = 0, len(data)


def _multipart(struck: Struck) -> None:
    answer = struck.answer
    data = b"".join(answer.content.pieces(answer.start, answer.end))
    span = f"bytes {answer.start}-{answer.end - 1}/{answer.content.size}"
    body = f"--x\r\nContent-Range: {span}\r\n\r\n".encode() + data + b"\r\n--x--\r\n"
    _body(answer, body, 206)
    answer.headers["Content-Type"] = "multipart/byteranges; boundary=x"


def _gzip(struck: Struck) -> None:
    """Encode the body; `gzip=quiet` without saying so."""
    answer = struck.answer
    status = answer.status
    span = answer.headers.get("Content-Range", "")
    packed = gzip.compress(b"".join(answer.content.pieces(answer.start, answer.end)), mtime=0)
    _body(answer, packed, status)
    answer.headers["Content-Range"] = span
    if struck.value != "quiet":
        answer.headers["Content-Encoding"] = "gzip"


def _html(struck: Struck) -> None:
    _body(struck.answer, LOGIN_PAGE)
    struck.answer.headers |= {"Content-Type": "text/html", "ETag": "", "Last-Modified": ""}


def _as_if(struck: Struck, found: Object) -> None:
    """Answer as a server does that holds this object."""
    anew, answer = file_answer(found, struck.request), struck.answer
    answer.status, answer.headers, answer.content = anew.status, anew.headers, anew.content
    answer.start, answer.end = anew.start, anew.end


def _etag_swap(struck: Struck) -> None:
    """Another ETag for the same bytes; `=each` a new one each time."""
    tag = f'"swapped-{struck.number if struck.value == "each" else 0}"'
    if struck.found is not None:
        _as_if(struck, Object(content=struck.found.content, etag=tag))


def _weak(struck: Struck) -> None:
    struck.answer.headers["ETag"] = f"W/{struck.answer.headers['ETag']}"


def _replace(struck: Struck) -> None:
    """From now on the object is another one of the same size; `=quiet` under the same ETag."""
    found = struck.found
    if found is None:
        return
    found.etag = found.tag if struck.value == "quiet" else '"replaced"'
    found.told, found.content = found.announced, other(found)
    _as_if(struck, found)


def _old(struck: Struck) -> None:
    """This answer comes from a node that holds other bytes, under an ETag of its own."""
    if struck.found is not None:
        _as_if(struck, Object(content=other(struck.found), etag='"old"'))


def _flip(struck: Struck) -> None:
    answer = struck.answer
    offset = answer.start + struck.after if struck.offset is None else struck.offset
    answer.content = Flipped(answer.content, offset)


def _hybrid(struck: Struck) -> None:
    """Bytes of another version from the position on, under the same ETag."""
    if struck.found is not None:
        offset = struck.answer.start + struck.after
        struck.answer.content = Spliced(struck.answer.content, other(struck.found), offset)


def _truncate(struck: Struck) -> None:
    """The file ends at the position, and the head says so."""
    answer = struck.answer
    answer.end = answer.start + struck.after
    answer.headers["Content-Length"] = str(struck.after)
    if answer.status == 206 and struck.after:
        answer.headers["Content-Range"] = f"bytes {answer.start}-{answer.end - 1}/{answer.end}"


def _expire(struck: Struck) -> None:
    """This signed URL works no longer."""
    struck.revoked.add(struck.request.query.get("Signature", ""))
    _body(struck.answer, EXPIRED, 403)


def _redirect(struck: Struck) -> None:
    """`redirect=URL`; to itself when there is none."""
    _body(struck.answer, b"", 302)
    struck.answer.headers["Location"] = struck.value or struck.request.target


BY_NAME: dict[str, Callable[[Struck], None]] = {
    "cut": _cut,
    "reset": _reset,
    "drop": _drop,
    "idle-close": _idle_close,
    "stall": _stall,
    "silent": _silent,
    "late": _late,
    "slow": _slow,
    "status": _status,
    "header": _header,
    "length": _length,
    "negative-length": _negative,
    "chunked": _chunked,
    "extra": _extra,
    "whole": _whole,
    "shift": _shift,
    "misplaced": _misplaced,
    "multipart": _multipart,
    "gzip": _gzip,
    "html": _html,
    "etag-swap": _etag_swap,
    "weak-etag": _weak,
    "replace": _replace,
    "old": _old,
    "flip": _flip,
    "hybrid": _hybrid,
    "truncate": _truncate,
    "expire": _expire,
    "redirect": _redirect,
}
