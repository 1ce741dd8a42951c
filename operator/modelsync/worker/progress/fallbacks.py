"""Progress when the engine cannot report it: what is on the volume, else what came over the network.

Our engine reports every byte. Others (hf_transfer, or a library that fetches for us) may report nothing, and
a bar that stands still for an hour is taken for a hang. So there are three layers, the best first, and the
figure always comes with the layer it is from.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from modelsync.api.protocol import DeviceCounters
from modelsync.api.reasons import Layer

PARTIAL_SUFFIXES = (".incomplete", ".tmp", ".partial")
"""How download tools call a file that is not complete yet."""
Layered = Callable[[], int | None]
Devices = Callable[[], Iterable[DeviceCounters]]
_BLOCK = 512
"""Unit of st_blocks (stat(2))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A number of bytes and where it is from."""

    bytes_done: int
    layer: Layer


class Sight:
    """The layers of one transfer, asked from the best on. Each gives the bytes that are on their way to the
    volume or there, or None when it does not know."""

    def __init__(self, *, engine: Layered, files: Layered, network: Layered) -> None:
        self._layers = ((engine, Layer.ENGINE), (files, Layer.FILES), (network, Layer.NETWORK))

    def look(self) -> Seen:
        """What the best layer reports now; 0 of the engine when none does."""
        for ask, layer in self._layers:
            value = ask()
            if value is not None:
                return Seen(bytes_done=value, layer=layer)
        return Seen(bytes_done=0, layer=Layer.ENGINE)


def partial_bytes(directory: Path | str) -> int | None:
    """Bytes in partial files below a directory.

    None when there is no such file. A preallocated or sparse file counts with what is really allocated.
    Links are not followed.
    """
    found = None
    for folder, _, names in os.walk(directory):
        for name in names:
            if name.endswith(PARTIAL_SUFFIXES):
                found = (found or 0) + allocated(os.path.join(folder, name))
    return found


def allocated(path: str) -> int:
    """Bytes of a file that are really there; 0 when it is gone."""
    try:
        stat = os.lstat(path)
    except OSError:
        return 0  # renamed to its final name between the listing and now
    return min(stat.st_size, stat.st_blocks * _BLOCK)


def received(before: Iterable[DeviceCounters], now: Iterable[DeviceCounters]) -> int | None:
    """Bytes that all devices received between two readings; None without any device.

    A counter that fell was reset with its device, and counts from zero.
    """
    earlier = {each.device: each.receive_bytes for each in before}
    devices = tuple(now)
    if not devices:
        return None
    return sum(_grown(earlier.get(each.device, 0), each.receive_bytes) for each in devices)


def _grown(before: int, now: int) -> int:
    return now - before if now >= before else now
