"""An operator's acting parts against the fake API server, in virtual time: what they do to each other.

Planner, executor, writer, poller and recorder are wired as in `runtime.app`; what kopf's watches bring is fed
straight into the store. Who plays the Job controller and the kubelet is the test's to say.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from modelsync.api import naming
from modelsync.core import plan_cache, planner
from modelsync.core.cluster import snapshot
from modelsync.runtime import reconcile_loop
from modelsync.runtime.cluster import api_client, cache
from modelsync.runtime.cluster.resources import JOBS, PODS, QUEUES, SYNCS, Resource
from modelsync.runtime.telemetry import metrics, worker_counters
from modelsync.runtime.workers import progress_poller, worker_client
from modelsync.runtime.writes import event_recorder, job_executor, status_writer
from tests.runtime import fake_api, harness, virtual

_PLURALS: dict[str, Resource] = {resource.plural: resource for resource in (SYNCS, QUEUES, JOBS, PODS)}
Object = harness.Object
SETTINGS = snapshot.Settings(job_history=timedelta(days=1))


class Silent:
    """A channel to workers that never answer."""

    async def progress(self, pod: snapshot.PodRecord) -> bytes:
        """No progress."""
        raise worker_client.NoAnswer("silent")

    async def limit(self, pod: snapshot.PodRecord, request: object) -> None:
        """No limit."""

    async def close(self) -> None:
        """Nothing to close."""


def sync(name: str, namespace: str, *, claim: str = "models", **spec: object) -> Object:
    """A raw ModelSync of a namespace; the first in the order of names when all are of one age."""
    raw = harness.sync(name, f"uid-{namespace}-{name}")
    raw["metadata"] |= {"namespace": namespace, "creationTimestamp": virtual.EPOCH.isoformat()}
    target = {"persistentVolumeClaim": {"claimName": claim, "subPath": name}}
    raw["spec"] |= {"target": target, **spec}
    del raw["status"]
    return raw


def render(record: snapshot.SyncRecord, attempt: int, key: str) -> api_client.Object:
    """A small manifest of a Job."""
    raw = harness.job(record.uid, attempt, naming.job_name(record.name, record.uid, attempt))
    raw["metadata"] |= {"namespace": record.namespace}
    del raw["metadata"]["creationTimestamp"], raw["metadata"]["uid"]
    return raw


class Simulation:
    """The parts, wired; see the module."""

    def __init__(self, *, max_active: int, channel: worker_client.Channel | None = None) -> None:
        self.api = fake_api.FakeApi(clock=virtual.now)
        self.api.listeners.append(self._feed)
        self.client = virtual.connect(self.api.handle)
        self.known = cache.Store(wake=lambda: self.loop.wake())
        self.measured = metrics.Metrics()
        self.counting = worker_counters.Accounting(self.measured, self.known)
        self.acting = job_executor.Executor(
            self.client, self.known, render, may_act=lambda: True, clock=virtual.now
        )
        self.writing = status_writer.StatusWriter(
            self.client, self.known, rate=500, queue_namespace="ops", clock=virtual.monotonic
        )
        self.polling = progress_poller.Poller(
            self.known, channel or Silent(), may_act=lambda: True, interval=5.0
        )
        self.loop = reconcile_loop.ReconcileLoop(
            self.known,
            functools.partial(planner.plan, remembered=plan_cache.Recall()),
            settings=SETTINGS,
            acting=self.acting,
            writing=self.writing,
            polling=self.polling,
            recording=event_recorder.Recorder(self.client, instance="test"),
            counting=self.counting,
            measuring=self.measured,
            may_act=lambda: True,
            clock=virtual.now,
            monotonic=virtual.monotonic,
        )
        queue = {"metadata": {"name": "default", "namespace": "ops", "generation": 1}}
        self.api.put(QUEUES, {**queue, "spec": {"maxActive": max_active}})

    def _feed(self, kind: str, plural: str, raw: Object) -> None:
        if plural in _PLURALS:
            self.known.observe(_PLURALS[plural], kind, raw)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Simulation"]:
        """While the operator acts."""
        self.counting.begin(virtual.now())
        parts = (self.loop.run(), self.writing.run(), self.polling.run())
        tasks = [asyncio.create_task(part) for part in parts]
        self.loop.wake()
        try:
            yield self
            for task in tasks:
                assert not task.done(), task.exception()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.client.close()

    def add(self, *syncs: Object) -> None:
        """Create ModelSyncs."""
        for raw in syncs:
            self.api.put(SYNCS, raw)

    def jobs(self) -> list[str]:
        """`namespace/name` of the ModelSyncs that have a Job, in the order of their creation."""
        names = {raw["metadata"]["uid"]: raw["metadata"] for raw in self._all("modelsyncs")}
        owners = [job["metadata"]["ownerReferences"][0]["uid"] for job in self._all("jobs")]
        return [f"{names[uid]['namespace']}/{names[uid]['name']}" for uid in owners if uid in names]

    def status(self, namespace: str, name: str) -> Object:
        """A ModelSync's status."""
        found: Object = self.api.get(SYNCS, namespace, name).get("status") or {}
        return found

    def ready(self, namespace: str, name: str) -> tuple[str, str]:
        """Reason and message of a ModelSync's Ready condition."""
        shown = self.status(namespace, name).get("conditions", [])
        return next(((c["reason"], c["message"]) for c in shown if c["type"] == "Ready"), ("", ""))

    async def until(self, check: Callable[[], object], seconds: float = 60.0) -> float:
        """The virtual seconds until a check is true."""
        began = virtual.monotonic()
        async with asyncio.timeout(seconds):
            while not check():
                await asyncio.sleep(0.05)
        return virtual.monotonic() - began

    def plan_waits(self) -> tuple[int, int]:
        """How many plans were made, and how many of them within a second of what they were made for."""
        values = {
            sample.labels.get("le", sample.name): int(sample.value)
            for family in self.measured.registry.collect()
            if family.name == "modelsync_plan_wait_seconds"
            for sample in family.samples
        }
        return values["+Inf"], values["1.0"]

    def _all(self, plural: str) -> list[Object]:
        return [raw for (kind, *_), raw in self.api.objects.items() if kind == plural]
