"""Reading the head of an answer: which bytes of which object it carries, or why it carries none.

An origin's answer is believed only as far as it can be checked: a 206 must name exactly the range that was
asked for, the object must be the one that the first answer was about (ETag or Last-Modified, and size), and
no coding may stand between its bytes and the file's.

No coding is ever asked for, so a Content-Encoding is mostly a label: of an object that was stored in this
form, or of a name that a server knows (Apache's AddEncoding for .gz). It is one where the bytes are counted
in that form: by ranges of it, or by a length that is the expected one. What was coded on the way has another
length, or none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from modelsync.api.common import untrusted
from modelsync.api.reasons import Reason
from modelsync.worker.common import names
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.retry import Transient, asked_seconds

LISTED_AGAIN = "The next attempt lists the source again."
"""What follows a change of a file at its source."""
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_NO_CODING = {"", "identity", "none", "binary", "utf-8", "aws-chunked"}
"""What people and SDKs write into Content-Encoding that changes no bytes; `aws-chunked` was of an upload."""
_CODED_NAMES = {
    "gzip": (".gz", ".tgz"),
    "x-gzip": (".gz", ".tgz"),
    "compress": (".z",),
    "x-compress": (".z",),
    "x-bzip2": (".bz2", ".tbz2"),
    "br": (".br",),
    "zstd": (".zst", ".tzst"),
    "x-xz": (".xz", ".txz"),
}
"""Endings of names that say the same as a coding: the file is the coded form."""


class Changed(Exception):
    """The object is not the one that earlier bytes came from."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(reason, message)


class Renew(Exception):
    """The URL may have expired: ask the source for another. The failure holds when that does not help, which
    for a new URL is known beforehand, unless the source has another way (`again`)."""

    def __init__(self, failure: Failure, *, again: bool = False) -> None:
        super().__init__(failure.message)
        self.failure, self.again = failure, again


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What an answer's body is."""

    start: int
    """Offset of its first byte in the file."""
    size: int | None
    """Size of the whole file, where the answer says."""
    validator: str | None
    media_type: str = ""
    """Content-Type without parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for, and what is known of the object."""

    path: str
    start: int
    end: int | None
    ranged: bool
    size: int | None
    validator: str | None
    origin: str = "The origin"
    """What a message calls who answered."""


def validator_of(headers: Mapping[str, str]) -> str | None:
    """What pins an object: its ETag, else its Last-Modified."""
    etag = headers.get("ETag")
    if etag:
        kind = "weak" if etag.strip().startswith("W/") else "etag"
        return f"{kind}:{plain_etag(etag)}"
    modified = headers.get("Last-Modified")
    return f"date:{modified}" if modified else None


def plain_etag(etag: str) -> str:
    """An ETag without quotes and weakness mark."""
    return etag.strip().removeprefix("W/").strip('"')


def condition(validator: str | None) -> dict[str, str]:
    """The header that asks for a range of this very object, else for the whole of the new one."""
    kind, _, value = (validator or "").partition(":")
    if kind == "etag":
        return {"If-Range": f'"{value}"'}
    return {"If-Range": value} if kind == "date" else {}


def read(status: int, headers: Mapping[str, str], asked: Asked) -> Body:
    """What the body of a 200 or 206 is; raises Changed, Renew, Transient or Failure."""
    if status not in (200, 206):
        _refuse(status, headers, asked)
    if not is_plain(headers, asked.path) and not _counted(status, headers, asked):
        coding = headers.get("Content-Encoding", "")[:40]
        raise Transient(_origin(asked, f"answers with Content-Encoding {coding}, which was not asked for"))
    if _is_another_page(headers, asked):
        text = "answers with an HTML page, as a login page or a proxy in between does,"
        raise Transient(_origin(asked, text))
    validator = validator_of(headers)
    if asked.validator is not None and validator is None:
        raise Transient(_origin(asked, "answers without the ETag or date that it gave before"))
    if not same(asked.validator, validator):
        raise Changed(
            Reason.SOURCE_CHANGED,
            f"The file {_name(asked)} changed at the source during the sync. {LISTED_AGAIN}",
        )
    if status == 206:
        return _partial(headers, asked, validator)
    return _whole(headers, asked, validator)


def is_plain(headers: Mapping[str, str], path: str) -> bool:
    """Whether no coding stands between an answer's body and the file of this name."""
    header = headers.get("Content-Encoding")
    if not header:
        return True
    codings = {coding.strip().lower() for coding in header.split(",")} - _NO_CODING
    return all(path.lower().endswith(_CODED_NAMES.get(coding, ())) for coding in codings)


def _counted(status: int, headers: Mapping[str, str], asked: Asked) -> bool:
    """Whether the bytes of a coded answer are those that the file is said to have."""
    length = _length(headers)
    if status == 206:
        return length is not None  # which `_partial` compares with the range
    return length is not None and length == asked.size


