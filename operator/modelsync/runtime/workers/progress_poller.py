"""Asks running workers for their progress, and sets their share of the bandwidth.

Pull, not push: a worker parses untrusted data and talks to the internet, so it gets no credentials for the
cluster; the operator asks it by its Pod's IP. A worker that does not answer costs a poll and nothing else:
the last figures stay, and its Job goes on.

Who has waited longest is asked first, and so many at once that each one is asked within twice its interval:
up to a thousand workers every two seconds, also while a fifth of them hang until their time-out. If all of a
thousand hang, each is asked within ten seconds. Limits have a capacity of their own, so they wait for no
poll; workers that do not answer come last there.

Both are shared by namespace (`fair_shares`): a thousand workers that answer late are their own namespace's
trouble. So is the interval, which grows with a namespace's workers and not with those of others.
"""

import asyncio
import contextlib
import heapq
import itertools
import logging
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from modelsync.api import protocol
from modelsync.api.common.backoff import Backoff
from modelsync.core import actions
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache
from modelsync.runtime.common import fair_shares, supervision
from modelsync.runtime.workers import report_validation, stall_timer, worker_client

_log = logging.getLogger(__name__)
_IN_FLIGHT = 128
"""Polls at once of a namespace that is alone; of all of them a quarter more."""
_LIMITS_IN_FLIGHT = 32
_FEW = 20
_MANY = 1000
_FREE_TRIES = 3
_LONGEST = 30.0
OnSample = Callable[[snapshot.PodRecord, protocol.ProgressReport], None]


@dataclass(slots=True, eq=False)
class Contact:
    """How it goes with one Pod."""

    uid: str
    namespace: str
    failures: int = 0
    limit_asked: float = field(default=float("-inf"))
    action: actions.SetLimit | None = None
    """A limit that waits for its turn."""


