"""Host names looked up once for all connections of a while.

Each new connection would ask again, and in a cluster one question becomes as many as the search list is long
(resolv.conf's ndots:5): eight connections that a proxy cuts every second would keep a cluster's DNS busy.
"""

import socket
import threading
import time
from collections.abc import Callable

KEPT_SECONDS = 60.0
"""As long as the shortest times to live that are usual; a name whose addresses all fail is asked again."""

Lookup = Callable[[str, int], list[str]]


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Names:
    """Addresses by host name. Thread-safe."""

    def __init__(self, look_up: Lookup = _look_up, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._look_up, self._clock = look_up, clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, list[str]]] = {}

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host in the order to be tried; raises socket.gaierror."""
        with self._lock:
            asked, found = self._known.get(host, (float("-inf"), []))
        if self._clock() - asked < KEPT_SECONDS:
            return list(found)
        found = self._look_up(host, port)
        with self._lock:
            self._known[host] = self._clock(), found
        return list(found)

    def forget(self, host: str) -> None:
        """None of its addresses answered."""
        with self._lock:
            self._known.pop(host, None)
