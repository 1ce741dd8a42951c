"""The Kubernetes API with a caller's credentials: every request is the caller's own, and the server adds
none.

No URL, host, path or header of a request gets here: a path is built from checked names, so there is nothing
by which a caller could make the server ask somebody else. No redirect is followed and no proxy of the
environment is used, since both would carry the token to a third party.
"""

import asyncio
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp
from pydantic_core import from_json

from modelsync.api import naming
from modelsync.api.common import backoff
from modelsync.web import problems
from modelsync.web.problems import Problem, ProblemReason

Object = dict[str, Any]
_MOST_ANSWER = 64 * 1024 * 1024
"""Bytes of a page of a list: 20 of the largest objects."""
_MOST_EVENT = 8 * 1024 * 1024
_TEXT_BUFFER = 64 * 1024
"""Bytes of a text that are taken before they are asked for."""
_DEEPEST = 32
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: a credential for the API server, and a name for it that gives nothing away."""

    key: str
    """Keyed hash of the credential; callers with the same one share watches and limits."""
    headers: Callable[[], Awaitable[Mapping[str, str]]] = field(repr=False)
    """The credential as headers, read for each request."""


def sync_path(namespace: str | None, name: str = "") -> str:
    """URL path of ModelSyncs; None is all namespaces."""
    return _path(naming.SYNC_PLURAL, namespace, name)


def queue_path(namespace: str | None, name: str = "") -> str:
    """URL path of SyncQueues."""
    return _path(naming.QUEUE_PLURAL, namespace, name)


def pod_path(namespace: str, name: str = "") -> str:
    """URL path of the Pods of a namespace."""
    last = f"/{quote(name, safe='')}" if name else ""
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/pods{last}"


def _path(plural: str, namespace: str | None, name: str) -> str:
    where = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    last = f"/{quote(name, safe='')}" if name else ""
    return f"/apis/{naming.API_VERSION}{where}/{plural}{last}"


class Upstream:
    """Requests to one API server."""

    def __init__(self, server: str, tls: ssl.SSLContext | None, *, agent: str, timeout: float = 10.0) -> None:
        self._server = server.rstrip("/")
        self._timeout = timeout
        connector = aiohttp.TCPConnector(ssl=tls if tls is not None else True, limit=0)
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": agent, "Accept": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            read_bufsize=_MOST_EVENT,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def get(self, caller: Caller, path: str, query: Mapping[str, str] | None = None) -> Object:
        """An object or a page of a list."""
        return await self.send(caller, "GET", path, query=query)

    async def patch(self, caller: Caller, path: str, change: Object) -> Object:
        """A JSON merge patch; uid and resourceVersion in it are preconditions."""
        query = {"fieldManager": "modelsync-web", "fieldValidation": "Strict"}
        return await self.send(
            caller, "PATCH", path, query=query, body=change, kind="application/merge-patch+json"
        )

    async def send(
        self,
        caller: Caller,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        kind: str = "application/json",
    ) -> Object:
        """One request; raises Problem with what the API server said."""
        headers = {**await caller.headers(), "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        limit = aiohttp.ClientTimeout(total=self._timeout)
        try:
            async with self._session.request(
                method,
                self._server + path,
                params=query,
                data=data,
                headers=headers,
                timeout=limit,
                allow_redirects=False,
            ) as answer:
                raw = await _bounded(answer)
                if 200 <= answer.status < 300:
                    return decoded(raw)
                raise _problem(answer, raw)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unreachable(error) from error

    async def text(self, caller: Caller, path: str, query: Mapping[str, str], most: int) -> tuple[str, bool]:
        """At most so many bytes of an answer that is no JSON, and whether more came; raises Problem."""
        limit = aiohttp.ClientTimeout(total=self._timeout)
        try:
            async with self._session.get(
                self._server + path,
                params=query,
                headers=await caller.headers(),
                timeout=limit,
                allow_redirects=False,
                read_bufsize=_TEXT_BUFFER,
            ) as answer:
                if answer.status != 200:
                    raise _problem(answer, await _bounded(answer))
                raw = await received(answer, most)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unreachable(error) from error
        return raw[:most].decode("utf-8", "replace"), len(raw) > most

    async def watch(
        self, caller: Caller, path: str, version: str, *, seconds: int
    ) -> AsyncIterator[tuple[str, Object]]:
        """Events from a resourceVersion on, as (type, object), until the API server ends the watch."""
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        limit = aiohttp.ClientTimeout(total=seconds + 30, sock_connect=self._timeout, sock_read=seconds + 5)
        try:
            async with self._session.get(
                self._server + path,
                params=query,
                headers=await caller.headers(),
                timeout=limit,
                allow_redirects=False,
            ) as answer:
                if answer.status != 200:
                    raise _problem(answer, await _bounded(answer))
                async for line in answer.content:
                    event = decoded(line)
                    thing = event.get("object")
                    yield str(event.get("type")), thing if isinstance(thing, dict) else {}
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise unreachable(error) from error


def unreachable(error: Exception) -> Problem:
    """The problem of an API server that did not answer; its message names no credential."""
    word = "no answer in time" if isinstance(error, asyncio.TimeoutError) else type(error).__name__
    return Problem(
        503,
        ProblemReason.API_SERVER_UNAVAILABLE,
        f"the API server cannot be reached ({word}); the request may have been carried out",
        retry_after=5,
    )


async def received(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """An answer's body; of a larger one than `most` bytes so much that its length shows it."""
    raw = bytearray()
    async for part in answer.content.iter_any():
        raw += part
        if len(raw) > most:
            break
    return bytes(raw)


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    raw = await received(answer, _MOST_ANSWER)
    if len(raw) > _MOST_ANSWER:
        raise Problem(
            502, ProblemReason.API_SERVER_UNAVAILABLE, "the answer is too large; ask for fewer objects"
        )
    return raw


def _problem(answer: aiohttp.ClientResponse, raw: bytes) -> Problem:
    try:
        document = decoded(raw)
    except Problem:
        document = {}
    wait = backoff.retry_after(answer.headers.get("Retry-After"), now=time.time(), longest=60.0)
    return problems.of_kubernetes(answer.status, document, wait)


def decoded(raw: bytes) -> Object:
    """A JSON object; what is nested too deeply in it is left out, so that one object does not hide others."""
    try:
        found = from_json(raw)
    except ValueError:
        try:
            found = from_json(shallow(raw))
        except ValueError:
            found = None
    if not isinstance(found, dict):
        raise Problem(
            502, ProblemReason.API_SERVER_UNAVAILABLE, "the API server's answer is not a JSON object"
        )
    return found


def shallow(raw: bytes) -> bytes:
    """The text with an empty value in place of what is nested deeper than a list of objects may be."""
    depth, kept, parts = 0, 0, []
    for found in _TOKENS.finditer(raw):
        mark = found[0]
        if mark in b"[{":
            depth += 1
            if depth == _DEEPEST + 1:
                parts.append(raw[kept : found.start()] + b"null")
        elif mark in b"]}":
            if depth == _DEEPEST + 1:
                kept = found.end()
            depth -= 1
    return b"".join(parts) + raw[kept:]