class Crew:
    """Requests of one kind: those that wait, and those under way."""

    def __init__(self, alone: int) -> None:
        self.waiting = fair_shares.Turns[Contact]()
        self.tasks: set[asyncio.Task[None]] = set()
        self._room = fair_shares.Room(alone)

    def next(self) -> Contact | None:
        """Whose turn it is, as far as there is room."""
        return self.waiting.pop(self._room.has_for)

    def begin(self, namespace: str, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """A request is under way until its task is done."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        self._room.enter(namespace)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(lambda task: self._room.leave(namespace))
        return task


class Poller:
    """Polls every worker that runs; see the module."""

    def __init__(
        self,
        known: cache.Store,
        channel: worker_client.Channel,
        *,
        may_act: Callable[[], bool],
        on_sample: OnSample = lambda pod, report: None,
        count: Callable[[str], None] = lambda result: None,
        interval: float = 1.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = known
        self._channel = channel
        self._may_act = may_act
        self._on_sample = on_sample
        self._count = count
        self._interval = interval
        self._clock = clock
        self._every: dict[str, float] = {}
        """Seconds between two polls of a worker, by namespace."""
        self._contacts: dict[str, Contact] = {}
        self._silences = stall_timer.Silences(known.silence)
        self._due: list[tuple[float, int, Contact]] = []
        """A heap: when to ask whom; the number keeps those of one time in their order."""
        self._numbers = itertools.count()
        self._polls = Crew(_IN_FLIGHT)
        """By the time since when one is due."""
        self._limits = Crew(_LIMITS_IN_FLIGHT)
        """By failures."""
        self._freed = asyncio.Event()

    async def run(self) -> None:
        """Poll forever."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._meet()
                end = loop.time() + self._interval / 5
                while loop.time() < end:
                    self._freed.clear()
                    self._start_due()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout_at(end):
                            await self._freed.wait()
        finally:
            for task in self._polls.tasks | self._limits.tasks:
                task.cancel()

    def targets(self) -> list[snapshot.PodRecord]:
        """The Pods to ask: running ones of unfinished Jobs that we know."""
        return [pod for pod in self._store.pods.values() if self._is_target(pod)]

    async def ask(self, pod: snapshot.PodRecord) -> bool:
        """Ask one Pod now; returns whether its report was taken."""
        clock = asyncio.get_running_loop().time
        try:
            raw = await self._channel.progress(pod)
            before = self._store.samples.get(pod.uid)
            report = report_validation.parse(raw, pod, before.report if before else None)
        except (worker_client.NoAnswer, report_validation.BadReport) as error:
            self._count("invalid" if isinstance(error, report_validation.BadReport) else "unreachable")
            _log.debug("no progress from Pod %s/%s: %s", pod.namespace, pod.name, error)
            self._silences.missed(pod.uid, clock())
            return False
        except Exception:
            self._count("invalid")
            _log.exception("the report of Pod %s/%s cannot be used", pod.namespace, pod.name)
            return False
        self._count("ok")
        self._silences.heard(pod.uid, report, clock())
        self._store.sample(pod.uid, snapshot.Sample(report=report, received=self._clock()))
        self._on_sample(pod, report)
        return True

    def set_limit(self, action: actions.SetLimit) -> None:
        """Set a worker's limit; the plan repeats the action until a sample shows that it was taken."""
        contact = self._contacts.get(action.pod.uid)
        if contact is None or asyncio.get_running_loop().time() - contact.limit_asked < self._interval:
            return
        if contact.action is None:
            self._limits.waiting.put(contact.namespace, contact.failures, contact)
            self._freed.set()
        contact.action = action

    def _is_target(self, pod: snapshot.PodRecord) -> bool:
        job = self._store.jobs.get(pod.job_uid)
        return (
            pod.phase == "Running"
            and pod.running_since is not None
            and pod.exit_code is None
            and bool(pod.ip and pod.progress_key)
            and job is not None
            and (job.sync_uid, job.attempt) == (pod.sync_uid, pod.attempt)
            and self._store.works_for(pod) is not None
        )

    def _meet(self) -> None:
        """Take note of the Pods that came and went."""
        found = {pod.uid: pod.namespace for pod in self.targets()} if self._may_act() else {}
        self._every = intervals_of(Counter(found.values()), self._interval)
        for uid in self._contacts.keys() - found.keys():
            del self._contacts[uid]
        self._silences.keep(set(found))
        for uid in found.keys() - self._contacts.keys():
            contact = self._contacts[uid] = Contact(uid, found[uid])
            self._ask_at(contact, asyncio.get_running_loop().time())

    def _ask_at(self, contact: Contact, due: float) -> None:
        heapq.heappush(self._due, (due, next(self._numbers), contact))

    def _start_due(self) -> None:
        """Begin what is due, as far as there is room."""
        now = asyncio.get_running_loop().time()
        while (contact := self._limits.next()) is not None:
            action, contact.action = contact.action, None
            if action is not None and self._contacts.get(contact.uid) is contact:
                contact.limit_asked = now
                self._begin(self._limits, contact, self._limit(action))
        while self._due and self._due[0][0] <= now:
            due, _, contact = heapq.heappop(self._due)
            self._polls.waiting.put(contact.namespace, due, contact)
        while (contact := self._polls.next()) is not None:
            pod = self._store.pods.get(contact.uid)
            if pod is not None and self._contacts.get(contact.uid) is contact:
                self._begin(self._polls, contact, self._poll(pod, contact, now))

    def _begin(self, crew: Crew, contact: Contact, work: Coroutine[Any, Any, None]) -> None:
        task = crew.begin(contact.namespace, work)
        task.add_done_callback(supervision.report)
        task.add_done_callback(lambda task: self._freed.set())

    async def _poll(self, pod: snapshot.PodRecord, contact: Contact, began: float) -> None:
        try:
            heard = await self.ask(pod)
            contact.failures = 0 if heard else contact.failures + 1
        finally:
            self._ask_at(
                contact,
                began + wait_after(contact.failures, self._every.get(contact.namespace, self._interval)),
            )

    async def _limit(self, action: actions.SetLimit) -> None:
        request = protocol.LimitRequest(bytes_per_second=action.bytes_per_second)
        with contextlib.suppress(worker_client.NoAnswer):
            await self._channel.limit(action.pod, request)


def intervals_of(workers: Mapping[str, int], interval: float) -> dict[str, float]:
    """Seconds between two polls of one worker, by namespace, of the numbers of workers by namespace.

    Twice the interval where there are many; 500 polls a second at most, of which a namespace with very many
    gets what those with few leave.
    """
    if sum(workers.values()) <= _FEW:
        return dict.fromkeys(workers, interval)
    most = fair_shares.level(workers.values(), _MANY)
    return {namespace: 2 * interval * max(1.0, count / most) for namespace, count in workers.items()}


def wait_after(failures: int, every: float) -> float:
    """Seconds to the next poll: the interval with jitter; longer and longer for a Pod that stays silent."""
    backoff = Backoff(first=every, cap=max(_LONGEST, every), jitter=0.05)
    return backoff.wait(failures - _FREE_TRIES + 1, random=random.random())