def same(known: str | None, given: str | None) -> bool:
    """Whether two validators can be of one object; different kinds cannot be compared."""
    if known is None or given is None or known.partition(":")[0] != given.partition(":")[0]:
        return True
    return known == given


def check_end(headers: Mapping[str, str], asked: Asked) -> None:
    """Refuse a body whose end cannot be distinguished from a broken connection; raises Transient."""
    chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
    if not chunked and _length(headers) is None:
        text = "gives no length, so that a broken connection would look like the end; give the file's sha256,"
        raise Transient(_origin(asked, text))


def is_page(headers: Mapping[str, str], path: str) -> bool:
    """Whether an answer says that it is a page for people, and the name does not."""
    return not path.lower().endswith((".html", ".htm")) and _media_type(headers) == "text/html"


def _is_another_page(headers: Mapping[str, str], asked: Asked) -> bool:
    """Whether an answer is a page in place of a file of another size."""
    other = asked.size not in (None, _length(headers)) and "Content-Range" not in headers
    return other and is_page(headers, asked.path)


def _partial(headers: Mapping[str, str], asked: Asked, validator: str | None) -> Body:
    found = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if not asked.ranged or found is None:
        raise Transient(_origin(asked, "answers with a range that was not asked for"))
    first, last = untrusted.count(found[1]), untrusted.count(found[2])
    total = None if found[3] == "*" else untrusted.count(found[3])
    if first is None or last is None:
        raise Transient(_origin(asked, "answers with a range that was not asked for"))
    if asked.size is not None and total is not None and total != asked.size:
        raise _resized(asked, total)
    length = _length(headers)
    exact = first == asked.start and (asked.end is None or last == asked.end - 1)
    if not exact or (length is not None and length != last - first + 1):
        raise Transient(_origin(asked, "answers with another range than was asked for"))
    return Body(start=first, size=total, validator=validator, media_type=_media_type(headers))


def _whole(headers: Mapping[str, str], asked: Asked, validator: str | None) -> Body:
    length = _length(headers)
    if asked.size is not None and length is not None and length != asked.size:
        raise _resized(asked, length)
    return Body(start=0, size=length, validator=validator, media_type=_media_type(headers))


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("Content-Length", "").strip()
    return untrusted.count(text)


def _resized(asked: Asked, size: int) -> Changed:
    text = f"The file {_name(asked)} has {size} bytes at the source where {asked.size} were announced."
    return Changed(Reason.SIZE_MISMATCH, text)


def _refuse(status: int, headers: Mapping[str, str], asked: Asked) -> None:
    """Raise what a status other than 200 and 206 means."""
    wait = asked_seconds(status, headers)
    answered = f"(HTTP {status})"
    who, name = asked.origin, _name(asked)
    if status in (401, 403) and headers.get("X-Error-Code") == "GatedRepo":
        text = (
            f"The repository is gated {answered}: accept its terms on the Hub with the account of the token."
        )
        raise Renew(Failure(Reason.ACCESS_DENIED, text))
    if status == 401:
        text = f"{who} refuses the credentials for {name} {answered}. Check the Secret that secretRef names."
        raise Renew(Failure(Reason.AUTHENTICATION_FAILED, text))
    if status == 403 and wait is not None:  # as some origins answer clients that ask too often
        raise Transient(limited(asked, status), wait_seconds=wait)
    if status == 403:
        text = f"{who} denies access to {name} {answered}. Check the rights of the Secret's account."
        raise Renew(Failure(Reason.ACCESS_DENIED, text))
    if status in (404, 410):
        text = f"{who} has no file {name} {answered}. It may have been removed since it was listed."
        raise Renew(Failure(Reason.NOT_FOUND, text))
    if status in (412, 416):
        raise Changed(
            Reason.SOURCE_CHANGED, f"The file {name} changed at the source during the sync. {LISTED_AGAIN}"
        )
    if status == 429:
        raise Transient(limited(asked, status), wait_seconds=wait)
    failure = _origin(asked, f"answers with HTTP {status}")
    if status == 400:
        raise Renew(failure)
    raise Transient(failure, wait_seconds=wait)


def limited(asked: Asked, status: int) -> Failure:
    """The failure when an origin goes on to refuse for there being too many requests."""
    text = f"{asked.origin} limits the rate of requests (HTTP {status}). Use a token, or fewer syncs at once."
    return Failure(Reason.RATE_LIMITED, text)


def _name(asked: Asked) -> str:
    return names.printable(asked.path)


def _origin(asked: Asked, what: str) -> Failure:
    return Failure(Reason.ORIGIN_ERROR, f"{asked.origin} {what} for {_name(asked)}.")
