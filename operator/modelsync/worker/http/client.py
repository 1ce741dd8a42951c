"""HTTP as the engine needs it: kept connections, redirects that lose no secret, errors in two sorts.

Redirects are followed here because credentials belong to one origin (scheme, host, port): a Hub redirects to
a CDN that must never see the token. An error is either worth another try (`Transient`) or final (`Failure`);
nothing else leaves this module.

An origin may need minutes before it answers, as a mirror does that fetches the file first; so does one behind
a load balancer of which one machine hangs, where another try helps soon. So the first try is given the
network's time-out, and each that met silence makes the next ones to that origin wait longer for a first byte.
"""

import contextlib
import dataclasses
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import urllib3.exceptions
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

import modelsync
from modelsync.api.common import display
from modelsync.api.reasons import Reason
from modelsync.worker.common import volume_errors
from modelsync.worker.common.failures import Failure, causes
from modelsync.worker.common.model import Request
from modelsync.worker.common.retry import Transient
from modelsync.worker.http import urls
from modelsync.worker.http.address_policy import Forbidden, Trail
from modelsync.worker.http.connection_pool import Wires
from modelsync.worker.http.connector import Network, ProxyTrouble, UnknownProxy
from modelsync.worker.http.http1 import Broken, Response, Silent, Unanswered, Wire
from modelsync.worker.http.urls import Origin

_log = logging.getLogger(__name__)

