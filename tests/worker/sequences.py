"""A sync through pauses, kills and retries, with its figures beside the log of its origin.

Real worker processes on a real directory, asked over HTTP as the operator asks them; the operator's side is
its own store, planner and accounting, so that it can be killed and started at any moment. What is left out
is Kubernetes: this module makes the objects that its controllers would.

    python -m tests.worker.sequences --count 100 [--seed 1]

What is compared: the origin counts the payload that it handed to its sockets, the sync what it read from its
own. What is between the two when a worker is stopped is sent and never received. So half of the stops come
when the origin is almost silent and the worker has read nearly all: these may cost DRAINED bytes. The others
come in full flow, where two sockets may hold IN_FLIGHT bytes of each connection on a busy machine. No other
difference is allowed but one in a thousand.
"""

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.origins.hub import HubServer, Repository, Synthetic
from modelsync.api.reasons import Phase
from modelsync.runtime.workers import report_validation, worker_client
from tests.worker.played import CONNECTIONS, SIZES, TOTAL, Cluster

IN_FLIGHT = 1 << 20
SILENCE = 50_000
"""Bytes per second of an origin that is almost silent."""
BEHIND = 8 * 1024
"""Bytes that a worker may have to read yet when it counts as having read all."""
DRAINED = BEHIND + 8 * 1024
STEPS = 10
PACE = 6_000_000


@dataclass(kw_only=True)
class Sequence(Cluster):
    """One sync, from its creation to Complete."""

    def run(self) -> None:
        """Some steps by chance, then to the end."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._end)
            for _ in range(STEPS):
                self.hub.rate, self.quiet = PACE, False
                step = self.chance.choice(
                    (self.kill, self.pause, self.restart, self.wait, self.wait, self.unseen)
                )
                self.log.append(step.__name__)
                if self.phase is Phase.COMPLETE:
                    return
                self._go_on()
                step()
            self._go_on()
            self.hub.rate = None
            self._until(lambda: self.phase is Phase.COMPLETE)

    # What may happen.

    def kill(self) -> None:
        """Kill the worker; the next attempt follows."""
        self._some_time()
        self._drain()
        self._kill()
        self._worker_ends()
        self.tick()

    def pause(self) -> None:
        """Pause, whether or not the last bytes were polled, and look at what is then reported."""
        self._some_time()
        self._drain()
        self.suspended = True
        self._until(lambda: self.phase in (Phase.PAUSED, Phase.COMPLETE))
        self.suspended = False

    def restart(self) -> None:
        """Kill the operator, in the middle of whatever it does."""
        self._some_time()
        self._die()

    def unseen(self) -> None:
        """The worker ends while no operator is there to hear of it."""
        self._some_time()
        self._die()
        if self.chance.random() < 0.5:
            self._drain()
            self._kill()
        self._worker_ends()

    def wait(self) -> None:
        """Nothing, for a time."""
        self._some_time()

    def _kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self._cut()
            self.process.kill()

    def _drain(self) -> None:
        """By chance: let the worker read all that was sent."""
        if self.chance.random() < 0.5:
            return
        self.hub.rate = SILENCE
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            sent = self.hub.bytes_sent()
            time.sleep(0.2)
            if self.hub.bytes_sent() - sent < SILENCE // 2:  # what was on its way at full pace has been sent
                asyncio.run(self._listen())
            if self.quiet:
                return

    async def _listen(self) -> None:
        """Ask the worker, and report to no operator."""
        for pod in self.operator.known.pods.values():
            channel = worker_client.Direct(port=self.port, timeout=2)
            with contextlib.suppress(worker_client.NoAnswer, report_validation.BadReport):
                progress = report_validation.parse(await channel.progress(pod), pod, None).progress
                self.quiet = progress.bytes_network >= self.hub.bytes_sent() - self.sent - BEHIND
            await channel.close()

    def check(self) -> None:
        """Compare the figures with each other and with the origin's log."""
        progress, sent = self.status["progress"], self.hub.bytes_sent()
        received, story = (
            self.network,
            f"{self.log} {progress} sent {sent} cuts {self.cuts} drained {self.drained}",
        )
        assert progress["bytesDone"] == progress["bytesTotal"] == TOTAL, story
        assert progress["bytesReused"] == 0, story
        slack = TOTAL // 1000
        assert received >= TOTAL - slack, story
        assert received <= sent, story
        assert self.operator.bytes == received - self.base, f"{self.operator.bytes} counted: {story}"
        lost = self.drained * DRAINED + self.cuts * CONNECTIONS * IN_FLIGHT
        assert sent - received <= slack + lost, story


@contextlib.contextmanager
def origin() -> Iterator[HubServer]:
    """A Hub with the model."""
    files = {path: Synthetic(size, seed=number) for number, (path, size) in enumerate(SIZES.items())}
    with HubServer(Repository("org/model", files)) as hub:
        yield hub


def check(seed: int, directory: Path) -> Sequence:
    """One sequence by chance; raises AssertionError where a figure is wrong."""
    with origin() as hub:
        sequence = Sequence(directory=directory, hub=hub, chance=random.Random(seed))
        sequence.run()
        sequence.check()
    return sequence


def main() -> None:
    """Many of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    for seed in range(wanted.seed, wanted.seed + wanted.count):
        with tempfile.TemporaryDirectory() as directory:
            done = check(seed, Path(directory) / "sync")
        stops = f"stopped {done.cuts} times in full flow, {done.drained} times when all was read"
        print(f"seed {seed}: {stops}; received {done.network} of {done.hub.bytes_sent()} sent", flush=True)


if __name__ == "__main__":
    main()
