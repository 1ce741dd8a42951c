"""What the kernel counts: bytes of the Pod's network devices, space of the volume.

The kernel's counters see what no engine reports: headers, retransmissions and bytes that were thrown away.
In a Pod, /proc/net/dev shows the Pod's own devices and starts at zero with it.
"""

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from modelsync.api.protocol import DeviceCounters, VolumeSpace

PROC_NET_DEV = Path("/proc/net/dev")
MOST_DEVICES = 16
"""What a progress report holds."""
_LOOPBACK = "lo"
_NAME = re.compile(r"[\w.@:-]{1,32}")
_RECEIVED, _SENT = 0, 8
"""Columns of the bytes in /proc/net/dev (proc_net(5))."""


def parse_devices(text: str) -> tuple[DeviceCounters, ...]:
    """The devices in the text of /proc/net/dev without loopback; lines that make no sense are left out."""
    found = []
    for line in text.splitlines():
        name, colon, numbers = line.rpartition(":")
        columns = numbers.split()
        name = name.strip()
        if not colon or name == _LOOPBACK or not _NAME.fullmatch(name) or len(columns) <= _SENT:
            continue
        received, sent = columns[_RECEIVED], columns[_SENT]
        if received.isdecimal() and sent.isdecimal():
            found.append(DeviceCounters(device=name, receive_bytes=int(received), transmit_bytes=int(sent)))
    return tuple(sorted(found, key=lambda each: (-each.receive_bytes, each.device))[:MOST_DEVICES])


def network_devices(path: Path = PROC_NET_DEV) -> tuple[DeviceCounters, ...]:
    """The network devices now, the busiest first; none where the kernel does not list them."""
    try:
        return parse_devices(path.read_text(encoding="ascii", errors="replace"))
    except OSError:
        return ()


class SpaceProbe:
    """Space of a volume, asked for in a thread of its own: a dead file server blocks the thread that asks
    it."""

    def __init__(
        self, path: Path, ask: Callable[[Path], VolumeSpace | None] = lambda path: volume_space(path)
    ) -> None:
        self._path, self._ask = path, ask
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._known: VolumeSpace | None = None

    def latest(self, wait_seconds: float = 0.2) -> VolumeSpace | None:
        """The space now; as it was last known where no answer comes in time."""
        with self._lock:
            if self._asking is None or not self._asking.is_alive():
                self._asking = threading.Thread(target=self._look, name="space", daemon=True)
                self._asking.start()
            asking = self._asking
        asking.join(wait_seconds)
        return self._known

    def _look(self) -> None:
        self._known = self._ask(self._path)


def volume_space(path: str | int | os.PathLike[str]) -> VolumeSpace | None:
    """Space of the file system that holds a path or descriptor, as an unprivileged user may use it."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return VolumeSpace(
        capacity_bytes=found.f_blocks * found.f_frsize, available_bytes=found.f_bavail * found.f_frsize
    )
