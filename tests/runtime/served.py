"""The operator's HTTP servers in a process of their own, so that their memory can be measured.

`python -m tests.runtime.served` prints the two ports, and serves until its input ends.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import prometheus_client as prometheus

from modelsync.runtime.telemetry import http_server

SERIES = 10_000
"""A page of a megabyte, as thousands of ModelSyncs make it."""


@dataclass(frozen=True)
class Served:
    """A process that serves."""

    pid: int
    health_port: int
    metrics_port: int

    def memory(self, word: str = "VmRSS") -> int:
        """Bytes of resident memory: now, or the most so far (`VmHWM`)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{word}:"))


@contextlib.contextmanager
def serving() -> Iterator[Served]:
    """Start the servers in a process, and end it."""
    command = [sys.executable, "-m", "tests.runtime.served"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        health, metrics = process.stdout.readline().split()
        try:
            yield Served(process.pid, int(health), int(metrics))
        finally:
            process.stdin.close()


async def _serve() -> None:
    registry = prometheus.CollectorRegistry()
    gauge = prometheus.Gauge("modelsync_example", "One of many series.", ["name"], registry=registry)
    for number in range(SERIES):
        gauge.labels(f"a-model-with-a-name-as-long-as-it-often-is-{number}")
    health = http_server.Server(http_server.health(healthy=lambda: None, ready=lambda: None), port=0)
    metrics = http_server.Server(http_server.metrics(registry), port=0)
    print(await health.start(), await metrics.start(), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
