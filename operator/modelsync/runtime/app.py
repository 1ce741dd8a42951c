"""The operator as a whole: what is made of what, what runs, and in which order it ends.

Every replica observes; only the leader acts. To act needs three things at once: the lease, a store that was
filled *after* the lease was won, and a lease that is still good this very moment. SIGTERM ends in order
(finish the writes under way, give the lease back, stop); losing the lease ends at once, because another
operator may act from then on.
"""

import asyncio
import dataclasses
import functools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable

from modelsync import errors
from modelsync.api import naming, syncqueue
from modelsync.core import plan_cache, planner
from modelsync.core.cluster import snapshot
from modelsync.core.jobs import job_manifest
from modelsync.core.status import event_rules
from modelsync.runtime import reconcile_loop
from modelsync.runtime.cluster import api_client, cache, relist, watches
from modelsync.runtime.cluster.resources import QUEUES, WATCHED
from modelsync.runtime.common import config_watcher, core_settings, supervision
from modelsync.runtime.telemetry import (
    history_server,
    http_server,
    log_setup,
    metrics,
    speed_recorder,
    state_collector,
    token_reviews,
    unreadable_objects,
    worker_counters,
)
from modelsync.runtime.workers import progress_poller, start_diagnosis, worker_client
from modelsync.runtime.writes import event_recorder, job_executor, leader_election, status_writer
from modelsync.settings import invocation
from modelsync.settings.configuration import Configuration

_log = logging.getLogger(__name__)
_DRAIN = 3.0
_BLIND = 30.0
"""Seconds without a watch after which this replica does not count as ready."""
_REWIND = 30.0
"""Seconds for which what shows that an etcd was restored is taken for the same restore."""
_LIVE = 60.0
"""Seconds without a heartbeat after which the process counts as stuck."""


