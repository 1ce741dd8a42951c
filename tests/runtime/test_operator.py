"""The whole operator against the fake API server: from a ModelSync to its end, and through its own ends."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from modelsync.api import naming
from modelsync.runtime import app
from modelsync.runtime.cluster.resources import EVENTS, JOBS, LEASES, PODS, QUEUES, SYNCS
from modelsync.runtime.telemetry import metrics
from modelsync.settings import invocation
from tests.runtime import fake_api, harness, worker_double
from tests.settings import documents

WORKER_IP = f"127.77.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"
"""An address of loopback that no other test binds, of this process or of another, because a worker's port is
fixed."""
FIELDS: dict[str, Any] = {
    "metrics.port": 0,
    "health.port": 0,
    "leaderElection.leaseDuration": "60s",
    "leaderElection.renewDeadline": "50s",
    "leaderElection.retryPeriod": "200ms",
}
"""Of the configuration, so that many can run at once on a machine that is busy."""


DONE = {"Complete"}


class Run:
    """An operator that runs."""

    def __init__(self, operator: app.Operator, stop: asyncio.Event, task: "asyncio.Task[int]") -> None:
        self.operator = operator
        self.measured: metrics.Metrics
        self.stop = stop
        self.task = task

    async def end(self) -> int:
        """Stop it as SIGTERM does; returns its exit code."""
        self.stop.set()
        return await self.task

    async def kill(self) -> None:
        """End it without a word to anybody."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


def free_lease(api: fake_api.FakeApi) -> None:
    """As time does, only sooner: a killed operator's lease runs out."""
    with contextlib.suppress(KeyError):
        lease = api.get(LEASES, "ops", naming.LEASE_NAME)
        api.put(LEASES, {**lease, "spec": {**lease["spec"], "holderIdentity": ""}})


@asynccontextmanager
async def running(
    api: fake_api.FakeApi, fields: Mapping[str, Any] = documents.NOTHING, config: Path | None = None
) -> AsyncIterator[Run]:
    """An operator with some fields of its configuration set; `config` is the file that it watches, which
    holds them where the test has none of its own."""
    if config is None:
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "config.yaml"
            config.write_bytes(documents.written({**FIELDS, **fields}))
            async with running(api, fields, config) as run:
                yield run
        return
    started = invocation.Invocation(config=config, operator_namespace="ops", identity="test")
    configured = documents.configured({**FIELDS, **fields})
    client, measured, stop = harness.connect(api.url), metrics.Metrics(), asyncio.Event()
    operator = app.Operator(started, configured, client, measured)
    run = Run(operator, stop, asyncio.create_task(operator.run(stop)))
    run.measured = measured
    try:
        yield run
    finally:
        await run.kill()
        await client.close()


async def plans(run: Run) -> None:
    """Let one more plan be made."""
    value, planned = run.measured.registry.get_sample_value, {"handler": "plan", "result": "success"}
    before = value("modelsync_reconcile_total", planned) or 0
    run.operator.loop.wake()
    await harness.eventually(lambda: (value("modelsync_reconcile_total", planned) or 0) > before)


async def settled(run: Run, api: fake_api.FakeApi) -> None:
    """Return once a plan has found nothing to write."""
    while True:
        before = len(api.bodies)
        await plans(run)
        await harness.eventually(lambda: not run.operator._writer.waiting())
        if not [path for _, path, _ in api.bodies[before:] if "leases" not in path]:
            return


