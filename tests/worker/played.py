"""The cluster that a sequence runs in: real workers and planner, and what controllers would make."""

import asyncio
import json
import os
import random
import signal
import socket
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dev.origins.hub import HubServer
from modelsync.api import modelsync_status as api
from modelsync.api import naming
from modelsync.api.reasons import Phase
from modelsync.core import planner
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache
from modelsync.runtime.cluster.resources import PODS, SYNCS
from modelsync.runtime.telemetry import metrics, worker_counters
from modelsync.runtime.workers import report_validation, worker_client
from tests.builders import a_queue
from tests.runtime import harness
from tests.worker.forked import MODELSYNC, Program
from tests.worker.test_worker_command import HERE

SIZES = {"a.safetensors": 9_000_000, "b.safetensors": 4_000_000, "c.json": 40_000, "d.bin": 700_000}
TOTAL = sum(SIZES.values())
CONNECTIONS = 3
UID = "uid-llama"


@dataclass(kw_only=True)
class Operator:
    """One operator process: its memory, which dies with it."""

    known: cache.Store
    counted: metrics.Metrics
    accounts: worker_counters.Accounting

    @property
    def bytes(self) -> int:
        """What its counter of received bytes says."""
        labels = {"namespace": "models", "source": "huggingFace"}
        return int(self.counted.registry.get_sample_value("modelsync_downloaded_bytes_total", labels) or 0)