MAX_REDIRECTS = 10
USER_AGENT = f"modelsync/{modelsync.__version__}"
PATIENCE = (1, 5, 25, 30)
"""How many time-outs the first byte of an answer may take: at first, and after each silence."""
LONGEST_SECONDS = 300
"""For a first byte, unless the time-out itself is longer."""
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response whose body is still to be read, and where it came from."""

    response: Response
    request: Request
    """The last hop: URL and the headers that its origin may see, and whether the internet led there."""


def following(request: Request, location: str) -> Request:
    """The request that a redirect asks for; headers of the source stay with their own origin."""
    try:
        url = urls.joined(request.url, location)
        before, after = urls.parsed(request.url).origin, urls.parsed(url).origin
    except ValueError:
        raise _refused(request.url, "redirects to something that is no URL of http or https") from None
    if (before.scheme, after.scheme) == ("https", "http"):
        text = f"redirects from https to http ({urls.shown(url)}), which is not followed"
        raise _refused(request.url, text)
    headers = request.headers if before == after else {}
    return Request(url=url, headers=headers)


def _refused(url: str, what: str) -> Failure:
    return Failure(Reason.ORIGIN_ERROR, f"{urls.shown(url)} {what}. Check the source's address.")


_Exchange = tuple[str, str, Mapping[str, str], int]
"""Method, target, headers, and how many time-outs the first byte may take."""


class Transport:
    """Connections to all origins. Thread-safe; close it in the end."""

    def __init__(self, network: Network) -> None:
        self._wires = Wires(network)
        self._seconds = network.timeout_seconds
        self._waits = tuple(waits_of(silences, self._seconds) for silences in range(len(PATIENCE)))
        self._silences: dict[Origin, int] = {}
        """How often an origin's answer did not begin in time, where one has to wait longer for it."""

    def get(self, request: Request, extra: Mapping[str, str], *, method: str = "GET") -> Answer:
        """Ask, along redirects; raises Transient for what passes and Failure for what does not."""
        trail = Trail(outside=request.outside)
        for _ in range(MAX_REDIRECTS + 1):
            outside = trail.outside
            response = self.once(request, extra, method, trail)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or location is None:
                if outside != request.outside:
                    request = dataclasses.replace(request, outside=outside)
                return Answer(response=response, request=request)
            with contextlib.suppress(Broken):
                response.skip()
            response.close()
            request = following(request, location)
        raise _refused(request.url, f"redirects more than {MAX_REDIRECTS} times")

    def once(self, request: Request, extra: Mapping[str, str], method: str, trail: Trail) -> Response:
        """Ask and follow nothing; raises as `get` does."""
        try:
            origin, target = urls.parsed(request.url)
        except ValueError as error:
            text = f"{urls.shown(request.url)} cannot be asked: {error}. Correct it in spec.source."
            raise Failure(Reason.INVALID_SPEC, text) from error
        headers = {"Host": origin.authority, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        headers |= {**request.headers, **extra}
        try:
            route = self._wires.route(origin)
            if route.forwarded:
                headers |= route.secret
                target = f"{origin.scheme}://{origin.authority}{target}"
            return self._patiently(origin, method, target, headers, trail)
        except (Broken, ProxyTrouble, UnknownProxy, Forbidden, HTTPError, OSError) as error:
            raise trouble(error, request.url) from error

    def _patiently(
        self, origin: Origin, method: str, target: str, headers: Mapping[str, str], trail: Trail
    ) -> Response:
        """Ask, and wait as long as the origin has shown to need."""
        silences = self._silences.get(origin, 0)
        waits = self._waits[silences]
        try:
            return self._asked(origin, (method, target, headers, waits), trail)
        except Silent as error:
            text = _silence(origin.host, waits * self._seconds)
            if silences + 1 < len(PATIENCE) and silences == self._silences.get(origin, 0):
                self._silences[origin] = silences + 1  # once for all that waited beside each other
                _log.warning("%s", text)
            raise Transient(Failure(Reason.NETWORK_ERROR, text)) from error

    def _asked(self, origin: Origin, what: _Exchange, trail: Trail) -> Response:
        """Ask on a connection that is there, else on a new one."""
        wire = self._wires.idle(origin, trail)
        if wire is not None:
            try:
                response = _ask(wire, *what)
                trail.passed(wire.address)
                return response
            except Unanswered:  # its other end had let it go: that says nothing of the request
                pass
        wire = self._wires.new(origin, trail)
        trail.passed(wire.address)
        return _ask(wire, *what)

    def close(self) -> None:
        """Close all idle connections."""
        self._wires.close()


def waits_of(silences: int, timeout_seconds: float) -> int:
    """How many time-outs a first byte may take of an origin that was silent so often."""
    return max(1, min(PATIENCE[silences], round(LONGEST_SECONDS / timeout_seconds)))


def _ask(wire: Wire, method: str, target: str, headers: Mapping[str, str], waits: int) -> Response:
    try:
        return wire.ask(method, target, headers, waits=waits)
    except BaseException:
        wire.close()
        raise


def _silence(host: str, seconds: float) -> str:
    return (
        f"{host} was reached, but its answer did not begin within {display.duration(seconds)}. The next tries"
        " wait longer, up to 5 minutes; worker.timeout sets the wait of the first one."
    )


def trouble(error: BaseException, url: str) -> Transient | Failure:
    """What an exception about a URL means."""
    if isinstance(error, Broken) and error.__cause__ is not None:
        error = error.__cause__
    host = urls.host_of(url)
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.errno in volume_errors.TOO_MANY_FILES:
            return Transient(volume_errors.too_many_files(cause, f"connecting to {host}"))
    if isinstance(error, ssl.SSLError):
        return _tls_trouble(error, host)
    if isinstance(error, Forbidden):
        return _forbidden(error, host)
    if isinstance(error, UnknownProxy):
        text = f"The proxy on the way to {host} speaks {error}. Name one that begins with http:// or https://"
        return Failure(Reason.NETWORK_ERROR, f"{text} in worker.proxy of the operator's configuration.")
    if isinstance(error, NameResolutionError):
        text = f"The host name {host} cannot be resolved. Check the source's address and the cluster's DNS."
    elif isinstance(error, ProxyTrouble):
        text = f"The proxy does not connect to {host}. Check worker.proxy of the operator's configuration."
    elif _is_timeout(error):
        text = f"{host} does not answer in time. Check that it can be reached from the worker's namespace."
    else:
        text = f"The connection to {host} failed. Check that it can be reached from the worker's namespace."
        return Transient(Failure(Reason.NETWORK_ERROR, text), refused=True)
    return Transient(Failure(Reason.NETWORK_ERROR, text))


def _forbidden(error: Forbidden, host: str) -> Failure:
    """Without the address, since not everyone who names a host may look it up; the log has it."""
    _log.warning("%s leads to %s, which may not be reached (%s)", host, error.address, error.why)
    text = f"Downloads may not reach {host} ({error.why})."
    fix = "Name another host in spec.source, or let the administrator allow it: worker.addresses.allowed."
    return Failure(Reason.ADDRESS_FORBIDDEN, f"{text} {fix}")


def _is_timeout(error: BaseException) -> bool:
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return not isinstance(error, NewConnectionError)
    return isinstance(error, TimeoutError)


def _tls_trouble(error: ssl.SSLError, host: str) -> Transient | Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"The certificate of {host} is not trusted: {error.verify_message}."
        fix = (
            "Put its CA certificate into the ConfigMap of worker.caConfigMap in the operator's configuration."
        )
        return Failure(Reason.NETWORK_ERROR, f"{text} {fix}")
    return Transient(Failure(Reason.NETWORK_ERROR, f"The TLS connection to {host} failed."), refused=True)
