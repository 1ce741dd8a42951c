"""Connections that wait for another exchange, by the origin they lead to."""

import threading

from modelsync.worker.http.address_policy import Trail
from modelsync.worker.http.connector import Connector, Network, Route
from modelsync.worker.http.http1 import Wire
from modelsync.worker.http.urls import Origin


class Wires:
    """Idle connections and the ways to new ones. Thread-safe; close it in the end."""

    def __init__(self, network: Network) -> None:
        self._connector, self._reach = Connector(network), network.reach
        self._most = network.connections
        self._closed = False
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[Wire]] = {}
        self._routes: dict[Origin, Route] = {}

    def route(self, origin: Origin) -> Route:
        """The way to an origin, found once."""
        found = self._routes.get(origin)
        if found is None:
            found = self._routes[origin] = self._connector.route(origin)
        return found

    def idle(self, origin: Origin, trail: Trail) -> Wire | None:
        """The connection that was used last, if one is good for another exchange."""
        while True:
            with self._lock:
                waiting = self._idle.get(origin)
                if not waiting:
                    return None
                wire = waiting.pop()
            if wire.idle() and self._reach.permits(wire.address, trail):
                return wire
            wire.close()

    def new(self, origin: Origin, trail: Trail) -> Wire:
        """Another connection; raises as Connector.connect does."""
        connected, address = self._connector.connect(self.route(origin), trail)
        fresh = True

        def rest(wire: Wire) -> None:
            nonlocal fresh
            if fresh:
                fresh = False
                self._connector.remember(connected)
            self._keep(origin, wire)

        return Wire(connected, rest, address)

    def _keep(self, origin: Origin, wire: Wire) -> None:
        with self._lock:
            waiting = self._idle.setdefault(origin, [])
            if len(waiting) < self._most and not self._closed:
                waiting.append(wire)
                return
        wire.close()

    def close(self) -> None:
        """Close all idle connections, and those in use when their exchanges end."""
        with self._lock:
            self._closed = True
            waiting = [wire for each in self._idle.values() for wire in each]
            self._idle.clear()
        for wire in waiting:
            wire.close()
