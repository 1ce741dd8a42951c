"""What `watch` shows, kept up to date beside the screen by a thread that asks the API server.

A watch of ModelSyncs is renewed every few seconds, so that its end is a sign of life: a server that went away
without a word is noticed within seconds, and no request of its own is needed for that. The queues are few and
are listed in between. Whatever fails is tried again, from a new list, for as long as the screen is open.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modelsync.kubectl import client
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError
from modelsync.kubectl.verbs import queue

Object = dict[str, Any]
Key = tuple[str, str]
_WATCH_SECONDS = 5
_MOST_WAIT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is known at one moment."""

    syncs: dict[Key, Object]
    queues: list[Object]
    problem: str | None
    """Why the last request failed."""
    contact: float
    """Monotonic time of the last answer."""


@dataclass(slots=True, kw_only=True)
class Chosen:
    """Which ModelSyncs are shown."""

    names: frozenset[str] = frozenset()
    query: dict[str, str | None] = field(default_factory=dict)

    def holds(self, found: Object) -> bool:
        """Whether an object is among them."""
        return not self.names or found["metadata"]["name"] in self.names


class Feed:
    """ModelSyncs and queues as they change; `changed` is called from a thread, whenever something is new."""

    def __init__(self, cluster: Cluster, chosen: Chosen, changed: Callable[[], None]) -> None:
        self._cluster, self._chosen, self._changed = cluster, chosen, changed
        self._lock = threading.Lock()
        self._syncs: dict[Key, Object] = {}
        self._queues: list[Object] = []
        self._problem: str | None = None
        self._contact = time.monotonic()
        self._version: str | None = None
        self.revision = 0
        """Grows with everything that is new."""

    def read_once(self) -> None:
        """The first list; raises CommandError."""
        self._list()
        self._list_queues()

    def start(self) -> None:
        """Follow what changes, until the program ends."""
        threading.Thread(target=self._follow, name="follow", daemon=True).start()

    def news(self) -> News:
        """What is known now."""
        with self._lock:
            return News(
                syncs=dict(self._syncs),
                queues=self._queues,
                problem=self._problem,
                contact=self._contact,
            )

    def _follow(self) -> None:
        wait = 1.0
        while True:
            try:
                if self._version is None:
                    self._list()
                self._list_queues()
                self._watch(self._version or "0")
                wait = 1.0
                continue
            except CommandError as error:
                problem = str(error)
            except (ValueError, KeyError, TypeError, AttributeError) as error:  # of an answer's shape
                problem = f"the API server's answer cannot be read ({type(error).__name__})"
            with self._lock:
                self._version, self._problem = None, problem
                self.revision += 1
            self._changed()
            time.sleep(wait)
            wait = min(wait * 2, _MOST_WAIT)

    def _list(self) -> None:
        path = client.syncs(self._cluster.scope)
        found = self._cluster.client.list(path, "modelsyncs", **self._chosen.query)
        shown = {_key(one): one for one in found["items"] if self._chosen.holds(one)}
        with self._lock:
            self._syncs = shown
            self._version = str((found.get("metadata") or {}).get("resourceVersion") or "0")
        self._answered()

    def _list_queues(self) -> None:
        found = queue.readable(self._cluster) or []
        with self._lock:
            self._queues = found
        self._answered()

    def _watch(self, version: str) -> None:
        path = client.syncs(self._cluster.scope)
        events = self._cluster.client.watch(
            path, "modelsyncs", version, seconds=_WATCH_SECONDS, **self._chosen.query
        )
        for kind, found in events:
            with self._lock:
                self._version = str((found.get("metadata") or {}).get("resourceVersion") or self._version)
                if kind == "DELETED":
                    self._syncs.pop(_key(found), None)
                elif kind in ("ADDED", "MODIFIED") and self._chosen.holds(found):
                    self._syncs[_key(found)] = found
            self._answered()
        self._answered()

    def _answered(self) -> None:
        with self._lock:
            self._problem, self._contact = None, time.monotonic()
            self.revision += 1
        self._changed()


def _key(found: Object) -> Key:
    meta = found["metadata"]
    return str(meta.get("namespace") or ""), str(meta["name"])
