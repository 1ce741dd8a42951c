"""Asks running workers for their progress, and tells them their share of the bandwidth.

Pull, not push: a worker parses untrusted data and talks to the internet, so it gets no credentials for the
cluster; the operator asks it by its Pod's IP. A worker that does not answer costs a poll and nothing else:
the last figures stay, and its Job goes on.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from modelsync.api import wire
from modelsync.api.backoff import Backoff
from modelsync.core import actions, snapshot
from modelsync.runtime import channels, reports, silences, store

_log = logging.getLogger(__name__)
_IN_FLIGHT = 32
_FEW = 20
_FREE_TRIES = 3
_LONGEST = 30.0
OnSample = Callable[[snapshot.PodRecord, wire.ProgressReport], None]


@dataclass(slots=True)
class Contact:
    """How it goes with one Pod."""

    due: float = 0.0
    failures: int = 0
    busy: bool = False
    limit_asked: float = field(default=float("-inf"))


class Poller:
    """Polls every worker that runs; see the module."""

    def __init__(
        self,
        known: store.Store,
        channel: channels.Channel,
        *,
        may_act: Callable[[], bool],
        on_sample: OnSample = lambda pod, report: None,
        count: Callable[[str], None] = lambda result: None,
        interval: float = 1.0,
    ) -> None:
        self._store = known
        self._channel = channel
        self._may_act = may_act
        self._on_sample = on_sample
        self._count = count
        self._interval = interval
        self._contacts: dict[str, Contact] = {}
        self._silences = silences.Silences(known.silence)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Poll for ever."""
        try:
            while True:
                self.start_due()
                await asyncio.sleep(self._interval / 5)
        finally:
            for task in self._tasks:
                task.cancel()

    def targets(self) -> list[snapshot.PodRecord]:
        """The Pods to ask: running ones of unfinished Jobs that we know."""
        return [pod for pod in self._store.pods.values() if self._is_target(pod)]

    def start_due(self) -> None:
        """Begin the polls whose time has come."""
        pods = self.targets() if self._may_act() else []
        for uid in self._contacts.keys() - {pod.uid for pod in pods}:
            del self._contacts[uid]
        self._silences.keep(set(self._contacts))
        every = self._interval if len(pods) <= _FEW else 2 * self._interval
        now = asyncio.get_running_loop().time()
        for pod in pods:
            contact = self._contacts.setdefault(pod.uid, Contact())
            if contact.due <= now and not contact.busy and len(self._tasks) < _IN_FLIGHT:
                contact.due = now + wait_after(contact.failures, every)
                self._begin(self._poll(pod, contact))

    def set_limit(self, wish: actions.SetLimit) -> None:
        """Tell a worker its limit; the plan repeats the wish until a sample shows that it was heard."""
        now = asyncio.get_running_loop().time()
        contact = self._contacts.get(wish.pod.uid)
        if contact is None or now - contact.limit_asked < self._interval or len(self._tasks) >= _IN_FLIGHT:
            return
        contact.limit_asked = now
        self._begin(self._limit(wish))

    def _is_target(self, pod: snapshot.PodRecord) -> bool:
        job = self._store.jobs.get(pod.job_uid)
        return (
            pod.phase == "Running"
            and pod.running_since is not None
            and pod.exit_code is None
            and bool(pod.ip and pod.progress_key)
            and job is not None
            and (job.sync_uid, job.attempt) == (pod.sync_uid, pod.attempt)
        )

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _poll(self, pod: snapshot.PodRecord, contact: Contact) -> None:
        contact.busy = True
        clock = asyncio.get_running_loop().time
        try:
            raw = await self._channel.progress(pod)
            before = self._store.samples.get(pod.uid)
            report = reports.parse(raw, pod, before.report if before else None)
        except (channels.Unanswered, reports.BadReport) as error:
            contact.failures += 1
            self._silences.missed(pod.uid, clock())
            self._count("invalid" if isinstance(error, reports.BadReport) else "unreachable")
            _log.debug("no progress from Pod %s/%s: %s", pod.namespace, pod.name, error)
        else:
            contact.failures = 0
            self._silences.heard(pod.uid, report, clock())
            self._count("ok")
            self._store.sample(pod.uid, snapshot.Sample(report=report, received=datetime.now(UTC)))
            self._on_sample(pod, report)
        finally:
            contact.busy = False

    async def _limit(self, wish: actions.SetLimit) -> None:
        request = wire.LimitRequest(bytes_per_second=wish.bytes_per_second)
        with contextlib.suppress(channels.Unanswered):
            await self._channel.limit(wish.pod, request)


def wait_after(failures: int, every: float) -> float:
    """Seconds to the next poll: the interval with jitter; longer and longer for a Pod that stays silent."""
    backoff = Backoff(first=every, cap=_LONGEST, jitter=0.05)
    return backoff.wait(failures - _FREE_TRIES + 1, random=random.random())
