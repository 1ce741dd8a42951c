"""The API server, asked from this process: what the tests do beside the commands of a user.

A kubectl costs 0.12 s of a processor, a request on an open connection 0.002 s, and the tests on a cluster ask
a thousand times. kubectl stays where what a user types, or what it answers, is what a test is about.

A kind is found by its name as kubectl takes it (`pod`, `pods`), and its plural by the rule of apimachinery's
`UnsafeGuessKindToResource`.
"""

import contextlib
import functools
import json
import os
import socket
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

Object = dict[str, Any]
_SECONDS = 60
_RETRIES = urllib3.Retry(3, backoff_factor=0.2, allowed_methods={"GET", "DELETE", "PATCH"})
"""For a connection that ended while nobody used it, and a server that asks for patience. A creation that is
repeated may find its own object, so it is not in the list."""
_VERSIONS = {
    "v1": (
        "ConfigMap",
        "Event",
        "Namespace",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Pod",
        "Secret",
        "Service",
        "ServiceAccount",
    ),
    "admissionregistration.k8s.io/v1": ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    "apiextensions.k8s.io/v1": ("CustomResourceDefinition",),
    "apps/v1": ("Deployment",),
    "batch/v1": ("Job",),
    "coordination.k8s.io/v1": ("Lease",),
    "modelsync.dev/v1alpha1": ("ModelSync", "SyncQueue"),
}
"""Kinds that are asked for by name; an object that is applied names its version itself."""
_SHORT = {"crd": "customresourcedefinition", "crds": "customresourcedefinition"}
_OF_NO_NAMESPACE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "Namespace",
    "PersistentVolume",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
}


class ApiError(AssertionError):
    """The API server said no, or nothing (`status` 0); the message is its own."""

    def __init__(self, said: str, status: int = 0) -> None:
        super().__init__(said)
        self.status = status


class NotFound(ApiError):
    """404: no such object, or no such kind."""


def get(kind: str, namespace: str | None, name: str) -> Object:
    """One object; raises NotFound where there is none."""
    return _asked("GET", _path(*_known(kind), namespace, name))


def items(
    kind: str, namespace: str | None, *, labels: str = "", fields: str = "", only_metadata: bool = False
) -> list[Object]:
    """The objects of a namespace, or of all."""
    return _listed(kind, namespace, labels, fields, only_metadata)[0]


def _listed(
    kind: str, namespace: str | None, labels: str = "", fields: str = "", only_metadata: bool = False
) -> tuple[list[Object], str]:
    """The objects, and the resource version from which a watch goes on."""
    version, name = _known(kind)
    media = "application/json"
    if only_metadata:
        media += ";as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    query = {"labelSelector": labels, "fieldSelector": fields}
    found = _asked("GET", _path(version, name, namespace), query, headers={"Accept": media})
    # A list of the server says once what its items are; kubectl says it of each.
    objects = [{"apiVersion": version, "kind": name, **one} for one in found["items"] or []]
    return objects, str(found["metadata"]["resourceVersion"])


def create(thing: Object, *, user: str = "", strict: bool = True, dry_run: bool = False) -> Object:
    """Create an object, also with a user's rights; raises ApiError with 409 where one has its name."""
    path = _path(thing["apiVersion"], thing["kind"], thing["metadata"].get("namespace", "default"))
    return _asked("POST", path, _checked(strict=strict, dry_run=dry_run), thing, _of(user))


def apply(thing: Object, *, dry_run: bool = False) -> Object:
    """What `kubectl apply --server-side --force-conflicts` does with an object."""
    meta = thing["metadata"]
    path = _path(thing["apiVersion"], thing["kind"], meta.get("namespace", "default"), meta["name"])
    query = {"fieldManager": "kubectl", "force": "true", **_checked(dry_run=dry_run)}
    return _asked("PATCH", path, query, thing, {"Content-Type": "application/apply-patch+yaml"})


def patch(
    kind: str,
    namespace: str | None,
    name: str,
    change: Object,
    *,
    subresource: str = "",
    user: str = "",
    dry_run: bool = False,
) -> Object:
    """A JSON merge patch, also with a user's rights."""
    path = _path(*_known(kind), namespace, name) + (f"/{subresource}" if subresource else "")
    headers = {"Content-Type": "application/merge-patch+json", **_of(user)}
    query = {"fieldManager": "kubectl-patch", **_checked(dry_run=dry_run)}
    return _asked("PATCH", path, query, change, headers)


def _checked(*, strict: bool = True, dry_run: bool = False) -> dict[str, str]:
    checked = {"fieldValidation": "Strict" if strict else "Ignore"}
    return checked | ({"dryRun": "All"} if dry_run else {})


def _of(user: str) -> dict[str, str]:
    return {"Impersonate-User": user} if user else {}


def delete(kind: str, namespace: str | None, name: str) -> None:
    """Delete an object and, in the background, what it owns; one that is not there is no error."""
    with contextlib.suppress(NotFound):
        _asked("DELETE", _path(*_known(kind), namespace, name), {"propagationPolicy": "Background"})


