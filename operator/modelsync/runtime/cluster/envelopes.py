"""What kopf gets to read: each object as its identity and a text.

kopf parses a page or an event as a whole, by a parser that some objects end (and with it the watch of all
objects), and then works with what it parsed: it copies all of it, recursively, and believes annotations that
anybody can write to be its own. Nothing of that is needed to hand an object on. So kopf gets a session with a
response class of ours: an answer is taken apart by `decoding`, object by object, and what kopf finds in it
are envelopes, which all look alike.
"""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import aiohttp

from modelsync.runtime.cluster import decoding
from modelsync.runtime.cluster.resources import Resource

Object = dict[str, Any]
Report = Callable[[Resource, Object | None], None]
"""Called with what could not be read as a whole: the object as far as it could, None for nothing of it."""

_CONTENT, _WHOLE = "content", "whole"
_IDENTITY = ("name", "namespace", "uid", "resourceVersion")
_BLOCK = 1 << 16
_LONGEST_LIST = 300.0
"""Seconds that a page of a list may take altogether."""


def opened(envelope: Any) -> tuple[Object, bool]:
    """The object in an envelope, and whether all of it could be read."""
    return json.loads(envelope[_CONTENT]), bool(envelope[_WHOLE])


class Session:
    """A session that only `end` closes: kopf closes the one that it has and uses it again while it ends."""

    def __init__(self, real: aiohttp.ClientSession) -> None:
        self._real = real
        self.end = real.close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def request(
        self, *, timeout: aiohttp.ClientTimeout, url: str, **more: Any
    ) -> aiohttp.ClientResponse:
        """Ask; a list may take longer than kopf waits for other answers, as long as it comes."""
        if timeout.sock_read is None and "watch=true" not in url:
            timeout = aiohttp.ClientTimeout(
                total=_LONGEST_LIST, sock_connect=timeout.sock_connect, sock_read=timeout.total
            )
        return await self._real.request(timeout=timeout, url=url, **more)

    async def close(self) -> None:
        """Keep it open; see the class."""


def session(
    resources: Sequence[Resource], report: Report, *, headers: dict[str, str], ssl: Any, proxy: str | None
) -> Session:
    """A session whose answers about these resources hold envelopes; in the loop that uses it."""
    by_plural = {resource.plural: resource for resource in resources}

    class Answer(_Answer):
        def _about(self) -> Resource | None:
            return by_plural.get(self.url.name) if self.status == 200 else None

        def _report(self, resource: Resource, found: Object | None) -> None:
            report(resource, found)

    connector = aiohttp.TCPConnector(limit=0, ssl=ssl)
    return Session(
        aiohttp.ClientSession(connector=connector, headers=headers, response_class=Answer, proxy=proxy)
    )


class _Answer(aiohttp.ClientResponse):
    """An answer with envelopes in place of objects, in both ways in which kopf reads one."""

    def _about(self) -> Resource | None:
        raise NotImplementedError

    def _report(self, resource: Resource, found: Object | None) -> None:
        raise NotImplementedError

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """Wait for the head; the body of a watch is replaced."""
        await super().start(connection)
        resource = self._about()
        if resource is not None and self.url.query.get("watch") == "true":
            lines = _Lines(self.content, lambda line: self._line(resource, line))
            self.content = lines  # type: ignore[assignment]
        return self

    async def json(self, **options: Any) -> Any:
        """The body as data; for a list, with envelopes."""
        resource = self._about()
        if resource is None:
            return await super().json(**options)
        scanner = decoding.listed(decoding.unread(resource))
        items: list[Object] = []
        async for data in self.content.iter_chunked(_BLOCK):
            items.extend(self._enveloped(resource, text) for text in scanner.feed(data))
        try:
            return {**scanner.frame(), "items": [item for item in items if item]}
        except ValueError as error:
            raise aiohttp.ClientPayloadError("not a list of objects") from error

    def _line(self, resource: Resource, line: bytes) -> bytes:
        """An event as a line for kopf; nothing for what cannot be read."""
        try:
            kind, text = decoding.event(line, decoding.unread(resource))
            if kind == "BOOKMARK" or kind == "ERROR":
                return json.dumps({"type": kind, "object": _plain(text)}).encode() + b"\n"
        except ValueError:
            self._report(resource, None)
            return b""
        item = self._enveloped(resource, text)
        return json.dumps({"type": kind, "object": item}).encode() + b"\n" if item else b""

    def _enveloped(self, resource: Resource, text: decoding.Text) -> Object:
        """The envelope of an object; an empty one when its identity cannot be read."""
        try:
            found, whole = decoding.read(text)
        except ValueError:
            found, whole = {}, False
        meta = found.get("metadata")
        known = {key: meta.get(key, "") for key in _IDENTITY} if isinstance(meta, dict) else {}
        if not known.get("uid") or not all(isinstance(value, str) for value in known.values()):
            self._report(resource, None)
            return {}
        return {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": known,
            _CONTENT: json.dumps(found),
            _WHOLE: whole,
        }


class _Lines:
    """A stream's lines, each translated; all else is the stream's own."""

    def __init__(self, stream: aiohttp.StreamReader, translate: Callable[[bytes], bytes]) -> None:
        self._stream = stream
        self._translate = translate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """The translated lines; one that the end of the stream cuts off is none."""
        begun: list[bytes] = []
        async for data in self._stream.iter_chunked(_BLOCK):
            first, *others = data.split(b"\n")
            begun.append(first)
            for following in others:
                line = self._translate(b"".join(begun)) if any(begun) else b""
                begun = [following]
                if line:
                    yield line


def _plain(text: decoding.Text) -> Object:
    """What kopf reads of an object that is none of ours: a bookmark's version, an error's code."""
    found, _ = decoding.read(text)
    meta = found.get("metadata")
    version = meta.get("resourceVersion") if isinstance(meta, dict) else None
    plain = {key: found.get(key) for key in ("kind", "code", "reason", "message")}
    return {**plain, "metadata": {"resourceVersion": version}}