@harness.in_loop
async def test_a_changed_configuration_acts_and_a_bad_one_is_shown_by_the_queue(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_bytes(documents.written(FIELDS))
    async with fake_api.FakeApi().serving() as api:
        api.put(QUEUES, queue())
        async with running(api, {"attempts.disabled": True}, config=config) as run:
            run.operator._watcher._seconds = 0.05
            value = run.measured.registry.get_sample_value
            api.put(SYNCS, harness.sync())
            await harness.eventually(lambda: jobs(api))
            assert value("modelsync_config_last_reload_successful") == 1
            config.write_bytes(documents.written({**FIELDS, "limits.bandwidth": 1}))
            await harness.eventually(lambda: "limits.bandwidth" in str(api.get(QUEUES, "ops", "default")))
            assert value("modelsync_config_last_reload_successful") == 0
            changed = {**FIELDS, "limits.statusWritesPerSecond": 7, "worker.image": "later"}
            config.write_bytes(documents.written(changed))
            await harness.eventually(lambda: "limits.bandwidth" not in str(api.get(QUEUES, "ops", "default")))
            assert run.operator._writer.rate == 7
            assert value("modelsync_config_restart_needed") == 1


def queue() -> Any:
    return {"metadata": {"name": "default", "namespace": "ops", "generation": 1}, "spec": {"maxActive": 1}}


def jobs(api: fake_api.FakeApi) -> list[harness.Object]:
    return [raw for (plural, *_), raw in api.objects.items() if plural == "jobs"]


def status(api: fake_api.FakeApi, name: str = "llama") -> Any:
    return api.get(SYNCS, "models", name).get("status") or {}


def start_pod(api: fake_api.FakeApi, words: harness.Object | None = None, uid: str = "pod-1") -> None:
    """What the Job controller and the kubelet do."""
    made = jobs(api)[0]
    attempt = int(made["metadata"]["labels"][naming.ATTEMPT_LABEL])  # after a restore it may be the second
    termination = words and {**words, "attempt": attempt}
    raw = harness.pod(attempt=attempt, job_uid=made["metadata"]["uid"], words=termination, podIP=WORKER_IP)
    raw["metadata"]["uid"] = uid
    raw["metadata"]["annotations"] = made["spec"]["template"]["metadata"]["annotations"]
    api.put(PODS, raw)


@asynccontextmanager
async def job_controller(api: fake_api.FakeApi) -> AsyncIterator[None]:
    """Each Job that is there has a Pod that ends well."""

    async def act() -> None:
        while True:
            for made in [job for job in jobs(api) if not job.get("status")]:
                labels = made["metadata"]["labels"]
                attempt, uid = int(labels[naming.ATTEMPT_LABEL]), labels[naming.UID_LABEL]
                report = {**synced(), "uid": uid, "attempt": attempt}
                raw = harness.pod(uid, attempt, made["metadata"]["uid"], words=report)
                raw["metadata"] |= {"name": f"{made['metadata']['name']}-pod", "uid": f"pod-{api.version}"}
                raw["metadata"]["annotations"] = made["spec"]["template"]["metadata"]["annotations"]
                api.put(PODS, raw)
                complete(api, made)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(act())
    yield
    task.cancel()


def complete(api: fake_api.FakeApi, job: harness.Object) -> None:
    done = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T00:00:14Z"}
    api.put(JOBS, {**job, "status": {"conditions": [done]}})


def finish(api: fake_api.FakeApi, words: harness.Object, uid: str = "pod-1") -> None:
    start_pod(api, words, uid)
    complete(api, jobs(api)[0])


def synced() -> harness.Object:
    return harness.words(
        resolved={"revision": "c0ffee", "files": 1, "bytes": 1000},
        progress={
            "bytesTotal": 1000,
            "bytesDone": 1000,
            "bytesNetwork": 1000,
            "filesTotal": 1,
            "filesDone": 1,
        },
    )


class Keyed(worker_double.WorkerDouble):
    """A worker that takes any key: the operator makes it up."""

    async def _progress(self, request: Any) -> Any:
        request = request.clone(headers={naming.KEY_HEADER: "the-key"})
        return await super()._progress(request)


@harness.in_loop
async def test_a_modelsync_is_carried_from_the_queue_to_complete() -> None:
    async with fake_api.FakeApi().serving() as api, Keyed().serving(WORKER_IP, naming.WORKER_PORT) as worker:
        api.put(QUEUES, queue())
        api.put(SYNCS, harness.sync())
        async with running(api) as run:
            await harness.eventually(lambda: jobs(api))
            start_pod(api)
            worker.report["progress"] |= {"bytesDone": 452, "bytesPerSecond": 100}
            await harness.eventually(lambda: status(api).get("display", {}).get("progress") == "45.2%")
            assert status(api)["phase"] == "Downloading"
            finish(api, synced())
            await harness.eventually(lambda: status(api).get("phase") == "Complete")
            labels = {"namespace": "models", "source": "huggingFace"}
            value = run.measured.registry.get_sample_value
            assert value("modelsync_downloaded_bytes_total", labels) == 1000
            assert value("modelsync_downloads_total", {**labels, "result": "succeeded"}) == 1
            await harness.eventually(
                lambda: api.get(QUEUES, "ops", "default").get("status", {}).get("complete") == 1
            )
            assert await run.end() == 0
    assert len([body for verb, path, body in api.bodies if verb == "POST" and path.endswith("jobs")]) == 1
    assert api.get(LEASES, "ops", naming.LEASE_NAME)["spec"]["holderIdentity"] == ""


@harness.in_loop
async def test_a_killed_operator_is_followed_by_one_that_makes_no_second_job() -> None:
    async with fake_api.FakeApi().serving() as api:
        api.put(QUEUES, queue())
        api.put(SYNCS, harness.sync())
        async with running(api) as first:
            await harness.eventually(lambda: jobs(api))
            await first.kill()
        free_lease(api)
        async with running(api):
            await harness.eventually(lambda: status(api).get("attempts") == 1)
            finish(api, synced())
            await harness.eventually(lambda: status(api).get("phase") == "Complete")
        assert len(jobs(api)) == 1


@harness.in_loop
async def test_a_restart_with_idle_modelsyncs_writes_nothing() -> None:
    async with fake_api.FakeApi().serving() as api:
        api.put(QUEUES, queue())
        for number in range(50):
            api.put(SYNCS, harness.sync(f"s{number}"))
        async with running(api) as first:
            await harness.eventually(lambda: status(api, "s49").get("phase") == "Queued")
            await settled(first, api)
            assert await first.end() == 0
        before = [entry for entry in api.bodies if "leases" not in entry[1]]
        async with running(api) as second:
            await harness.eventually(lambda: second.operator.elector.is_leading)
            await plans(second)
            await plans(second)
            assert await second.end() == 0
        assert [entry for entry in api.bodies if "leases" not in entry[1]] == before


@harness.in_loop
async def test_a_lost_lease_ends_the_process_with_1() -> None:
    async with fake_api.FakeApi().serving() as api, running(api) as run:
        await harness.eventually(lambda: run.operator.elector.is_leading)
        other = api.get(LEASES, "ops", naming.LEASE_NAME)
        api.put(LEASES, {**other, "spec": {**other["spec"], "holderIdentity": "other"}})
        assert await asyncio.wait_for(run.task, 20) == 1


ALL = {"modelsyncs", "jobs", "pods", "syncqueues"}


@harness.in_loop
async def test_what_is_there_is_listed_once_at_start_beside_the_watch() -> None:
    async with fake_api.FakeApi().serving() as api:
        api.put(QUEUES, queue())
        api.put(SYNCS, harness.sync())
        async with running(api) as run:
            await harness.eventually(lambda: jobs(api) and api.watched == ALL)
            await settled(run, api)
            assert {plural: api.lists[plural] for plural in ALL} == dict.fromkeys(ALL, 2)


@harness.in_loop
async def test_what_a_standby_listed_is_listed_again_when_it_leads() -> None:
    async with fake_api.FakeApi().serving() as api:
        api.put(QUEUES, queue())
        async with running(api) as leader:
            await harness.eventually(lambda: leader.operator.elector.is_leading)
            async with running(api) as standby:
                # A watch's list and an own one of each.
                await harness.eventually(lambda: all(api.lists[plural] == 4 for plural in ALL))
                await leader.end()
                await harness.eventually(lambda: standby.operator.elector.is_leading)
                await harness.eventually(lambda: all(api.lists[plural] == 5 for plural in ALL))


@harness.in_loop
async def test_a_standby_observes_and_does_nothing() -> None:
    async with fake_api.FakeApi().serving() as api:
        api.put(QUEUES, queue())
        held = {"holderIdentity": "other", "leaseDurationSeconds": 3600}
        api.put(LEASES, {"metadata": {"name": naming.LEASE_NAME, "namespace": "ops"}, "spec": held})
        async with running(api) as run:
            api.put(SYNCS, harness.sync())
            await harness.eventually(lambda: run.operator.store.syncs)
            await harness.eventually(lambda: api.count("GET", "leases") > 3)
            assert not [verb for verb, _ in api.asked if verb != "GET"]
            assert await run.end() == 0


def reported(api: fake_api.FakeApi) -> list[str]:
    return [raw["reason"] for (plural, *_), raw in api.objects.items() if plural == EVENTS.plural]


@harness.in_loop
async def test_deletion_before_the_end_is_reported_by_the_leader() -> None:
    under_way: dict[str, Any] = {
        "phase": "Paused",
        "attempts": 1,
        "progress": {"bytesDone": 6, "bytesTotal": 100},
    }
    async with fake_api.FakeApi().serving() as api:
        for name in ("half", "done"):
            api.put(SYNCS, harness.sync(name, **under_way))
        done = api.get(SYNCS, "models", "done")
        api.put(SYNCS, {**done, "status": {**under_way, "phase": "Complete"}})
        # A deletion between the first list and the watch is found by the next list.
        async with (
            running(api, {"resyncInterval": "5s"}) as run,
            running(api, {"resyncInterval": "5s"}) as standby,
        ):
            await harness.eventually(lambda: len(run.operator.store.syncs) == 2)
            await harness.eventually(lambda: len(standby.operator.store.syncs) == 2)
            await harness.eventually(lambda: run.operator._may_act() or standby.operator._may_act())
            for name in ("done", "half"):
                api.remove(SYNCS, "models", name)
            await harness.eventually(
                lambda: not run.operator.store.syncs and not standby.operator.store.syncs
            )
            await harness.eventually(lambda: "UnfinishedFilesLeft" in reported(api))
    assert reported(api).count("UnfinishedFilesLeft") == 1


@harness.in_loop
async def test_an_operator_goes_on_after_its_etcd_was_restored() -> None:
    """Versions go back, the deleted returns, what was made since is gone: all without a restart."""
    async with fake_api.FakeApi().serving() as api:
        api.put(QUEUES, queue())
        api.put(SYNCS, harness.sync())
        api.put(SYNCS, harness.sync("waits"))
        async with running(api, {"resyncInterval": "5s"}) as run:
            await harness.eventually(lambda: status(api).get("attempts") == 1)
            await settled(run, api)
            backup = api.backup()
            finish(api, synced())
            await harness.eventually(lambda: status(api).get("phase") == "Complete")
            api.remove(SYNCS, "models", "waits")
            api.put(SYNCS, harness.sync("since"))
            await harness.eventually(lambda: status(api, "since").get("phase") == "Queued")
            for _ in range(200):
                api.put(SYNCS, api.get(SYNCS, "models", "since"))  # old history is long
            api.restore(backup)
            names = {"llama", "waits"}
            await harness.eventually(
                lambda: {sync.name for sync in run.operator.store.syncs.values()} == names, 60
            )
            api.put(SYNCS, harness.sync("later"))
            await harness.eventually(lambda: status(api, "later").get("phase") == "Queued", 60)
            # Until each kind of object is listed again the operator acts on a mixture of both histories: it
            # may replace a Job, or start one more. What counts is that everything ends.
            names = {"llama", "waits", "later"}
            async with job_controller(api):
                await harness.eventually(
                    lambda: {status(api, name).get("phase") for name in names} == DONE, 60
                )
            assert not run.task.done()
