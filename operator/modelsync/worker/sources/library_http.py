"""The way out for the libraries that know an API: their requests go over the engine's own connections.

So whatever is asked meets the same proxies, authorities, time-outs and bounds on addresses, a name is looked
up once, and one set of CA certificates is loaded, which takes 20 ms each time.

Nor do they bound what they parse: both unpack any coding, though none was asked for, and build an object for
every three bytes of a text. So an answer that is coded, too long or too rich never gets to them.

The libraries try again by themselves, but one sleeps for any figure that an origin names, be it 3,000 years,
and the other for none; neither can be stopped meanwhile, and a listing that fails begins again. So an answer
that asks to wait, or that says SlowDown, never gets to them: the wait is kept here, and then asked again.

huggingface_hub asks for the next page wherever an answer says it is, with the user's token. A mirror hands on
what the Hub says, which names the Hub; an attacker names himself. So the next page is asked for at the
endpoint, and whatever else is asked elsewhere goes without the token.
"""

import re
import sys
import typing
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from modelsync.api.reasons import Reason
from modelsync.worker.common import names, parsing_cost, retry_after
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Request
from modelsync.worker.common.retry import Budget, Transient, asked_seconds
from modelsync.worker.http import urls
from modelsync.worker.http.address_policy import Trail
from modelsync.worker.http.client import Transport, trouble
from modelsync.worker.http.http1 import BODY_BYTES, Broken, Headers, TooLong
from modelsync.worker.progress.waiting import Patience
from modelsync.worker.sources import pinning
from modelsync.worker.sources.s3 import codes

_TRAIL = "modelsync_trail"
_HOP = {"accept-encoding", "connection", "host", "transfer-encoding"}
"""Headers that are the engine's to set; what is asked has no body, and the answer's is to have no coding."""
_PATIENCE = {name.lower() for name in retry_after.HEADERS} - {"date"}
"""Headers that the libraries do not get to see."""
_TRIES = 6
"""Of a request whose origin limits their rate, beside those that it named a time for."""
_REGION = "x-amz-bucket-region"
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9.]{2,60})\s*</Code>")
_CREDENTIALS = {"authorization", "cookie"}