@dataclass(kw_only=True)
class Cluster:
    """One ModelSync, its worker and its operator."""

    directory: Path
    hub: HubServer
    chance: random.Random
    status: dict[str, Any] = field(default_factory=dict)
    """As stored."""
    log: list[str] = field(default_factory=list)
    suspended: bool = False
    attempt: int = 0
    cuts: int = 0
    """Workers that were stopped or killed in full flow."""
    drained: int = 0
    """Workers that were stopped or killed when they had read all."""
    quiet: bool = False
    """Whether the present one has read all."""
    base: int = 0
    """`bytesNetwork` when the present operator began."""
    pod: dict[str, Any] | None = None
    process: Program | None = None
    port: int = 0
    sent: int = 0
    """By the origin, before the present worker."""
    version: int = 1

    def __post_init__(self) -> None:
        self.directory.joinpath("volume").mkdir(parents=True)
        self.directory.joinpath("key").write_text("the-key\n")
        self.operator = self._operator()

    @property
    def phase(self) -> Phase | None:
        """Of the stored status."""
        return Phase(self.status["phase"]) if "phase" in self.status else None

    def tick(self, *, poll: bool = True, saves: bool = True) -> None:
        """The operator asks the worker, plans, and what it plans happens."""
        if self.process is not None and self.process.poll() is not None:
            self._worker_ends()
        if poll and self.process is not None:
            asyncio.run(self._poll())
        plan = planner.plan(self._picture())
        wanted = plan.statuses[UID]
        if saves:
            self._store(wanted)
        if plan.deletions and self.process is not None:
            self._cut()
            self.process.send_signal(signal.SIGTERM)
            self._worker_ends()
        if plan.creations:
            self._start(plan.creations[0].attempt)

    def _picture(self) -> snapshot.Snapshot:
        seen = self.operator.known.snapshot(datetime.now(UTC), snapshot.Settings())
        jobs = () if self.pod is None else (self._job(),)
        return replace(seen, jobs=jobs, queues={"default": a_queue()})

    def _job(self) -> snapshot.JobRecord:
        assert self.pod is not None
        ended = self.pod["status"]["containerStatuses"][0]["state"].get("terminated")
        state = snapshot.JobState.ACTIVE
        if ended is not None:
            state = snapshot.JobState.FAILED if ended["exitCode"] else snapshot.JobState.COMPLETE
        return snapshot.JobRecord(
            namespace="models",
            name=f"llama-{self.attempt}",
            uid=f"job-{self.attempt}",
            resource_version="1",
            sync_uid=UID,
            attempt=self.attempt,
            state=state,
            created=datetime.now(UTC),
            finished=None if ended is None else datetime.now(UTC),
        )

    def _store(self, wanted: api.ModelSyncStatus) -> None:
        self.status = wanted.dump()
        self._show(SYNCS, self._raw_sync(), "MODIFIED")

    def _raw_sync(self) -> dict[str, Any]:
        raw = harness.sync(**self.status)
        raw["spec"] |= {"suspend": self.suspended, "backoffLimit": 100}
        raw["spec"]["source"] = {"huggingFace": {"repository": "org/model", "endpoint": self.hub.url}}
        return raw

    def _show(self, resource: Any, raw: dict[str, Any], event: str) -> None:
        self.version += 1
        self.operator.known.observe(resource, event, harness.versioned(raw, self.version))

    async def _poll(self) -> None:
        for pod in self.operator.known.pods.values():
            channel = worker_client.Direct(port=self.port, timeout=2)
            try:
                before = self.operator.known.samples.get(pod.uid)
                report = report_validation.parse(
                    await channel.progress(pod), pod, before.report if before else None
                )
            except (worker_client.NoAnswer, report_validation.BadReport):
                continue
            finally:
                await channel.close()
            sample = snapshot.Sample(report=report, received=datetime.now(UTC))
            self.operator.known.sample(pod.uid, sample)
            self.operator.accounts.on_sample(pod, report)

    def _start(self, attempt: int) -> None:
        self.attempt, self.quiet, self.sent = attempt, False, self.hub.bytes_sent()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        source = {"huggingFace": {"repository": "org/model", "endpoint": self.hub.url}}
        request = {"version": 1, "uid": UID, "namespace": "models", "name": "llama", "attempt": attempt}
        tuning = {"chunkBytes": 256 * 1024, "connections": CONNECTIONS}
        whole = {
            **request,
            "source": source,
            "tuning": tuning,
            "resolved": self.status.get("resolved"),
            **HERE,
        }
        self.directory.joinpath("request.json").write_text(json.dumps(whole))
        self.directory.joinpath("termination").unlink(missing_ok=True)
        names = {
            "request": "request.json",
            "key-file": "key",
            "volume": "volume",
            "termination-log": "termination",
        }
        flags = [part for flag, name in names.items() for part in (f"--{flag}", str(self.directory / name))]
        arguments = ["modelsync", "worker", *flags, "--port", str(self.port)]
        self.process = Program(MODELSYNC, arguments, os.environ)
        self.pod = harness.pod(attempt=attempt, job_uid=f"job-{attempt}")
        self.pod["metadata"] |= {
            "name": f"llama-{attempt}",
            "uid": f"pod-{attempt}",
            "creationTimestamp": datetime.now(UTC).isoformat(),
        }
        self._show(PODS, self.pod, "ADDED")

    def _cut(self) -> None:
        self.drained += self.quiet
        self.cuts += not self.quiet

    def _worker_ends(self) -> None:
        """The worker's end, as the kubelet and garbage collector report it; its Job is deleted with it."""
        if self.process is None or self.pod is None:
            return
        code = self.process.wait(30)
        left = self.directory / "termination"
        ended = {"exitCode": code if code >= 0 else 128 - code, "finishedAt": datetime.now(UTC).isoformat()}
        ended["message"] = left.read_text() if left.exists() else ""
        started = self.pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
        state = {"terminated": {**ended, "startedAt": started}}
        self.pod["status"]["containerStatuses"] = [{"name": naming.WORKER_CONTAINER, "state": state}]
        self.pod["status"]["phase"] = "Failed" if code else "Succeeded"
        self._show(PODS, self.pod, "MODIFIED")
        if self.suspended:
            self._show(PODS, self.pod, "DELETED")
            self.pod = None
        self.process = None

    def _go_on(self) -> None:
        """Until a worker runs, whatever the operator has to do for it."""
        self._show(SYNCS, self._raw_sync(), "MODIFIED")

        def runs() -> bool:
            if "nextRetryTime" in self.status:  # nobody waits for a backoff here
                self.status.pop("nextRetryTime")
                self._show(SYNCS, self._raw_sync(), "MODIFIED")
            return self.process is not None or self.phase is Phase.COMPLETE

        self._until(runs)

    def _some_time(self) -> None:
        """Some more bytes come; the operator sees some of them."""
        begin, more = self.hub.bytes_sent(), self.chance.randrange(50_000, TOTAL // 4)
        deadline = time.monotonic() + 20
        while self.hub.bytes_sent() - begin < more and time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                return
            if self.chance.random() < 0.3:
                self.tick(saves=self.chance.random() < 0.7)
            time.sleep(0.01)

    def _until(self, truth: Any) -> None:
        deadline = time.monotonic() + 60
        self._show(SYNCS, self._raw_sync(), "MODIFIED")
        while not truth():
            assert time.monotonic() < deadline, (self.log, self.status)
            self.tick()
            time.sleep(0.01)

    def _operator(self) -> Operator:
        known, counted = cache.Store(), metrics.Metrics()
        counting = worker_counters.Accounting(counted, known)
        known.on_pod(counting.on_pod)
        self.version += 1
        known.observe(SYNCS, "ADDED", harness.versioned(self._raw_sync(), self.version))
        counting.begin(datetime.now(UTC))
        if self.pod is not None:
            known.observe(PODS, "ADDED", harness.versioned(self.pod, self.version))
        return Operator(known=known, counted=counted, accounts=counting)

    def _die(self) -> None:
        """The operator's memory is lost, with what it had counted and not stored yet."""
        assert self.operator.bytes >= self.network - self.base, (
            self.log,
            "the metric lacks what is reported",
        )
        self.operator, self.base = self._operator(), self.network

    @property
    def network(self) -> int:
        """`progress.bytesNetwork` of the stored status."""
        return int(self.status.get("progress", {}).get("bytesNetwork") or 0)

    def _end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
