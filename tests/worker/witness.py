"""What a whole sync looks up and connects to, its child processes included, as the kernel sees it.

Run as a program in a network namespace of its own, where every address is this machine: no library can ask
anybody unseen, by whichever language and call it does.
"""

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from dev.origins.files.origin import Origin
from dev.origins.hub import HubServer, Repository, Synthetic
from modelsync.api.source.transfer import Engine, Layout
from modelsync.worker.engines.library.gateway import Gateway
from tests.origins.syncs import Sync
from tests.worker.hubs import HubSync

ROOT = Path(__file__).resolve().parents[2]
_SYN, _ACK = 0x02, 0x10
_SET_UP = """
ip link set lo up && ip route add local default dev lo && ip -6 route add local default dev lo
echo 'nameserver 192.0.2.53' > "$1/resolv.conf" && mount --bind "$1/resolv.conf" /etc/resolv.conf
exec "$2" -m tests.worker.witness
"""
CASES = (
    "web", "s3", "hub",
    *(f"hub by {engine}" for engine in Engine), *(f"xet by {engine}" for engine in Engine),
    "pull",
)  # fmt: skip


class Witness(threading.Thread):
    """Watches all packets; `seen` is what was looked up (names) or connected to (`address:port`)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)

    def run(self) -> None:
        while True:
            self._note(self._socket.recv(256))

    def _note(self, packet: bytes) -> None:
        if packet[0] >> 4 == 4:
            protocol, target, rest = (
                packet[9],
                socket.inet_ntoa(packet[16:20]),
                packet[(packet[0] & 15) * 4 :],
            )
        else:
            protocol, target, rest = packet[6], socket.inet_ntop(socket.AF_INET6, packet[24:40]), packet[40:]
        (port,) = struct.unpack("!H", rest[2:4])
        if protocol == socket.IPPROTO_TCP and rest[13] & (_SYN | _ACK) == _SYN:
            self.seen.add(f"{target}:{port}")
        if protocol == socket.IPPROTO_UDP and port == 53:
            self.seen.add(_name(rest[8 + 12 :]))


def _name(question: bytes) -> str:
    parts = []
    while question and question[0]:
        parts.append(question[1 : 1 + question[0]].decode("latin-1"))
        question = question[1 + question[0] :]
    return ".".join(parts)


def observed() -> dict[str, list[str]]:
    """By case what was asked besides its origin."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-ec", _SET_UP, "sh", folder,
             sys.executable],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@contextlib.contextmanager
def _origins() -> Iterator[tuple[HubServer, Origin]]:
    files: dict[str, bytes | Synthetic] = {"config.json": b"{}", "model.safetensors": Synthetic(3_000_000)}
    hub = HubServer(Repository("org/plain", files), Repository("org/xet", files, xet=True))
    origin = Origin({"config.json": b"{}"})
    with hub, origin:
        yield hub, origin


def _carry_out(case: str, hub: HubServer, origin: Origin, volume: Path) -> None:
    kind, _, engine = case.partition(" by ")
    if case == "pull":
        command = [
            sys.executable,
            "-m",
            "modelsync",
            "pull",
            "hf://org/plain",
            "--to",
            str(volume / "pulled"),
        ]
        subprocess.run(command, env={**os.environ, "HF_ENDPOINT": hub.url}, capture_output=True, check=True)
    elif engine:
        repository = "org/xet" if kind == "xet" else "org/plain"
        HubSync(hub, volume, repository, engine=Engine(engine), layout=Layout.DIRECTORY).run()
    else:
        end = Sync(origin=origin, volume=volume, kind=kind).run()
        assert not end.message, end.message


def main() -> None:
    """Print what each case asked besides its origin."""
    witness, found = Witness(), {}
    witness.start()
    own: set[str] = set()
    begin = Gateway.start

    def start(self: Gateway) -> None:
        own.add(self.url.rpartition("@")[2])
        begin(self)

    Gateway.start = start  # type: ignore[method-assign]
    with _origins() as (hub, origin):
        urls = (hub.url, hub.cdn_url, hub.cas_url, origin.url, origin.cdn_url)
        known = {url.removeprefix("http://") for url in urls}
        for case in CASES:
            witness.seen.clear()
            with tempfile.TemporaryDirectory() as folder:
                _carry_out(case, hub, origin, Path(folder))
            time.sleep(0.05)  # the last packets are on their way to the thread
            found[case] = sorted(witness.seen - known - own)
            assert witness.seen & known, f"{case}: nothing was seen at all"
    print(json.dumps(found))


if __name__ == "__main__":
    main()
