"""The way out for the libraries that know an API: their requests go over the engine's own connections.

So whatever is asked meets the same proxies, authorities, time-outs and bounds on addresses, a name is looked
up once, and one set of certification authorities is loaded, which takes 20 ms each time.

Nor do they bound what they parse: both unpack any coding, though none was asked for, and build an object for
every three bytes of a text. So an answer that is coded, too long or too rich never gets to them.

The libraries try again by themselves, but one takes any figure of Retry-After as it is, be it 3,000 years,
and the other none. So the wait that an origin asks for is kept here, before the next request.

huggingface_hub asks for the next page wherever an answer says it is, with the user's token. A mirror hands on
what the Hub says, which names the Hub; an attacker names himself. So the next page is asked for at the
endpoint, and whatever else is asked elsewhere goes without the token.
"""

import random
import re
import sys
import threading
import time
import typing
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from modelsync.api.reasons import Reason
from modelsync.worker import names, parsed, retry, urls
from modelsync.worker.exchange import BODY_BYTES, Broken, TooLong
from modelsync.worker.failures import Failure
from modelsync.worker.model import Request
from modelsync.worker.reach import Trail
from modelsync.worker.retry import Transient
from modelsync.worker.sources import listing
from modelsync.worker.transport import Transport, trouble

_TRAIL = "modelsync_trail"
_HOP = {"accept-encoding", "connection", "host", "transfer-encoding"}
"""Headers that are the engine's to set; what is asked has no body, and the answer's is to have no coding."""
_PATIENCE = {"retry-after", "ratelimit"}
"""Headers that the libraries do not get to see."""
_REGION = "x-amz-bucket-region"
_CREDENTIALS = {"authorization", "cookie"}
_RESET = re.compile(r"\bt=([0-9]+)")
"""Seconds until a limit is lifted, in the header RateLimit of the Hub."""


class _Way:
    """One client's way; thread-safe."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._refused = 0
        self._not_before = 0.0

    def ask(
        self, method: str, url: str, headers: Mapping[str, str], trail: Trail
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer; raises Transient and Failure."""
        time.sleep(max(0.0, self._not_before - time.monotonic()))
        sent = {name.title(): value for name, value in headers.items() if name.lower() not in _HOP}
        response = self._transport.once(Request(url=url, headers=sent), {}, method, trail)
        try:
            body = response.read()
        except TooLong as error:
            raise _unreadable(url, f"more than {BODY_BYTES >> 20} MiB") from error
        except Broken as error:
            raise trouble(error, url) from error
        self._note(response.status, response.headers)
        told = {name: value for name, value in response.headers.items() if name.lower() not in _PATIENCE}
        return response.status, *_plain(told, body, url, read=method != "HEAD" and response.status < 300)

    def _note(self, status: int, headers: Mapping[str, str]) -> None:
        """Keep the time that an answer asks for."""
        with self._lock:
            if status != 429 and status < 500:
                self._refused = 0
                return
            self._refused += 1
            reset = _RESET.search(headers.get("RateLimit", "")) if status == 429 else None
            asked = retry.retry_after(headers.get("Retry-After") or (reset[1] if reset else None))
            if asked is not None:
                wait = retry.BACKOFF.wait(self._refused, random=random.random(), asked=asked)
                self._not_before = max(self._not_before, time.monotonic() + wait)


def _plain(headers: dict[str, str], body: bytes, url: str, *, read: bool) -> tuple[dict[str, str], bytes]:
    """Headers and body as a library may parse them; raises Failure where it needs a body that it may not.

    `read` tells whether it does: of an error the status says enough, and a HEAD speaks of an object that may
    lie coded in its bucket.
    """
    coding = headers.pop("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        problem = f"the content coding {names.printable(coding, 40)}, although none was asked for"
    elif parsed.values(body) > parsed.MOST_VALUES:
        problem = f"more than {parsed.MOST_VALUES} values"
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

    def __init__(self, transport: Transport, endpoint: str, answer: Any) -> None:
        self._way, self._endpoint, self._answer = _Way(transport), endpoint, answer
        self._pages = listing.Pages()

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
    """Where to ask for the page that an answer names: at the endpoint by the same path and query, whoever the
    answer says. Raises Failure for what is no URL of http or https."""
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
        return urls.parsed(url).place == urls.parsed(endpoint).place
    except ValueError:
        return False


def hub_client(transport: Transport, endpoint: str) -> Any:
    """huggingface_hub's own client, whose class depends on the library's generation, on these connections."""
    from huggingface_hub.utils import _http as library

    kind = typing.get_type_hints(library.default_client_factory)["return"]
    answer = sys.modules[kind.__module__.partition(".")[0]].Response
    return kind(
        transport=_ForHttpx(transport, endpoint, answer),
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


def lead_out(client: Any, transport: Transport) -> None:
    """Make a client of boto3 ask over these connections (botocore's event `before-send`)."""
    from botocore.awsrequest import AWSResponse
    from botocore.compat import HTTPHeaders
    from botocore.exceptions import HTTPClientError

    way = _Way(transport)

    def send(request: Any, **_: Any) -> AWSResponse:
        headers = {name: _text(value) for name, value in request.headers.items()}
        try:
            status, told, body = way.ask(request.method, request.url, headers, Trail())
        except Transient as error:  # in botocore's words, which it tries again
            raise HTTPClientError(error=error) from error
        if told.get("content-type", "").lower().startswith("text/html") and request.method != "HEAD":
            # which botocore takes for a listing of nothing, or for an error without a code
            text = (
                f"{urls.shown(request.url)} answers with a web page (HTTP {status}), as a console or a login"
            )
            mend = "does. Name the address of the S3 API in spec.source.s3.endpoint."
            raise Failure(Reason.ORIGIN_ERROR, f"{text} {mend}")
        if request.method == "HEAD" and 300 <= status < 400 and _REGION not in told:
            # botocore asks with HEAD for the region to go on in, and of a redirect of that again, endlessly
            text = f"{urls.shown(request.url)} redirects (HTTP {status}) and names no region."
            raise Failure(
                Reason.INVALID_SPEC, f"{text} Check spec.source.s3.region and spec.source.s3.endpoint."
            )
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(told), _Body(body))

    client.meta.events.register_first("before-send.s3", send)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