class Operator:
    """All parts, wired; see the module."""

    def __init__(
        self,
        started: invocation.Invocation,
        configuration: Configuration,
        api: api_client.Kube,
        measuring: metrics.Metrics,
    ) -> None:
        self._started = started
        self._config = configuration
        self._job_settings = core_settings.job_settings(configuration)
        self._api = api
        clock = api.clock.now
        self._metrics = measuring
        self._filled = False
        self._lost = False
        self._rewound = False
        self.store = cache.Store(wake=lambda: self.loop.wake(), on_rewind=self._on_rewind, clock=clock)
        self._oddities = unreadable_objects.Oddities(
            lambda plural: measuring.unreadable_objects.labels(plural).inc()
        )
        self.elector = self._make_elector()
        self.resync = relist.Resync(
            api,
            self.store,
            namespaces=started.namespaces,
            operator_namespace=started.operator_namespace,
            on_odd=self._oddities.report,
        )
        self._watches = self._make_watches()
        self._accounting = worker_counters.Accounting(measuring, self.store, clock=clock)
        self.store.on_pod(self._accounting.on_pod)
        self._channel = _channel(configuration, api)
        self._poller = progress_poller.Poller(
            self.store,
            self._channel,
            may_act=self._may_act,
            on_sample=self._accounting.on_sample,
            count=lambda result: measuring.polls.labels(result).inc(),
            clock=clock,
        )
        self._writer = status_writer.StatusWriter(
            api,
            self.store,
            rate=configuration.limits.status_writes_per_second,
            queue_namespace=started.operator_namespace,
            may_write=self._may_act,
            count=lambda result: measuring.status_patches.labels(result).inc(),
        )
        self._recorder = event_recorder.Recorder(api, instance=started.identity)
        self.store.on_sync_gone(self._say_what_is_left)
        self._diagnosis = start_diagnosis.Diagnosis(api, self.store, may_act=self._may_act, clock=clock)
        self.loop = self._make_loop()
        measuring.registry.register(state_collector.StateCollector(self.store, clock=clock))
        self._watcher = self._make_watcher()
        self._speeds = speed_recorder.SpeedRecorder(self.store, may_act=self._may_act, clock=clock)
        self._servers = self._make_servers()

    async def run(self, stop: asyncio.Event) -> int:
        """Run until asked to stop or the lease is lost; returns the process's exit code."""
        with log_setup.counted(lambda part: self._metrics.unexpected_errors.labels(part).inc()):
            return await self._run(stop)

    async def _run(self, stop: asyncio.Event) -> int:
        code = 0
        try:
            for server in self._servers:
                await server.start()
            async with asyncio.TaskGroup() as group:
                start = functools.partial(_start, group)
                for watch in self._watches:
                    start("watch", watch.run)
                start("resync", self._observe)
                acting = [start("engine", self.loop.run), start("writer", self._writer.run)]
                start("poller", self._poller.run)
                start("events", self._recorder.run)
                start("diagnosis", self._diagnosis.run)
                start("configuration", self._watcher.run)
                if self._config.history.reader is not None:
                    start("speeds", self._speeds.run)
                leading = group.create_task(self._lead(group))
                group.create_task(self._end(stop, [*acting, leading]))
        except* supervision.Stopped:
            _log.info("stopped")
        except* errors.LeaseLost as lost:
            _log.error("%s; stopping at once", lost.exceptions[0])
            code = 1
        finally:
            await self._channel.close()
            for server in reversed(self._servers):
                await server.close()
        return code

    async def _observe(self) -> None:
        """List as a standby, unless the lease is ours at once: then `_fill` lists, and one list is enough."""
        await self.elector.tried.wait()
        if not self.elector.is_leading:
            await self.resync.until_complete()
        await self.resync.run(self._config.resync_interval)

    async def _lead(self, group: asyncio.TaskGroup) -> None:
        await self.elector.acquire()
        self._metrics.leader.set(1)
        filling = _start(group, "first list", self._fill)
        try:
            await self.elector.hold()
        except errors.LeaseLost:
            self._lost = True
            raise
        finally:
            self._metrics.leader.set(0)
            filling.cancel()

    async def _fill(self) -> None:
        """The barrier before the first plan: list everything after the lease was won, never only before.

        Until then another operator wrote. Each of its writes is older than a list that begins now, so no plan
        is made from a picture without them.
        """
        await self.resync.until_complete()
        self._accounting.begin()
        if self._config.attempts.disabled:
            _log.warning("downloads are disabled (attempts.disabled): no worker starts")
        self._filled = True
        _log.info(
            "acting on %d ModelSyncs, %d Jobs, %d Pods",
            len(self.store.syncs),
            len(self.store.jobs),
            len(self.store.pods),
        )
        self.loop.wake()

    async def _end(self, stop: asyncio.Event, acting: "list[asyncio.Task[None]]") -> None:
        await stop.wait()
        _log.info("stopping")
        for task in acting:
            task.cancel()
        await asyncio.wait(acting)
        await self._writer.drain(_DRAIN)
        await self.elector.release()
        raise supervision.Stopped

    def _reconfigure(self, configuration: Configuration) -> None:
        """Act by another configuration; its fields that need a restart are as they were."""
        self._config = configuration
        log_setup.set_level(configuration.log.level)
        self._writer.rate = configuration.limits.status_writes_per_second
        self._job_settings = core_settings.job_settings(configuration)
        self.loop.settings = core_settings.plan_settings(configuration, self._started.operator_namespace)

    def _report_configuration(self, outcome: config_watcher.Outcome) -> None:
        """Where people look: in metrics, and in the condition of every SyncQueue."""
        self._metrics.config_accepted.set(outcome.problem is None)
        self._metrics.config_restart.set(bool(outcome.restart))
        if outcome.problem is None:
            self._metrics.config_accepted_at.set(time.time())
        if outcome.problem != self.loop.settings.configuration_problem:
            self.loop.settings = dataclasses.replace(
                self.loop.settings, configuration_problem=outcome.problem
            )

    def _say_what_is_left(self, sync: snapshot.SyncRecord) -> None:
        left = event_rules.deleted(sync) if self._may_act() else None
        if left is not None:
            self._recorder.announce(left)

    def _on_rewind(self) -> None:
        """The API server's history went back: all that continue from a version have to begin again."""
        if not self._rewound:
            self._rewound = True
            _log.warning("the API server's versions went back (its etcd was restored?): watches begin again")
            for watch in self._watches:
                watch.begin_again()
            self.resync.ask()
            asyncio.get_running_loop().call_later(_REWIND, setattr, self, "_rewound", False)

    def _may_act(self) -> bool:
        return self._filled and self.elector.is_leading

    def _health(self) -> str | None:
        age = time.monotonic() - self.loop.heartbeat
        if self._lost:
            return "the lease is lost"
        return f"no heartbeat for {age:.0f} s" if age > _LIVE else None

    def _readiness(self) -> str | None:
        if not self.resync.complete.is_set():
            return "the cluster's objects are not listed yet"
        blind = max(watch.blind_for() for watch in self._watches)
        return f"a watch has not worked for {blind:.0f} s; see the log" if blind > _BLIND else None

    def _make_servers(self) -> list[http_server.Server]:
        """Health first, so that probes are answered whatever holds up the others."""
        health = http_server.health(healthy=self._health, ready=self._readiness)
        servers = [
            http_server.Server(health, port=self._config.health.port),
            http_server.Server(http_server.metrics(self._metrics.registry), port=self._config.metrics.port),
        ]
        if self._config.history.reader is not None:
            reviews = token_reviews.TokenReviews(
                self._api, reader=self._config.history.reader, monotonic=time.monotonic
            )
            handler = history_server.Handler(self._speeds, reviews.is_reader)
            servers.append(
                http_server.Server(handler, port=naming.HISTORY_PORT, bounds=history_server.BOUNDS)
            )
        return servers

    def _make_watcher(self) -> config_watcher.Watcher:
        return config_watcher.Watcher(
            self._started, self._config, apply=self._reconfigure, report=self._report_configuration
        )

    def _make_elector(self) -> leader_election.Elector:
        election = self._config.leader_election
        return leader_election.Elector(
            self._api,
            namespace=self._started.operator_namespace,
            identity=f"{self._started.identity}_{secrets.token_hex(4)}",
            proving=self.store.proofs,
            succeeds=self._started.identity if self._started.in_cluster else None,
            timing=leader_election.Timing(
                duration=election.lease_duration,
                renew_deadline=election.renew_deadline,
                retry_period=election.retry_period,
            ),
        )

    def _make_watches(self) -> tuple[watches.Watch, ...]:
        """Two watches, because kopf watches all of its resources in one set of namespaces."""
        make = functools.partial(
            watches.Watch,
            self._api,
            self.store.observe,
            on_restart=lambda resource: self._metrics.watch_restarts.labels(resource).inc(),
            on_odd=self._oddities.report,
        )
        return (
            make(WATCHED, self._started.namespaces),
            make((QUEUES,), (self._started.operator_namespace,)),
        )

    def _render(self, sync: snapshot.SyncRecord, attempt: int, key: str) -> api_client.Object:
        """The Job of an attempt, within the limits that its queue has now."""
        names = {queue.name: queue.spec for queue in self.store.queues.values()}
        limits = names.get(sync.spec.queue, syncqueue.SyncQueueSpec())
        return job_manifest.render_job(sync, attempt, key, self._job_settings, limits)

    def _make_loop(self) -> reconcile_loop.ReconcileLoop:
        acting = job_executor.Executor(
            self._api,
            self.store,
            self._render,
            may_act=self._may_act,
            on_created=self._accounting.on_admitted,
            clock=self._api.clock.now,
        )
        return reconcile_loop.ReconcileLoop(
            self.store,
            functools.partial(planner.plan, remembered=plan_cache.Recall()),
            settings=core_settings.plan_settings(self._config, self._started.operator_namespace),
            acting=acting,
            writing=self._writer,
            polling=self._poller,
            recording=self._recorder,
            counting=self._accounting,
            measuring=self._metrics,
            may_act=self._may_act,
            clock=self._api.clock.now,
        )


def _channel(configuration: Configuration, api: api_client.Kube) -> worker_client.Channel:
    """How workers are reached."""
    through_server = configuration.worker.progress_via == "APIServerProxy"
    return worker_client.Proxied(api) if through_server else worker_client.Direct()


def _start(group: asyncio.TaskGroup, name: str, run: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
    return group.create_task(supervision.steadily(name, run))
