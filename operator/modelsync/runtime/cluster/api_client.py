"""The Kubernetes API as a few verbs on dicts: the only module that imports the `kubernetes` package.

The package serves as a transport alone (credentials, TLS, connections). Its models are not used: ten thousand
Pods cost it 9 s and 600 MiB as models, 1 s as dicts. Each call has one timeout, one typed error and one
entry in the metrics, and nothing is retried here: the caller knows what a repetition means.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config

from modelsync import errors
from modelsync.api import naming
from modelsync.api.common import backoff, untrusted
from modelsync.runtime.cluster import decoding, streamed_lists
from modelsync.runtime.cluster.resources import PODS, Resource
from modelsync.runtime.common import server_clock

Object = dict[str, Any]
Observer = Callable[[str, str, str, float], None]
"""Called after each request with verb, resource, code and seconds."""

_MERGE_PATCH = "application/merge-patch+json"
_JSON = "application/json"
PAGE = 50
"""Objects asked for at once: each may have 1.5 MiB, the most that etcd takes."""
_LONGEST_PAGE = 300.0
"""Seconds that a page of a list may take altogether."""
_LONGEST_WAIT = 60.0
_MOST_REASON = 128
_MOST_MESSAGE = 2048
"""Seconds that an answer may ask us to wait; one that asks for more, as a proxy may, is asked after this."""


class ApiError(errors.KubeError):
    """The API server refused or failed a request; webhooks of others write into its message."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        reason, message = untrusted.clean(reason, _MOST_REASON), untrusted.clean(message, _MOST_MESSAGE)
        super().__init__(f"{status} {reason}: {message}" if status else message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @property
    def is_uncertain(self) -> bool:
        """Whether the request may have been carried out all the same."""
        return self.status == 0 or self.status >= 500

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later without anybody's act."""
        return self.is_uncertain or self.status in (401, 408, 409, 429)


class NotFound(ApiError):
    """404: no such object, or no such resource type."""


class Conflict(ApiError):
    """409: the object exists already, or is newer than the precondition says."""


class Expired(ApiError):
    """410: the continue token or resourceVersion is too old."""


class TooManyRequests(ApiError):
    """429: the server asks for patience; `retry_after` is how long, if it said so."""


class ServerError(ApiError):
    """5xx: the server is in trouble; whether it acted is unknown."""


class Unreachable(ApiError):
    """No answer in time; whether the server acted is unknown."""


_BY_STATUS: dict[int, type[ApiError]] = {404: NotFound, 409: Conflict, 410: Expired, 429: TooManyRequests}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the API server is and how to prove who we are; for the watching library."""

    server: str
    ca_path: str | None = None
    ca_data: str | None = None
    token: str | None = None
    certificate_path: str | None = None
    private_key_path: str | None = None
    insecure: bool = False
    proxy: str | None = field(default=None, repr=False)
    """URL that a kubeconfig names (`proxy-url`); it may hold a password."""


async def configuration(*, in_cluster: bool, kubeconfig: str | None, context: str | None) -> Any:
    """The client's configuration, from the Pod's service account or from a kubeconfig."""
    settings = kubernetes_client.Configuration()
    try:
        if in_cluster:
            kubernetes_config.load_incluster_config(client_configuration=settings)
        else:
            await kubernetes_config.load_kube_config(
                config_file=kubeconfig, context=context, client_configuration=settings, persist_config=False
            )
    except (kubernetes_config.ConfigException, OSError) as error:
        raise errors.ConfigError(
            f"no access to a cluster: {error}; set --kubeconfig (KUBECONFIG) and --context, or run in a Pod"
            " with a service account"
        ) from error
    return settings


async def connect(
    *, in_cluster: bool, kubeconfig: str | None, context: str | None, observer: Observer | None, agent: str
) -> "Kube":
    """A client for the cluster that the settings name."""

    async def load() -> Any:
        return await configuration(in_cluster=in_cluster, kubeconfig=kubeconfig, context=context)

    return Kube(await load(), observer=observer, agent=agent, reload=load)


class Kube:
    """The API server behind eight verbs; dicts in, dicts out, `ApiError` on trouble."""

    def __init__(
        self,
        settings: Any,
        *,
        timeout: float = 10.0,
        observer: Observer | None = None,
        agent: str = "modelsync",
        reload: Callable[[], Awaitable[Any]] | None = None,
    ) -> None:
        self._settings = settings
        self._reload = reload
        self._client = kubernetes_client.ApiClient(configuration=settings)
        self._client.user_agent = agent
        self._timeout = timeout
        self._observer = observer
        self.clock = server_clock.ClusterClock()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def access(self) -> Access:
        """The present credentials, read each time (tokens are rotated)."""
        with _logging_in():
            found = await self._settings.auth_settings()
        header = str(found.get("BearerToken", {}).get("value") or "")
        return Access(
            server=self._settings.host,
            ca_path=self._settings.ssl_ca_cert,
            ca_data=self._settings.ca_cert_data,
            token=header.partition(" ")[2] or header or None,
            certificate_path=self._settings.cert_file,
            private_key_path=self._settings.key_file,
            insecure=not self._settings.verify_ssl,
            proxy=self._settings.proxy,
        )

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """One object."""
        return await self._call("get", resource, resource.path(namespace, name))

    async def read_list(
        self,
        resource: Resource,
        namespace: str | None,
        take: streamed_lists.Take,
        *,
        field_selector: str = "",
        limit: int = PAGE,
    ) -> streamed_lists.Listed:
        """Hand over all objects, one by one as they come; raises Expired when the list must be begun again.

        The objects of a page that breaks off have been handed over then, and come again.
        """
        token, version, unreadable = "", 0, 0
        while True:
            query = {
                "labelSelector": resource.selector,
                "fieldSelector": field_selector,
                "limit": str(limit),
                "continue": token,
            }
            page = streamed_lists.Page(resource, take)
            await self._send(
                "list", resource, "GET", resource.path(namespace), query=query, headers={}, into=page.feed
            )
            try:
                version, token = version or page.version(), page.following()
            except ValueError as error:
                raise _bad_answer() from error
            unreadable += page.unreadable
            if not token:
                return streamed_lists.Listed(resource_version=version, unreadable=unreadable)

    async def create(self, resource: Resource, namespace: str | None, body: Object) -> Object:
        """Create an object; raises Conflict when the name is taken. A review has no namespace."""
        return await self._call("create", resource, resource.path(namespace), body=body)

    async def replace(self, resource: Resource, namespace: str, name: str, body: Object) -> Object:
        """Replace an object; raises Conflict when its resourceVersion is not the newest."""
        return await self._call("update", resource, resource.path(namespace, name), body=body)

    async def patch(
        self, resource: Resource, namespace: str, name: str, body: Object, *, subresource: str = ""
    ) -> Object:
        """A JSON merge patch; a resourceVersion in it is a precondition."""
        return await self._call("patch", resource, resource.path(namespace, name, subresource), body=body)

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, wait: bool = False
    ) -> Object:
        """Delete an object, if it is still the one with this uid; its dependents go in the background.

        With `wait` the object stays until they are gone (the call does not).
        """
        policy = "Foreground" if wait else "Background"
        body = {"propagationPolicy": policy, "preconditions": {"uid": uid}}
        return await self._call("delete", resource, resource.path(namespace, name), body=body)

    async def pod_proxy(
        self, namespace: str, pod: str, path: str, *, headers: Mapping[str, str], body: Object | None = None
    ) -> bytes:
        """A request to a Pod through the API server: GET, or PUT when there is a body."""
        url = PODS.path(namespace, pod, "proxy") + path
        return await self._send(
            "proxy",
            PODS,
            "GET" if body is None else "PUT",
            url,
            body=body,
            headers=dict(headers),
            timeout=5.0,
        )

    async def serves(self, resource: Resource) -> bool:
        """Whether the API server knows this resource type now."""
        try:
            found = await self._call("discover", resource, f"/apis/{resource.group}/{resource.version}")
        except NotFound:
            return False
        return any(entry.get("name") == resource.plural for entry in found.get("resources") or [])

    async def _call(
        self,
        verb: str,
        resource: Resource,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        method = _METHODS[verb]
        writes = {"fieldManager": naming.FIELD_MANAGER} if verb in ("create", "update", "patch") else {}
        raw = await self._send(
            verb, resource, method, path, query={**(query or {}), **writes}, body=body, headers={}
        )
        try:
            return decoding.one(raw)
        except ValueError as error:
            raise _bad_answer() from error

    async def _send(
        self,
        verb: str,
        resource: Resource,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        headers: dict[str, str],
        timeout: float | None = None,
        into: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """The body of a good answer, or nothing when it went block by block into a function."""
        started = time.monotonic()
        code = "error"
        try:
            status, answer, retry_after = await self._exchange(
                method, path, query, body, headers, timeout, into
            )
            if status == 401 and await self._has_newer_credentials():
                status, answer, retry_after = await self._exchange(
                    method, path, query, body, headers, timeout, into
                )
            code = str(status)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(0, "Unreachable", f"no answer from the API server: {error!r}") from error
        finally:
            if self._observer is not None:
                self._observer(verb, resource.plural, code, time.monotonic() - started)
        if 200 <= status < 300:
            return answer
        raise _error(status, answer, retry_after)

    async def _has_newer_credentials(self) -> bool:
        """Whether a kubeconfig's login program or a rotated file had something to try again with."""
        if self._reload is None:
            return False
        with _logging_in():
            async with asyncio.timeout(self._timeout):
                self._settings.api_key = (await self._reload()).api_key
        return True

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Object | None,
        headers: dict[str, str],
        timeout: float | None,
        into: Callable[[bytes], None] | None,
    ) -> tuple[int, bytes, str | None]:
        with _logging_in():  # a token that is about to expire is renewed here
            prepared = await self._client.param_serialize(
                method,
                path,
                query_params=[(key, value) for key, value in (query or {}).items() if value],
                header_params={
                    "Accept": _JSON,
                    "Content-Type": _MERGE_PATCH if method == "PATCH" else _JSON,
                    **headers,
                },
                body=body,
                auth_settings=["BearerToken"],
            )
        sent = self.clock.read()
        limit = aiohttp.ClientTimeout(total=timeout or self._timeout)
        if into is not None:  # a list may be long; what counts is that it comes
            limit = aiohttp.ClientTimeout(
                total=_LONGEST_PAGE, sock_connect=limit.total, sock_read=limit.total
            )
        answer = await self._client.call_api(*prepared, _request_timeout=limit)
        if naming.KEY_HEADER not in headers:  # the answer of a Pod is not the API server's
            self.clock.hear(answer.getheader("Date"), sent)
        if into is not None and answer.status == 200:
            await streamed_lists.pour(answer.response, into)
            return answer.status, b"", None
        return answer.status, await answer.read(), answer.getheader("Retry-After")


def _bad_answer() -> ServerError:
    return ServerError(502, "BadAnswer", "the API server's answer is not a JSON object")


_METHODS = {
    "get": "GET",
    "list": "GET",
    "discover": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}


@contextlib.contextmanager
def _logging_in() -> Iterator[None]:
    """Whatever a login program or a kubeconfig that is being written raises: a 401 with its words."""
    try:
        yield
    except Exception as error:
        said = str(error) or type(error).__name__
        raise ApiError(401, "LoginFailed", f"cannot log in to the API server: {said}") from error


def _error(status: int, answer: bytes, retry_after: str | None) -> ApiError:
    """The typed error for an answer; a `v1.Status` body gives reason and message."""
    try:
        parsed = decoding.one(answer)
        reason, message = str(parsed.get("reason", "")), str(parsed.get("message", ""))
    except ValueError:
        reason, message = "", answer[:200].decode(errors="replace")
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    wait = backoff.retry_after(retry_after, now=time.time(), longest=_LONGEST_WAIT)
    return kind(status, reason or "Unknown", message, wait)
