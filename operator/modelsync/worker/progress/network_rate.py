"""How much the Pod's network devices carry in a second, down and up.

What an engine counts is payload; this is what the network bears, requests and retransmissions included. The
window is as long as the silence after which a speed is 0, so that both say at once that nothing comes.
"""

import collections
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from modelsync.api.protocol import DeviceCounters, NetworkRate
from modelsync.worker.progress.throughput import STOPPED_SECONDS

WINDOW_SECONDS = STOPPED_SECONDS
LEAST_SECONDS = 1.0
"""Looks that follow each other sooner are not kept, and are no window."""


class NetworkMeter:
    """Keeps the counters of the last looks: one a second of a window at most, and one before. Thread-safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._looks: collections.deque[tuple[float, Mapping[str, DeviceCounters]]] = collections.deque()

    def rate(self, devices: Sequence[DeviceCounters]) -> NetworkRate | None:
        """Bytes per second of the devices, whose counters were read now; None at the first look."""
        with self._lock:
            now = self._clock()
            counters = {device.device: device for device in devices}
            while len(self._looks) > 1 and now - self._looks[0][0] > WINDOW_SECONDS:
                self._looks.popleft()
            first = self._looks[0] if self._looks else (now, counters)
            if not self._looks or now - self._looks[-1][0] >= LEAST_SECONDS:
                self._looks.append((now, counters))
        seconds = now - first[0]
        return None if seconds < LEAST_SECONDS or not counters else _rate(first[1], counters, seconds)


def _rate(
    old: Mapping[str, DeviceCounters], new: Mapping[str, DeviceCounters], seconds: float
) -> NetworkRate:
    """Of the devices that are in both; one whose counter fell carried nothing that is known."""
    pairs = [(old[name], device) for name, device in new.items() if name in old]
    received = sum(max(0, device.receive_bytes - before.receive_bytes) for before, device in pairs)
    sent = sum(max(0, device.transmit_bytes - before.transmit_bytes) for before, device in pairs)
    return NetworkRate(
        receive_bytes_per_second=round(received / seconds), transmit_bytes_per_second=round(sent / seconds)
    )
