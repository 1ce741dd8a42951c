"""The way out for the libraries that know an API: their requests go over the engine's own connections.

So whatever is asked meets the same proxies, authorities, time-outs and bounds on addresses, a name is looked
up once, and one set of certification authorities is loaded, which takes 20 ms each time.
"""

import sys
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from modelsync.worker.exchange import Broken
from modelsync.worker.model import Request
from modelsync.worker.reach import Trail
from modelsync.worker.retry import Transient
from modelsync.worker.transport import Transport, trouble

_TRAIL = "modelsync_trail"
_HOP = {"connection", "host", "transfer-encoding"}
"""Headers that are the engine's to set; what is asked has no body."""


def _asked(
    transport: Transport, method: str, url: str, headers: Mapping[str, str], trail: Trail
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer; raises Transient and Failure."""
    sent = {name.title(): value for name, value in headers.items() if name.lower() not in _HOP}
    response = transport.once(Request(url=url, headers=sent), {}, method, trail)
    try:
        body = response.read()
    except Broken as error:
        raise trouble(error, url) from error
    return response.status, dict(response.headers), body


class _ForHttpx:
    """What httpx calls a transport."""

    def __init__(self, transport: Transport, answer: Any) -> None:
        self._transport, self._answer = transport, answer

    def handle_request(self, request: Any) -> Any:
        """Ask once; httpx follows redirects itself and hands its extensions on to the next hop."""
        if request.read():
            raise ValueError("what has a body is not asked by this way")
        trail = request.extensions.setdefault(_TRAIL, Trail())
        status, headers, body = _asked(
            self._transport, request.method, str(request.url), dict(request.headers), trail
        )
        return self._answer(status, headers=headers, content=body)

    def close(self) -> None:
        """Nothing: the connections are their owner's."""


def hub_client(transport: Transport) -> Any:
    """huggingface_hub's own client, whose class depends on the library's generation, on these connections."""
    from huggingface_hub.utils import _http as library

    kind = typing.get_type_hints(library.default_client_factory)["return"]
    answer = sys.modules[kind.__module__.partition(".")[0]].Response
    return kind(
        transport=_ForHttpx(transport, answer),
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

    def send(request: Any, **_: Any) -> AWSResponse:
        headers = {name: _text(value) for name, value in request.headers.items()}
        try:
            status, told, body = _asked(transport, request.method, request.url, headers, Trail())
        except Transient as error:  # in botocore's words, which it tries again
            raise HTTPClientError(error=error) from error
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(told), _Body(body))

    client.meta.events.register_first("before-send.s3", send)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
