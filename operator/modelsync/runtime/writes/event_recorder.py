"""Kubernetes Events on ModelSyncs: transitions only, each reported once.

An Event's name follows from the object, the reason and what makes the happening one (its key), so that an
operator that dies after posting and before storing does not post twice: the second time adds to `count`.

They are posted at a bounded rate, by turns of their namespaces, and no namespace fills the queue for others.
"""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

from modelsync.api import naming
from modelsync.core import actions
from modelsync.runtime.cluster import api_client
from modelsync.runtime.cluster.resources import EVENTS, SYNCS
from modelsync.runtime.common import fair_shares

_log = logging.getLogger(__name__)
_REMEMBERED = 4096
_QUEUE = 1000
"""Announcements of one namespace that wait, where it is the only one."""
_PER_SECOND = 10.0
_AGAIN_AFTER = 30.0
COMPONENT = "modelsync"


class Recorder:
    """Posts a namespace's announcements in the order they come; a lost one is only logged."""

    def __init__(
        self, api: api_client.Kube, *, instance: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._instance = instance
        self._clock = clock
        self._waiting = fair_shares.Turns[actions.Announce]()
        self._room = fair_shares.Room(_QUEUE)
        self._came = asyncio.Event()
        self._posted: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def announce(self, what: actions.Announce) -> None:
        """Take an announcement, unless it was just made: the plan repeats it until the status is stored."""
        name = event_name(what)
        now = self._clock()
        posted, count = self._posted.get(name, (float("-inf"), 0))
        namespace = what.sync.namespace
        if now - posted < _AGAIN_AFTER or not self._room.has_for(namespace):
            return
        self._posted[name] = (now, count)
        self._posted.move_to_end(name)
        while len(self._posted) > _REMEMBERED:
            self._posted.popitem(last=False)
        self._room.enter(namespace)
        self._waiting.put(namespace, 0, what)
        self._came.set()

    def waiting(self) -> int:
        """How many announcements are not posted yet."""
        return len(self._waiting)

    async def run(self) -> None:
        """Post forever."""
        while True:
            what = self._waiting.pop()
            if what is None:
                self._came.clear()
                await self._came.wait()
                continue
            self._room.leave(what.sync.namespace)
            try:
                await self._post(what)
            except api_client.ApiError as error:
                _log.warning("an Event on %s/%s is lost: %s", what.sync.namespace, what.sync.name, error)
            await asyncio.sleep(1 / _PER_SECOND)

    async def _post(self, what: actions.Announce) -> None:
        name = event_name(what)
        posted, count = self._posted.get(name, (0.0, 0))
        if count and not await self._repeated(what, count + 1):
            count = 0  # it has expired
        if count == 0:
            try:
                now = self._api.clock.now()
                await self._api.create(EVENTS, what.sync.namespace, event(what, self._instance, now))
            except api_client.Conflict:
                count = 1
                await self._repeated(what, 2)
        self._posted[name] = (posted, count + 1)

    async def _repeated(self, what: actions.Announce, count: int) -> bool:
        """Count an Event up; returns whether it is still there (they are kept for an hour)."""
        body = {
            "count": count,
            "lastTimestamp": _stamp(self._api.clock.now()),
            "message": what.message[:1024],
        }
        try:
            await self._api.patch(EVENTS, what.sync.namespace, event_name(what), body)
        except api_client.NotFound:
            return False
        return True


def event_name(what: actions.Announce) -> str:
    """The Event's name: the ModelSync's and a hash of what makes the happening one."""
    identity = "\n".join((what.sync.uid, what.reason, what.key))
    return f"{what.sync.name[:200].rstrip('-.')}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def event(what: actions.Announce, instance: str, now: datetime) -> api_client.Object:
    """The Event as an object."""
    sync = what.sync
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": event_name(what), "namespace": sync.namespace},
        "involvedObject": {
            "apiVersion": SYNCS.api_version,
            "kind": SYNCS.kind,
            "namespace": sync.namespace,
            "name": sync.name,
            "uid": sync.uid,
            "resourceVersion": sync.resource_version,
        },
        "type": what.type,
        "reason": str(what.reason),
        "message": what.message[:1024],
        "source": {"component": COMPONENT},
        "reportingComponent": f"{naming.GROUP}/{COMPONENT}",
        "reportingInstance": instance[:128],
        "action": str(what.reason),
        "firstTimestamp": _stamp(now),
        "lastTimestamp": _stamp(now),
        "count": 1,
    }


def _stamp(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")