class _Way:
    """One client's way; thread-safe."""

    def __init__(self, transport: Transport, patience: Patience) -> None:
        self._transport, self._patience = transport, patience

    def ask(
        self, method: str, url: str, headers: Mapping[str, str], trail: Trail
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer that does not ask to wait; raises Transient, Failure and
        Interrupted."""
        budget = Budget(most=_TRIES - 1)
        while True:
            self._patience.keep()
            status, answered, body = self._once(method, url, headers, trail)
            trouble = _later(status, answered, body, url, bare=method == "HEAD")
            if trouble is None:
                kept = {name: value for name, value in answered.items() if name.lower() not in _PATIENCE}
                return status, *_plain(kept, body, url, read=method != "HEAD" and status < 300)
            self._patience.again(trouble, budget)

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], trail: Trail
    ) -> tuple[int, Headers, bytes]:
        sent = {name.title(): value for name, value in headers.items() if name.lower() not in _HOP}
        response = self._transport.once(Request(url=url, headers=sent), {}, method, trail)
        try:
            return response.status, response.headers, response.read()
        except TooLong as error:
            raise _unreadable(url, f"more than {BODY_BYTES >> 20} MiB") from error
        except Broken as error:
            raise trouble(error, url) from error


def slows_down(body: bytes) -> bool:
    """Whether an error of S3 says by its code that there are too many requests."""
    found = _CODE.search(body)
    return found is not None and codes.BY_CODE.get(found[1].decode()) is codes.SLOW_DOWN


def _later(status: int, headers: Mapping[str, str], body: bytes, url: str, *, bare: bool) -> Transient | None:
    """What an answer means that asks to come back later; None for any other. A `bare` 503 is one without a
    body, that of a HEAD, in which S3 has no place for its code."""
    wait, slow = asked_seconds(status, headers), status >= 400 and slows_down(body)
    if wait is None and not slow and not (bare and status == 503):
        return None
    who, answered = urls.host_of(url), f"(HTTP {status})"
    if slow or status < 500:
        text = f"{who} limits the rate of requests {answered}. Use a token, or fewer syncs at once."
        return Transient(Failure(Reason.RATE_LIMITED, text), wait_seconds=wait)
    text = f"{who} asks to come back later {answered}. Check that it is well."
    return Transient(Failure(Reason.ORIGIN_ERROR, text), wait_seconds=wait)


def _plain(headers: dict[str, str], body: bytes, url: str, *, read: bool) -> tuple[dict[str, str], bytes]:
    """Headers and body as a library may parse them; raises Failure where it needs a body that it may not.

    `read` says whether it does: of an error the status says enough, and a HEAD speaks of an object that may
    are coded in its bucket.
    """
    coding = headers.pop("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        problem = f"the content coding {names.printable(coding, 40)}, although none was asked for"
    elif parsing_cost.values(body) > parsing_cost.MOST_VALUES:
        problem = f"more than {parsing_cost.MOST_VALUES} values"
    else:
        return headers, body
    if read:
        raise _unreadable(url, problem)
    headers.pop("content-length", None)
    return headers, b""


def _unreadable(url: str, what: str) -> Failure:
    text = f"{urls.shown(url)} answers with {what}. Check the endpoint in spec.source."
    return Failure(Reason.ORIGIN_ERROR, text)


class _ForHttpx:
    """What httpx calls a transport."""

    def __init__(self, transport: Transport, endpoint: str, answer: Any, patience: Patience) -> None:
        self._way, self._endpoint, self._answer = _Way(transport, patience), endpoint, answer
        self._pages = pinning.Pages()

    def handle_request(self, request: Any) -> Any:
        """Ask once; httpx follows redirects itself and hands its extensions on to the next hop.

        A client lives for one listing, whose pages the library follows by itself: so each request counts.
        """
        if request.read():
            raise ValueError("what has a body is not asked by this way")
        self._pages.turn()
        trail = request.extensions.setdefault(_TRAIL, Trail())
        url, sent = str(request.url), dict(request.headers)
        if not _same_origin(url, self._endpoint):
            sent = {name: value for name, value in sent.items() if name.lower() not in _CREDENTIALS}
        status, headers, body = self._way.ask(request.method, url, sent, trail)
        answer = self._answer(status, headers=headers, content=body)
        named = answer.links.get("next", {}).get("url")
        if named is not None:
            answer.headers["link"] = f'<{next_page(named, url, self._endpoint)}>; rel="next"'
        return answer

    def close(self) -> None:
        """Nothing: the connections are their owner's."""


def next_page(named: str, asked: str, endpoint: str) -> str:
    """Where to ask for the page that an answer names: at the endpoint by the same path and query, no matter
    which host the answer names. Raises Failure for what is no URL of http or https."""
    try:
        url = urls.joined(asked, named)
        target = urls.parsed(url).target
    except ValueError:
        text = f"{urls.shown(asked)} names a next page that is no URL of http or https. Check the endpoint."
        raise Failure(Reason.ORIGIN_ERROR, text) from None
    if _same_origin(url, endpoint):
        return url
    home = urllib.parse.urlsplit(endpoint)
    folder = home.path.rstrip("/")
    below = target if target.startswith(f"{folder}/") else folder + target
    return f"{home.scheme}://{home.netloc}{below}"


def _same_origin(url: str, endpoint: str) -> bool:
    try:
        return urls.parsed(url).origin == urls.parsed(endpoint).origin
    except ValueError:
        return False


def hub_client(transport: Transport, endpoint: str, patience: Patience) -> Any:
    """huggingface_hub's own client, whose class depends on the library's generation, on these connections."""
    from huggingface_hub.utils import _http as library

    kind = typing.get_type_hints(library.default_client_factory)["return"]
    answer = sys.modules[kind.__module__.partition(".")[0]].Response
    return kind(
        transport=_ForHttpx(transport, endpoint, answer, patience),
        event_hooks={"request": [library.hf_request_event_hook]},
        follow_redirects=True,
    )


class _Body:
    """What botocore reads a body from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        """All of it."""
        yield self._content


def lead_out(client: Any, transport: Transport, patience: Patience) -> None:
    """Make a client of boto3 ask over these connections (botocore's event `before-send`)."""
    from botocore.awsrequest import AWSResponse
    from botocore.compat import HTTPHeaders
    from botocore.exceptions import HTTPClientError

    way = _Way(transport, patience)

    def send(request: Any, **_: Any) -> AWSResponse:
        headers = {name: _text(value) for name, value in request.headers.items()}
        try:
            status, answered, body = way.ask(request.method, request.url, headers, Trail())
        except Transient as error:  # in botocore's words, which it tries again
            raise HTTPClientError(error=error) from error
        if answered.get("content-type", "").lower().startswith("text/html") and request.method != "HEAD":
            # which botocore takes for a listing of nothing, or for an error without a code
            text = (
                f"{urls.shown(request.url)} answers with a web page (HTTP {status}), as a console or a login"
            )
            fix = "does. Name the address of the S3 API in spec.source.s3.endpoint."
            raise Failure(Reason.ORIGIN_ERROR, f"{text} {fix}")
        if request.method == "HEAD" and 300 <= status < 400 and _REGION not in answered:
            # botocore asks with HEAD for the region to go on in, and of a redirect of that again, endlessly
            text = f"{urls.shown(request.url)} redirects (HTTP {status}) and names no region."
            raise Failure(
                Reason.INVALID_SPEC, f"{text} Check spec.source.s3.region and spec.source.s3.endpoint."
            )
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(answered), _Body(body))

    client.meta.events.register_first("before-send.s3", send)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
