"""The loop: gather, plan, carry out.

Whatever happens in the cluster only wakes it; after a moment (to take what else happens at once) it makes one
snapshot, asks the pure planner, and hands the parts of the plan to those who carry them out. It acts only
while this process leads and the store is complete. A plan that fails is logged and made again: the loop never
ends by itself. It never waits for the API server, so that no object that is slow to create makes all others
wait; how long changes wait for their plan is measured.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from modelsync.core import actions
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache
from modelsync.runtime.telemetry import metrics, worker_counters
from modelsync.runtime.workers import progress_poller
from modelsync.runtime.writes import event_recorder, job_executor, status_writer

_log = logging.getLogger(__name__)
_DEBOUNCE = 0.1
_PATIENCE = 0.75
"""Seconds at most to gather what happens at once."""
_BEAT = 5.0
"""Seconds between two heartbeats at most."""
_LONGEST = 60.0
"""Seconds between two plans at most, in case a `wake_at` was forgotten."""

Planner = Callable[[snapshot.Snapshot], actions.Plan]


class ReconcileLoop:
    """Plans whenever something changed; see the module."""

    def __init__(
        self,
        known: cache.Store,
        plan: Planner,
        *,
        settings: snapshot.Settings,
        acting: job_executor.Executor,
        writing: status_writer.StatusWriter,
        polling: progress_poller.Poller,
        recording: event_recorder.Recorder,
        counting: worker_counters.Accounting,
        measuring: metrics.Metrics,
        may_act: Callable[[], bool],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = known
        self._plan = plan
        self._settings = settings
        self._acting = acting
        self._writing = writing
        self._polling = polling
        self._recording = recording
        self._counting = counting
        self._measuring = measuring
        self._may_act = may_act
        self._clock = clock
        self._monotonic = monotonic
        self._wake = asyncio.Event()
        self._woken = 0.0
        self._took = 0.0
        self._reported: set[str] = set()
        """Uids of the ModelSyncs of which it was said that something in their name is ignored."""
        self.heartbeat = self._monotonic()
        """When the loop last came round, on the monotonic clock."""

    @property
    def settings(self) -> snapshot.Settings:
        """What the planner decides by."""
        return self._settings

    @settings.setter
    def settings(self, settings: snapshot.Settings) -> None:
        self._settings = settings
        self.wake()

    def wake(self) -> None:
        """Something changed."""
        if not self._wake.is_set():
            self._woken = self._monotonic()
            self._wake.set()

    async def run(self) -> None:
        """Plan forever: when something changed, and when time alone changes the plan."""
        try:
            await self._loop()
        finally:
            await self._acting.close()

    async def _loop(self) -> None:
        due = 0.0
        while True:
            woken = await self._until(due)
            self.heartbeat = self._monotonic()
            if self._may_act() and (woken or self.heartbeat >= due):
                if woken or due:
                    self._measuring.plan_wait.observe(self.heartbeat - (self._woken if woken else due))
                due = self._monotonic() + self._safely()
            elif woken:
                due = 0.0  # what changed is planned as soon as this process may act

    async def _until(self, due: float) -> bool:
        """Wait for a change, the due time or the next heartbeat; returns whether something changed."""
        wait = min(_BEAT, max(0.0, due - self._monotonic())) if self._may_act() else _BEAT
        # Not asyncio.wait_for: before Python 3.12 it can swallow a cancellation.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wake.wait()
            await asyncio.sleep(self._pause())
        woken = self._wake.is_set()
        self._wake.clear()
        return woken

    def _pause(self) -> float:
        """How long to gather what happens at once: the longer a plan takes, the rarer it is made."""
        return min(_PATIENCE, max(_DEBOUNCE, 4 * self._took))

    def _safely(self) -> float:
        began = self._monotonic()
        try:
            wait = self.once(self._clock())
        except Exception:
            _log.exception("a plan failed; it is made again")
            self._measuring.reconcile_total.labels("plan", "error").inc()
            return 1.0
        self._took = self._monotonic() - began
        self._measuring.reconcile_total.labels("plan", "success").inc()
        self._measuring.reconcile_seconds.labels("plan").observe(self._took)
        return wait

    def once(self, now: datetime) -> float:
        """One plan, handed over; returns the seconds after which time alone asks for another one."""
        picture = self._store.snapshot(now, self._settings)
        plan = self._plan(picture)
        self._hand_over(picture, plan)
        self._report_foreign(plan)
        again = self._acting.start(plan.creations, plan.deletions)
        for keeper in (self._acting, self._writing, self._counting):
            keeper.forget_missing()
        waits = [_LONGEST] if again is None else [again]
        if plan.wake_at is not None:
            waits.append(max(0.05, (plan.wake_at - self._clock()).total_seconds()))
        return min(waits)

    def _hand_over(self, picture: snapshot.Snapshot, plan: actions.Plan) -> None:
        """Statuses, Events and limits: handed over without waiting."""
        for uid, status in plan.statuses.items():
            sync = picture.syncs[uid]
            try:
                self._counting.on_plan(sync, status)
                self._writing.offer_sync(sync, status)
            except Exception:  # of one object; the others' statuses, Jobs and deletions do not wait for it
                _log.exception("the status of %s/%s is not offered", sync.namespace, sync.name)
        for name, queue_status in plan.queue_statuses.items():
            self._writing.offer_queue(picture.queues[name], queue_status)
        for announcement in plan.events:
            self._recording.announce(announcement)
        for limit in plan.limits:
            self._polling.set_limit(limit)
        self._writing.active = plan.workers

    def _report_foreign(self, plan: actions.Plan) -> None:
        """Once for a ModelSync: who makes such objects again and again writes no Event each time."""
        self._reported &= self._store.syncs.keys()
        for announcement in plan.foreign:
            if announcement.sync.uid not in self._reported:
                self._reported.add(announcement.sync.uid)
                _log.warning(
                    "%s/%s: %s", announcement.sync.namespace, announcement.sync.name, announcement.message
                )
                self._recording.announce(announcement)
