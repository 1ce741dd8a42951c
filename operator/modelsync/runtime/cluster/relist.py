"""Own lists of everything: the barrier before the first plan, and the periodic mark and sweep.

A watch that had to begin again (410) never reports what was deleted meanwhile. So everything is listed at
start and every few minutes, and what a complete list does not hold is forgotten. A list is also what shows
that an etcd was restored; see `cache`.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence

from modelsync.api.common.backoff import Backoff
from modelsync.runtime.cluster import api_client, cache, envelopes
from modelsync.runtime.cluster.resources import QUEUES, WATCHED, Resource

_log = logging.getLogger(__name__)
_RESTARTS = 5
_SOON = 5.0
"""Seconds between a request for a list and the list: watches begin again meanwhile, and many requests are
one."""
_BACKOFF = Backoff(first=0.5, cap=30.0, jitter=0.1)


class Resync:
    """Lists all resources into the store."""

    def __init__(
        self,
        api: api_client.Kube,
        into: cache.Store,
        *,
        namespaces: Sequence[str],
        operator_namespace: str,
        page: int = api_client.PAGE,
        on_odd: envelopes.Report = lambda resource, found: None,
    ) -> None:
        self._api = api
        self._store = into
        self._page = page
        self._on_odd = on_odd
        where: Sequence[str | None] = namespaces or (None,)
        self._lists = [(resource, ns) for resource in WATCHED for ns in where]
        self._lists.append((QUEUES, operator_namespace))
        self._asked = asyncio.Event()
        self.complete = asyncio.Event()
        """Set while the store is known to hold everything."""

    async def once(self) -> None:
        """List everything; raises KubeError when a list failed, and then the store is as before."""
        for resource, namespace in self._lists:
            await self._list(resource, namespace)
        self.complete.set()

    async def until_complete(self) -> None:
        """List everything, again and again until it succeeds."""
        failures = 0
        while True:
            try:
                return await self.once()
            except api_client.ApiError as error:
                failures += 1
                wait = _BACKOFF.wait(failures, random=random.random(), asked=error.retry_after)
                _log.warning("cannot list the cluster's objects, trying again in %.1f s: %s", wait, error)
                await asyncio.sleep(wait)

    async def run(self, every: float) -> None:
        """List everything at intervals and when asked to, forever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._asked.wait()
                await asyncio.sleep(_SOON)
            self._asked.clear()
            await self.until_complete()

    def ask(self) -> None:
        """Let the next list be soon."""
        self._asked.set()

    async def _list(self, resource: Resource, namespace: str | None) -> None:
        for _ in range(_RESTARTS):
            try:
                return await self._list_once(resource, namespace)
            except api_client.Expired:
                _log.info("the list of %s expired while it was read; beginning again", resource.plural)
        raise api_client.Expired(410, "Expired", f"the list of {resource.plural} expired {_RESTARTS} times")

    async def _list_once(self, resource: Resource, namespace: str | None) -> None:
        listed: set[str] = set()
        mark = self._store.mark()

        def take(item: api_client.Object, whole: bool) -> None:
            if not whole:
                self._on_odd(resource, item)
            self._store.observe(resource, None, item, mark=mark)
            meta = item.get("metadata")
            listed.add(str(meta.get("uid", "")) if isinstance(meta, dict) else "")

        done = await self._api.read_list(resource, namespace, take, limit=self._page)
        if done.unreadable:  # any of those that were not seen may be one of them
            for _ in range(done.unreadable):
                self._on_odd(resource, None)
            return
        lost = self._store.sweep(resource, namespace, listed, done.resource_version, mark=mark)
        if lost:
            _log.info("%d %s were deleted without an event of the watch", lost, resource.plural)