def delete_all(kind: str, namespace: str) -> None:
    """Delete all objects of a kind in a namespace; a kind that is no longer defined is no error."""
    with contextlib.suppress(NotFound):
        _asked("DELETE", _path(*_known(kind), namespace), {"propagationPolicy": "Background"})


def log(namespace: str, pod: str) -> str:
    """All that the only container of a Pod printed."""
    return _send("GET", _path("v1", "Pod", namespace, pod) + "/log").data.decode()


def token(namespace: str, account: str) -> str:
    """A token of a ServiceAccount, as `kubectl create token --duration=2h` gives it."""
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 7200},
    }
    answer = _asked("POST", _path("v1", "ServiceAccount", namespace, account) + "/token", body=asked)
    return str(answer["status"]["token"])


class Changes:
    """The objects of a kind as they are and then as they become; `close` ends it from any thread."""

    def __init__(self, kind: str, namespace: str, fields: str = "") -> None:
        self._first, resource_version = _listed(kind, namespace, fields=fields)
        query = {"fieldSelector": fields, "watch": "true", "resourceVersion": resource_version}
        # Without a timeout of reading: nothing may change for as long as a test waits.
        self._stream = _send("GET", _path(*_known(kind), namespace), query, stream=True)

    def __iter__(self) -> Iterator[Object]:
        yield from self._first
        for event in map(json.loads, self._lines()):
            if event["type"] == "ERROR":
                raise ApiError(str(event["object"].get("message")), event["object"].get("code", 0))
            yield event["object"]

    def close(self) -> None:
        """End the iteration, also while it waits.

        By the socket itself: urllib3 would shut its TLS layer down, which the thread that reads is using.
        """
        found = getattr(self._stream.connection, "sock", None)
        with contextlib.suppress(OSError):  # it has ended by itself
            if found is not None:
                socket.socket.shutdown(found, socket.SHUT_RDWR)

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        with contextlib.closing(self._stream), contextlib.suppress(urllib3.exceptions.HTTPError):
            for block in self._stream.stream():
                *whole, rest = (rest + block).split(b"\n")
                yield from whole


def _known(kind: str) -> tuple[str, str]:
    """API version and kind by a name; raises LookupError for one that is not in the table."""
    wanted = _SHORT.get(kind, kind.lower())
    for version, kinds in _VERSIONS.items():
        for one in kinds:
            if wanted in (one.lower(), _plural(one)):
                return version, one
    raise LookupError(f"{kind}: not in dev/kube_api.py's table of kinds; add it there")


def _plural(kind: str) -> str:
    low = kind.lower()
    if low.endswith("y"):
        return low[:-1] + "ies"
    return low + ("es" if low.endswith("s") else "s")


def _path(version: str, kind: str, namespace: str | None, name: str = "") -> str:
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = namespace if kind not in _OF_NO_NAMESPACE else None
    parts = [root, *(("namespaces", inside) if inside else ()), _plural(kind), *((name,) if name else ())]
    return "/".join((parts[0], *(quote(part, safe=":") for part in parts[1:])))


def _asked(
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    body: Object | None = None,
    headers: Mapping[str, str] | None = None,
) -> Object:
    answer: Object = json.loads(_send(method, path, query, body, headers).data)
    return answer


def _send(
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    body: Object | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    stream: bool = False,
) -> urllib3.BaseHTTPResponse:
    api = _client(os.environ.get("KUBECONFIG", ""))
    given = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
    api.update_params_for_auth(given, [], ["BearerToken"], path, method, body)
    words = urlencode({key: value for key, value in (query or {}).items() if value})
    try:
        answer: urllib3.BaseHTTPResponse = api.rest_client.pool_manager.request(
            method,
            f"{api.configuration.host}{path}" + (f"?{words}" if words else ""),
            body=None if body is None else json.dumps(body),
            headers=given,
            preload_content=not stream,
            timeout=urllib3.Timeout(connect=_SECONDS, read=None if stream else _SECONDS),
            retries=_RETRIES,
        )
    except urllib3.exceptions.HTTPError as error:
        raise ApiError(f"{method} {path}: {error!r}") from error
    if answer.status >= 400:
        raise _refusal(f"{method} {path}", answer)
    return answer


def _refusal(asked: str, answer: urllib3.BaseHTTPResponse) -> ApiError:
    try:
        said = json.loads(answer.data)
        text = f"{said['reason']}: {said['message']}"
    except (ValueError, KeyError):
        text = answer.data.decode(errors="replace")[:500]
    kind = NotFound if answer.status == HTTPStatus.NOT_FOUND else ApiError
    return kind(f"{asked}: {answer.status} {text}", answer.status)


@functools.cache
def _client(kubeconfig: str) -> kubernetes_client.ApiClient:
    """One for each kubeconfig: connections stay open between requests. '' is the user's own."""
    return kubernetes_config.new_client_from_config(kubeconfig or None, persist_config=False)
