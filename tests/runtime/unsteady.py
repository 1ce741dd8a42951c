"""An API server in virtual time on which nothing arrives in order: the writer's world.

It keeps Kubernetes' promises about one object (a precondition is checked when a write is carried out, every
write makes a higher version) and none about time: a write may be carried out long after its sender has given
up, answers are lost, and each watcher hears of each version whenever it likes, newest first or oldest last.
"""

import asyncio
import contextlib
import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modelsync.runtime.cluster import api_client
from modelsync.runtime.cluster.resources import QUEUES, SYNCS, Resource
from tests.runtime import fake_api

Object = dict[str, Any]
Hear = Callable[[Resource, str | None, Object], object]
Judge = Callable[[Object, Object], None]
"""Called with an object before and after each write of its status."""
_TIMEOUT = 10.0


@dataclass
class Weather:
    """How bad it is; all probabilities."""

    lost: float = 0.0
    """A request that never arrives."""
    late: float = 0.0
    """A request that is carried out after its sender has given up."""
    unheard: float = 0.0
    """An answer that does not arrive."""
    refused: float = 0.0
    """429 and 503."""
    latency: float = 0.02
    watch: float = 0.2
    """Longest time on the way, for a request or answer, and for a watch event."""


CALM = Weather()


@dataclass
class Unsteady:
    """Objects of two resources that differ in their names alone; see the module."""

    chance: random.Random
    weather: Weather = field(default_factory=Weather)
    judge: Judge = lambda before, after: None
    objects: dict[str, Object] = field(default_factory=dict)
    version: int = 100
    hearers: list[Hear] = field(default_factory=list)
    writes: int = 0
    conflicts: int = 0
    _way: set["asyncio.Task[Any]"] = field(default_factory=set)

    def put(self, raw: Object) -> Object:
        """Store an object as the newest version and notify the watchers, each in its own time."""
        resource = SYNCS if raw.get("kind") == SYNCS.kind else QUEUES
        self.version += 1
        stored = fake_api.copied(raw)
        stored["metadata"]["resourceVersion"] = str(self.version)
        self.objects[stored["metadata"]["name"]] = stored
        for hear in self.hearers:
            self._begin(self._notify(hear, resource, fake_api.copied(stored)))
        return stored

    def listed(self) -> list[Object]:
        """All objects as they are now."""
        return fake_api.copied(list(self.objects.values()))

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """An object as it was at one moment between request and answer."""
        await self._on_the_way()
        found = fake_api.copied(self.objects[name])
        await self._on_the_way()
        return found

    async def patch(
        self, resource: Resource, namespace: str, name: str, body: Object, *, subresource: str = ""
    ) -> Object:
        """A write, with all that can become of it."""
        fate = self.chance.random()
        weather = self.weather
        for part, happens in (
            (weather.lost, self._lose),
            (weather.late, functools.partial(self._late, name, body)),
            (weather.unheard, functools.partial(self._unheard, name, body)),
            (weather.refused, self._refuse),
        ):
            if fate < part:
                await happens()
            fate -= part
        await self._on_the_way()
        stored = self._carry_out(name, body)
        await self._on_the_way()
        return stored

    async def quiet(self) -> None:
        """Wait until nothing is under way."""
        while self._way:
            await asyncio.wait(self._way)

    def _carry_out(self, name: str, body: Object) -> Object:
        known = self.objects[name]
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != known["metadata"]["resourceVersion"]:
            self.conflicts += 1
            raise api_client.Conflict(409, "Conflict", "the object has been modified")
        changed = fake_api.merged(known, {"status": body["status"]})
        self.judge(known, changed)
        self.writes += 1
        return fake_api.copied(self.put(changed))

    async def _lose(self) -> None:
        await asyncio.sleep(_TIMEOUT)
        raise api_client.Unreachable(0, "Unreachable", "no answer")

    async def _refuse(self) -> None:
        await self._on_the_way()
        if self.chance.random() < 0.5:
            raise api_client.TooManyRequests(429, "TooManyRequests", "patience", 1.0)
        raise api_client.ServerError(503, "ServiceUnavailable", "trouble")

    async def _late(self, name: str, body: Object) -> None:
        self._begin(self._carry_out_after(self.chance.uniform(0, 3 * _TIMEOUT), name, body))
        await self._lose()

    async def _unheard(self, name: str, body: Object) -> None:
        await self._on_the_way()
        self._carry_out(name, body)
        await self._lose()

    async def _carry_out_after(self, seconds: float, name: str, body: Object) -> None:
        await asyncio.sleep(seconds)
        with contextlib.suppress(api_client.Conflict):
            self._carry_out(name, body)

    async def _on_the_way(self) -> None:
        await asyncio.sleep(self.chance.uniform(0, self.weather.latency))

    async def _notify(self, hear: Hear, resource: Resource, raw: Object) -> None:
        await asyncio.sleep(self.chance.uniform(0, self.weather.watch))
        hear(resource, "MODIFIED", raw)

    def _begin(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._way.add(task)
        task.add_done_callback(self._way.discard)
