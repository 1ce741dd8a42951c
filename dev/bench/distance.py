"""Two network namespaces far from each other: each packet between them is delayed, in a process of ours.

Some kernels have no netem, therefore a TUN device in each namespace and a process that carries packets from
one to the other. The hosts' own TCP has a real round-trip time: windows grow and bound one connection, which
a relay of byte streams could not show. Packets are large, as a process cannot carry a gigabit in packets of
1500 bytes; the queue before the link is one round trip deep and drops what exceeds it.
"""

import argparse
import collections
import contextlib
import ctypes
import fcntl
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.bench import helper
from dev.bench.places import Unavailable

MTU = 9000
SERVER, CLIENT = ("10.98.0.1", "10.98.0.3"), ("10.98.0.2",)
_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """The two namespaces: what to run a command by in each, and where the server listens."""

    addresses: tuple[str, str]
    on_server: tuple[str, ...]
    on_client: tuple[str, ...]


@contextlib.contextmanager
def between(round_trip_seconds: float, rate: float) -> Iterator[Distance]:
    """Make two namespaces with a link of `rate` bytes per second between them; needs root."""
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
        raise Unavailable("network namespaces need root and /dev/net/tun")
    names = [f"modelsync-bench-{os.getpid()}-{end}" for end in ("server", "client")]
    with contextlib.ExitStack() as undo:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
            undo.callback(subprocess.run, ["ip", "netns", "delete", name], check=False)
        carrier = helper.running("dev.bench.distance", *names, str(round_trip_seconds), str(rate))
        undo.enter_context(carrier)
        on_server, on_client = (("nsenter", f"--net=/run/netns/{name}", "--") for name in names)
        yield Distance(addresses=SERVER, on_server=on_server, on_client=on_client)


class Direction:
    """One direction of the link: a queue, a rate and a delay."""

    def __init__(self, source: int, sink: int, delay: float, rate: float) -> None:
        self._source, self._sink = source, sink
        self._delay, self._rate = delay, rate
        self._most = delay * 2 * rate
        self._sent = 0.0
        """When the last packet has left the link's near end."""
        self._waiting: collections.deque[tuple[float, bytes]] = collections.deque()
        self._some = threading.Semaphore(0)

    def start(self) -> None:
        """Carry packets until the process ends."""
        for work in (self._take, self._give):
            threading.Thread(target=work, daemon=True).start()

    def _take(self) -> None:
        while True:
            packet = os.read(self._source, 65536)
            now = time.monotonic()
            begun = max(self._sent, now)
            if (begun - now) * self._rate > self._most:
                continue
            self._sent = begun + len(packet) / self._rate
            self._waiting.append((self._sent + self._delay, packet))
            self._some.release()

    def _give(self) -> None:
        while True:
            self._some.acquire()
            due, packet = self._waiting.popleft()
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            with contextlib.suppress(OSError):  # the device may be gone at the end
                os.write(self._sink, packet)


def _device(namespace: str, addresses: tuple[str, ...]) -> int:
    """Open a TUN device in a namespace; it stays there, the descriptor works anywhere."""
    libc = ctypes.CDLL(None, use_errno=True)
    entry = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(entry, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    os.close(entry)
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"link", _IFF_TUN | _IFF_NO_PI))
    steps = ["link set lo up", f"link set dev link mtu {MTU} txqueuelen 5000 up"]
    steps += [f"address add {address}/24 dev link" for address in addresses]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(steps), text=True, check=True)
    return device


def main() -> int:
    """Carry packets until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.distance", description=__doc__)
    parser.add_argument("server")
    parser.add_argument("client")
    parser.add_argument("round_trip_seconds", type=float)
    parser.add_argument("rate", type=float)
    options = parser.parse_args()
    server, client = _device(options.server, SERVER), _device(options.client, CLIENT)
    delay = options.round_trip_seconds / 2
    for source, sink in ((server, client), (client, server)):
        Direction(source, sink, delay, options.rate).start()
    print("ready", flush=True)
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
