"""The few requests of the plugin: JSON in, JSON out, a `CommandError` in one sentence for all that fails."""

import json
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

import urllib3

from modelsync.api import naming
from modelsync.kubectl import problems
from modelsync.kubectl.connection import Connection

Object = dict[str, Any]
_PAGE = 500
_GROUP = f"/apis/{naming.GROUP}"
_ROOT = f"{_GROUP}/{naming.VERSION}"
_CONNECT_SECONDS = 10.0


def path_of(plural: str, namespace: str | None, name: str | None = None, *, root: str = _ROOT) -> str:
    """The path of a resource, or of one object of it."""
    parts = [root]
    parts += ["namespaces", urllib.parse.quote(namespace, safe="")] if namespace is not None else []
    parts += [plural] + ([urllib.parse.quote(name, safe="")] if name is not None else [])
    return "/".join(parts)


def syncs(namespace: str | None, name: str | None = None) -> str:
    """The path of ModelSyncs."""
    return path_of(naming.SYNC_PLURAL, namespace, name)


def queues(namespace: str | None, name: str | None = None) -> str:
    """The path of SyncQueues."""
    return path_of(naming.QUEUE_PLURAL, namespace, name)


def core(plural: str, namespace: str | None, name: str | None = None) -> str:
    """The path of a resource of the core API."""
    return path_of(plural, namespace, name, root="/api/v1")


class Client:
    """Requests over one connection; a request has `timeout` seconds, None for no limit."""

    def __init__(self, connection: Connection, timeout: float | None = None) -> None:
        self._connection = connection
        self._timeout = timeout

    @property
    def namespace(self) -> str:
        """The namespace of the context."""
        return self._connection.namespace

    def get(self, path: str, about: str, **query: Any) -> Object:
        """An object."""
        return self._json("GET", path, about, query)

    def list(self, path: str, about: str, **query: Any) -> Object:
        """All objects of a resource, page by page, as one list."""
        found = self._json("GET", path, about, {"limit": _PAGE, **query})
        items = list(found.get("items") or ())
        while more := (found.get("metadata") or {}).get("continue"):
            found = self._json("GET", path, about, {"limit": _PAGE, **query, "continue": more})
            items += found.get("items") or ()
        return {**found, "items": items}

    def patch(self, path: str, about: str, body: Object) -> Object:
        """A merge patch."""
        return self._json("PATCH", path, about, {}, body, "application/merge-patch+json")

    def create(self, path: str, about: str, body: Object, **query: Any) -> Object:
        """A new object."""
        return self._json("POST", path, about, query, body)

    def delete(self, path: str, about: str, uid: str | None) -> Object:
        """Delete an object, only while it is the one of this uid."""
        body = {"preconditions": {"uid": uid}} if uid else {}
        return self._json("DELETE", path, about, {}, body)

    def watch(
        self, path: str, about: str, version: str, seconds: int | None = None, **query: Any
    ) -> Iterator[tuple[str, Object]]:
        """Changes since a resourceVersion, until the server ends the stream; raises CommandError 410 when the
        version is too old.

        The server is asked to end it after `seconds`; one that stays silent much longer counts as away.
        """
        query |= {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        query |= {} if seconds is None else {"timeoutSeconds": seconds}
        silence = None if seconds is None else seconds + _CONNECT_SECONDS
        for line in self.lines(path, about, silence, **query):
            event = json.loads(line)
            kind, found = event.get("type"), event.get("object") or {}
            if kind == "ERROR":
                raise problems.CommandError(str(found.get("message")), int(found.get("code") or 500))
            yield str(kind), found

    def lines(self, path: str, about: str, silence: float | None = None, **query: Any) -> Iterator[bytes]:
        """The lines of a stream, as they come; `silence` is the longest time without any, in seconds."""
        answer = self._send("GET", path, about, query, None, "", stream=True, read=silence)
        rest = b""
        try:
            for chunk in answer.stream(65_536):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
        except urllib3.exceptions.HTTPError as error:
            raise problems.unreachable(self._connection.host, str(error)) from None
        finally:
            answer.close()
        if rest:
            yield rest

    def text(self, path: str, about: str, **query: Any) -> str:
        """An answer that is no JSON."""
        answer: bytes = self._send("GET", path, about, query, None, "").data
        return answer.decode("utf-8", "replace")

    def _json(
        self,
        method: str,
        path: str,
        about: str,
        query: Mapping[str, Any],
        body: Object | None = None,
        content: str = "application/json",
    ) -> Object:
        answer = self._send(method, path, about, query, body, content)
        try:
            found = json.loads(answer.data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise problems.CommandError(
                f"{self._connection.host} does not answer in JSON: check --context and proxies"
            )
        return found

    def _send(
        self,
        method: str,
        path: str,
        about: str,
        query: Mapping[str, Any],
        body: Object | None,
        content: str,
        *,
        stream: bool = False,
        read: float | None = None,
    ) -> Any:
        connection, given = (
            self._connection,
            {key: value for key, value in query.items() if value is not None},
        )
        headers = urllib3.HTTPHeaderDict(connection.headers())
        for name, value in connection.impersonation:
            headers.add(name, value)
        if body is not None:
            headers["Content-Type"] = content
        url = connection.host + path + (f"?{urllib.parse.urlencode(given)}" if given else "")
        read = read if stream else self._timeout
        try:
            answer = connection.pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=urllib3.Timeout(connect=self._timeout or _CONNECT_SECONDS, read=read),
                retries=False,
                preload_content=not stream,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise problems.unreachable(connection.host, _cause(error)) from None
        if answer.status >= 300:
            problem = problems.of_answer(answer.status, answer.data, about)
            raise self._definitions_missing(path) or problem if answer.status == 404 else problem
        return answer

    def _definitions_missing(self, path: str) -> problems.CommandError | None:
        """Why a path of ours is not there: the cluster does not serve the version, or not the group."""
        if not path.startswith(_ROOT):
            return None
        try:
            answer = self._connection.pool.request(
                "GET",
                self._connection.host + _GROUP,
                headers=self._connection.headers(),
                timeout=urllib3.Timeout(self._timeout or _CONNECT_SECONDS),
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError):
            return None
        if answer.status == 404:
            return problems.no_definitions(())
        try:
            versions = tuple(str(one["version"]) for one in json.loads(answer.data)["versions"])
        except (ValueError, KeyError, TypeError):
            return None
        return None if naming.VERSION in versions else problems.no_definitions(versions)


def _cause(error: BaseException) -> str:
    """The innermost reason of an error of the connection."""
    reason = getattr(error, "reason", None)
    return str(reason if reason is not None else error)
