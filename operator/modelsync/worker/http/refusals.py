"""Error answers in the words of the source's own kind: S3's code or the Hub's decides, not the status alone.

Both say in the body or the headers of an error what is wrong, where one status has many causes. A source
reads its own words (`Request.explain`); what it makes of them is put here into what the engine does next.
"""

import contextlib
import time
from collections.abc import Mapping

from modelsync.api.reasons import Reason
from modelsync.worker.common.model import Refused
from modelsync.worker.common.retry import Transient, asked_seconds
from modelsync.worker.http import range_response
from modelsync.worker.http.client import Answer
from modelsync.worker.http.http1 import Broken

MOST_BYTES = 64 * 1024
"""Of an error's body; S3's have less than 2 KiB."""
MOST_SECONDS = 3.0
"""For it; what has come by then is what is read."""
_PASSING = {Reason.NETWORK_ERROR, Reason.ORIGIN_ERROR, Reason.RATE_LIMITED}


def check(answer: Answer) -> None:
    """Raise what an error answer means; nothing where its source knows no more than `range_response.read`
    does.

    Raises Changed, Renew and Transient; closing the answer is the caller's.
    """
    response, explain = answer.response, answer.request.explain
    if response.status in (200, 206) or explain is None:
        return
    if response.status == 403 and asked_seconds(response.status, response.headers) is not None:
        return  # it denies for now
    refused = explain(response.status, response.headers, _body(answer))
    if refused is not None:
        raise _consequence(refused, response.status, response.headers)


def _body(answer: Answer) -> bytes:
    """What comes of an error's body, which may come byte by byte forever."""
    body, room, end = bytearray(), memoryview(bytearray(MOST_BYTES)), time.monotonic() + MOST_SECONDS
    with contextlib.suppress(Broken):
        while len(body) < MOST_BYTES and time.monotonic() < end:
            count = answer.response.read_into(room[len(body) :])
            body += room[len(body) : len(body) + count]
            if not count:
                break
    return bytes(body)


def _consequence(refused: Refused, status: int, headers: Mapping[str, str]) -> Exception:
    failure = refused.failure
    if status in (412, 416):
        return range_response.Changed(failure.reason, failure.message)
    if failure.reason in _PASSING and not refused.again:
        return Transient(failure, wait_seconds=asked_seconds(status, headers))
    return range_response.Renew(failure, again=refused.again)
