"""HTTP as the engine needs it: pools of connections, redirects that lose no secret, errors in two sorts.

Redirects are followed here, not by urllib3, because credentials belong to one origin (scheme, host, port): a
Hub redirects to a CDN that must never see the token. An error is either worth another try (`Transient`) or
final (`Failure`); nothing else leaves this module.
"""

import contextlib
import ssl
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

import urllib3
import urllib3.exceptions
from urllib3.exceptions import (
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from modelsync.api.reasons import Reason
from modelsync.worker import pools, tls
from modelsync.worker.failures import Failure
from modelsync.worker.model import Request
from modelsync.worker.retry import Transient

MAX_REDIRECTS = 10
USER_AGENT = "modelsync"
_SHORT = 64 * 1024
"""Bytes of a body that are read to keep its connection; a longer one is not worth it."""
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How the outside is reached; made of the environment by `modelsync.environment`."""

    timeout_seconds: float = 10.0
    connections: int = 8
    ca_file: str | None = None
    """Bundle of certification authorities instead of the system's."""
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Proxy URL by scheme, and `no` for the hosts that need none; may hold a password, hence not in repr."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response whose body is still to be read, and where it came from."""

    response: urllib3.BaseHTTPResponse
    request: Request
    """The last hop: URL and the headers that its origin may see."""
    redirected: bool


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL: what a credential is bound to."""
    parts = urllib.parse.urlsplit(url)
    port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    return parts.scheme.lower(), (parts.hostname or "").lower(), port


def shown(url: str) -> str:
    """A URL for messages: without query, fragment and user information."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    where = f"{host}:{parts.port}" if parts.port else host
    return urllib.parse.urlunsplit((parts.scheme, where, parts.path, "", ""))


def following(request: Request, location: str) -> Request:
    """The request that a redirect asks for; headers of the source stay with their own origin."""
    try:
        url = urllib.parse.urljoin(request.url, location)
        before, after = origin(request.url), origin(url)
    except ValueError:
        raise _refused(request.url, "redirects to something that is no URL") from None
    if after[0] not in ("http", "https") or not after[1]:
        raise _refused(request.url, "redirects to something that is not http or https")
    if (before[0], after[0]) == ("https", "http"):
        raise _refused(request.url, f"redirects from https to http ({shown(url)}), which is not followed")
    headers = request.headers if before == after else {}
    return Request(url=url, headers=headers, expires=request.expires)


def _refused(url: str, what: str) -> Failure:
    return Failure(Reason.ORIGIN_ERROR, f"{shown(url)} {what}. Check the source's address.")


class Transport:
    """Connections to all origins. Thread-safe; close it in the end."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._managers: dict[str, urllib3.PoolManager] = {}
        self._plain = self._manager(None)
        for scheme, proxy in network.proxies.items():
            if scheme in ("http", "https", "all"):
                self._managers[scheme] = self._manager(proxy)

    def _manager(self, proxy: str | None) -> urllib3.PoolManager:
        network = self._network
        timeout = urllib3.Timeout(connect=network.timeout_seconds, read=network.timeout_seconds)
        context = tls.client_context(network.ca_file)
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if proxy is None:
            direct = urllib3.PoolManager(
                maxsize=network.connections,
                timeout=timeout,
                retries=False,
                ssl_context=context,
                headers=headers,
            )
            direct.pool_classes_by_scheme = pools.BY_SCHEME
            return direct
        address = proxy if "://" in proxy else f"http://{proxy}"
        parts = urllib.parse.urlsplit(address)
        secret = {}
        if parts.username:
            user = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
            secret = urllib3.make_headers(proxy_basic_auth=user)
        return urllib3.ProxyManager(
            shown(address),
            maxsize=network.connections,
            timeout=timeout,
            retries=False,
            ssl_context=context,
            headers=headers,
            proxy_headers=secret,
        )

    def _for(self, url: str) -> urllib3.PoolManager:
        scheme, host, _ = origin(url)
        if urllib.request.proxy_bypass_environment(host, dict(self._network.proxies)):  # type: ignore[attr-defined]
            return self._plain
        return self._managers.get(scheme) or self._managers.get("all") or self._plain

    def get(self, request: Request, extra: Mapping[str, str], *, method: str = "GET") -> Answer:
        """Ask, along redirects; raises Transient for what passes and Failure for what does not."""
        redirected = False
        for _ in range(MAX_REDIRECTS + 1):
            response = self._once(request, extra, method)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or location is None:
                return Answer(response=response, request=request, redirected=redirected)
            _finish(response)
            request, redirected = following(request, location), True
        raise _refused(request.url, f"redirects more than {MAX_REDIRECTS} times")

    def _once(self, request: Request, extra: Mapping[str, str], method: str) -> urllib3.BaseHTTPResponse:
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **request.headers, **extra}
        try:
            return self._for(request.url).request(
                method,
                request.url,
                headers=headers,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except HTTPError as error:
            raise trouble(error, request.url) from error
        except ValueError as error:
            raise _refused(request.url, "is not a URL that can be asked") from error

    def close(self) -> None:
        """Close all idle connections."""
        for manager in (self._plain, *self._managers.values()):
            manager.clear()


def _finish(response: urllib3.BaseHTTPResponse) -> None:
    """Read the few bytes of a redirect's body, so that its connection serves the next file too."""
    with contextlib.suppress(HTTPError):
        response.read(_SHORT)
    response.close()


def trouble(error: BaseException, url: str) -> Transient | Failure:
    """What a library's exception about a URL means."""
    if isinstance(error, MaxRetryError) and error.reason is not None:
        error = error.reason
    host = urllib.parse.urlsplit(url).hostname or "the origin"
    if isinstance(error, SSLError):
        return _tls_trouble(error, host)
    if isinstance(error, NameResolutionError):
        text = f"The host name {host} cannot be resolved. Check the source's address and the cluster's DNS."
    elif isinstance(error, ProxyError):
        text = f"The proxy does not connect to {host}. Check HTTPS_PROXY and NO_PROXY of the worker."
    elif isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(error, NewConnectionError):
        text = f"{host} does not answer in time. Check that it can be reached from the worker's namespace."
    else:
        text = f"The connection to {host} failed. Check that it can be reached from the worker's namespace."
        return Transient(Failure(Reason.NETWORK_ERROR, text), refused=True)
    return Transient(Failure(Reason.NETWORK_ERROR, text))


def _tls_trouble(error: SSLError, host: str) -> Transient | Failure:
    cause = error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        text = f"The certificate of {host} is not trusted: {cause.verify_message}. "
        return Failure(Reason.NETWORK_ERROR, text + "Give the worker its authority with SSL_CERT_FILE.")
    return Transient(Failure(Reason.NETWORK_ERROR, f"The TLS connection to {host} failed."), refused=True)
