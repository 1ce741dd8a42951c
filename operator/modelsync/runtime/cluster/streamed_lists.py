"""A list of the API server, object by object as its bytes come.

A page of 100 objects may have 150 MiB, and as values ten times that. So neither is ever held: each object is
handed over as soon as its last byte is there, to a store that keeps the little which it needs.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from modelsync.runtime.cluster import decoding
from modelsync.runtime.cluster.resources import Resource

Object = dict[str, Any]
Take = Callable[[Object, bool], None]
"""Gets an object of a list, and whether all of it could be read."""
_BLOCK = 1 << 18
"""Bytes that are read before a look for what is complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A list that was read to its end."""

    resource_version: int
    """The version of the whole list, the same on each page."""
    unreadable: int = 0
    """How many of its objects could not be read at all."""


class Page:
    """A page of a list as its bytes come."""

    def __init__(self, resource: Resource, take: Take) -> None:
        self._scanner = decoding.listed(decoding.unread(resource))
        self._take = take
        self.unreadable = 0

    def feed(self, data: bytes) -> None:
        """Hand over what is complete with these bytes."""
        for text in self._scanner.feed(data):
            try:
                found, whole = decoding.read(text)
            except ValueError:
                self.unreadable += 1
            else:
                self._take(found, whole)

    def version(self) -> int:
        """The list's resourceVersion, once all bytes came; raises ValueError when they are no list."""
        value = self._meta().get("resourceVersion")
        return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 20 else 0

    def following(self) -> str:
        """What the next page is asked for with, or ""; raises ValueError as `version` does."""
        return str(self._meta().get("continue") or "")

    def _meta(self) -> Object:
        meta = self._scanner.frame().get("metadata")
        return meta if isinstance(meta, dict) else {}


async def pour(answer: aiohttp.ClientResponse, into: Callable[[bytes], None]) -> None:
    """Hand over a body in blocks, and let others have their turn in between."""
    async with answer:
        block = bytearray()
        async for data in answer.content.iter_chunked(_BLOCK):
            block += data
            if len(block) >= _BLOCK:
                into(bytes(block))
                block.clear()
                await asyncio.sleep(0)
        into(bytes(block))
