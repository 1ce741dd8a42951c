"""Whether a listing and a HEAD speak of one object, though one server may say the same in two forms.

An ETag comes with quotes or without, weak behind some proxies, as an MD5 in either case, with the number of
parts or without, and is absent from some listings. An absent one proves nothing. Two that differ are settled
by size and time, and where these do not settle it, by a second look: what stays as it is does not change.
"""

import contextlib
import email.utils
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from modelsync.worker.http import range_response

_MD5 = re.compile(r"[0-9A-Fa-f]{32}(-[0-9]{1,5})?")
_CLOSE_SECONDS = 1.0
"""A header's time has no fractions, a listing's may be rounded either way."""


def plain(etag: str) -> str:
    """An ETag without quotes and mark of weakness, an MD5 in lower case."""
    text = range_response.plain_etag(etag)
    return text.lower() if _MD5.fullmatch(text) else text


def agree(one: str, other: str) -> bool:
    """Whether two plain ETags can be of one object: equal, one absent, or one with a number of parts behind
    the same digits."""
    if not one or not other or one == other:
        return True
    digits, _, parts = one.partition("-")
    others, _, other_parts = other.partition("-")
    both = _MD5.fullmatch(one) is not None and _MD5.fullmatch(other) is not None
    return both and digits == others and not (parts and other_parts)


def contradicts(size: int, etag: str, modified: str, head: Mapping[str, Any], *, named: bool) -> bool:
    """Whether HeadObject's answer is about another object than the listing's with these words; `named` where
    it reports a SHA-256, which judges the bytes whatever ETag each machine behind an endpoint gives them."""
    tag, length = plain(str(head.get("ETag", ""))), head.get("ContentLength")
    if tag and tag == etag:
        return False
    if length is not None and str(length) != str(size):
        return True
    if agree(tag, etag):
        return False
    return length is None or not (named or _at_once(modified, str(head.get("LastModified", ""))))


def _at_once(one: str, other: str) -> bool:
    """Whether both are times, and the same."""
    times = moment(one), moment(other)
    return None not in times and abs((times[0] or 0.0) - (times[1] or 0.0)) <= _CLOSE_SECONDS


def moment(text: str) -> float | None:
    """Seconds since 1970 of a time as listings (ISO 8601) or headers (RFC 9110) have it; None for no time."""
    for read in (datetime.fromisoformat, email.utils.parsedate_to_datetime):
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            found = read(text)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return None
