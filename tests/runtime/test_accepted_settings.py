"""Whatever setting is accepted works: statuses, progress and queue statuses are written in its own time.

The table names the extremes of every field; a field without a row fails a test. What the API server gets
is played in virtual time for any rate; the whole operator runs at the extremes for real.
"""

import asyncio
import json
import random
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync import errors
from modelsync.api import modelsync_status as api
from modelsync.api import naming, syncqueue
from modelsync.api.reasons import Phase
from modelsync.core.jobs import job_manifest
from modelsync.runtime.cluster import cache, parsing
from modelsync.runtime.cluster.resources import QUEUES, SYNCS
from modelsync.runtime.common import core_settings, token_bucket
from modelsync.runtime.writes import status_writer
from modelsync.settings import configuration
from tests import counts
from tests.runtime import fake_api, harness, test_operator, unsteady, virtual
from tests.settings import documents

PRESETS = {f"preset-{number}": {"allowPatterns": ["*.bin"] * 64} for number in range(200)}
EXTREMES: dict[str, tuple[Any, ...]] = {
    "log.level": ("debug", "info", "warning", "error"),
    "log.format": ("text", "json"),
    "limits.statusWritesPerSecond": (0.1, 0.49, 0.5, 0.99, 1, 1000),
    "resyncInterval": ("1s", "24h"),
    "leaderElection.leaseDuration": ("1s", "1h"),
    "leaderElection.renewDeadline": ("500ms", "3599s"),
    "leaderElection.retryPeriod": ("100ms", "3598s"),
    "metrics.port": (0, 65535),
    "health.port": (0, 65534),
    "history.reader": ("", f"system:serviceaccount:{'n' * 63}:{'s' * 253}"),
    "hub.endpoint": ("http://h", f"https://{'h' * 200}.example.org:65535/path"),
    "attempts.disabled": (False, True),
    "attempts.retryBase": ("100ms", "1h"),
    "attempts.startDeadline": ("1s", "24h"),
    "presets": ({}, PRESETS),
    "worker.image": ("i", f"registry.example.org:5000/{'a' * 200}@sha256:{'0' * 64}"),
    "worker.imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "worker.progressVia": ("PodIP", "APIServerProxy"),
    "worker.logLevel": ("debug", "info", "warning", "error"),
    "worker.engines": (
        ["Native"],
        ["HFTransfer", "HuggingFaceHub"],
        ["Native", "HFTransfer", "HuggingFaceHub"],
    ),
    "worker.caConfigMap": ("", "a", "a" * 253),
    "worker.proxy.http": ("", "proxy:1", "http://proxy.example.org:65535/"),
    "worker.proxy.https": ("", "proxy:1", "https://[::1]:3128"),
    "worker.proxy.noProxy": ([], ["*"], ["host.example.org"] * 100),
    "worker.addresses.allowed": ([], ["0.0.0.0/0", "::/0"], [f"10.{n}.0.0/16" for n in range(256)]),
    "worker.addresses.denied": ([], ["0.0.0.0/0", "::/0"], [f"10.{n}.0.0/16" for n in range(256)]),
    "worker.connections": (1, 64),
    "worker.chunk": ("64Ki", "1Gi", 65536),
    "worker.maxRetries": (0, 1000),
    "worker.timeout": ("100ms", "1h"),
    "worker.resources.requests": ({}, {"cpu": "1m", "memory": "1"}),
    "worker.resources.limits": ({}, {"memory": "1Ei"}),
    "worker.maxResources": ({}, {"cpu": "1m", "memory": "1", "ephemeral-storage": "1e400"}, {"cpu": 0}),
    "worker.priorityClasses": ([], ["a"], [f"class-{number}" for number in range(100)]),
    "worker.serviceAccounts": ([], ["a"], [f"account-{number}" for number in range(100)]),
    "worker.runtimeClasses": ([], ["a"], [f"class-{number}" for number in range(100)]),
    "worker.securityContext": (
        {},
        {"runAsUser": 1, "runAsGroup": 2147483647, "fsGroup": None, "supplementalGroups": [5, 6]},
        {
            "seLinuxOptions": {"level": "s0:c1,c2", "type": "container_t"},
            "fsGroupChangePolicy": "Always",
        },
    ),
    "worker.ids": (["1"], [2147483647], ["1-2147483647"], [f"{n}-{n + 5}" for n in range(1, 999)]),
}


def test_every_field_has_its_extremes() -> None:
    assert EXTREMES.keys() == {path for path, _ in configuration.fields()}


@pytest.mark.parametrize("path", EXTREMES)
def test_every_extreme_is_read_from_a_document(path: str) -> None:
    for value in EXTREMES[path]:
        try:
            documents.configured({path: value})
        except errors.ConfigError as error:
            assert path.startswith("leaderElection.") and "leaderElection.renewDeadline" in str(error)


@given(st.fixed_dictionaries({path: st.sampled_from(values) for path, values in EXTREMES.items()}))
@settings(max_examples=counts.chosen(short=50, full=200), deadline=None)
def test_a_worker_is_made_for_any_accepted_settings(fields: dict[str, Any]) -> None:
    # Not from YAML: to read 200 presets of 64 patterns from text takes a second, whatever the rest is.
    document = documents.document(fields)
    inside = {name: value for name, value in document.items() if name not in ("apiVersion", "kind")}
    try:
        found = configuration.Configuration.model_validate_json(json.dumps(inside))
    except pydantic.ValidationError as error:
        assert "leaderElection.renewDeadline" in str(error), "only these three depend on each other"
        return
    sync = parsing.sync_record(harness.versioned(harness.sync(), 1))
    manifest = job_manifest.render_job(sync, 1, "key", settings=core_settings.job_settings(found))
    size = len(json.dumps(manifest["spec"]["template"]["metadata"]["annotations"]))
    assert size < 256 * 1024, "the API server takes no more"


async def first_writes(rate: float, syncs: int, weather: unsteady.Weather) -> dict[str, float]:
    """Seconds until every sync's transition, every sync's progress and the queue's status are stored."""
    loop = asyncio.get_running_loop()
    server = unsteady.Unsteady(random.Random(syncs), weather=weather)
    known = cache.Store()
    server.hearers.append(known.observe)
    made = status_writer.StatusWriter(
        server,
        known,
        rate=rate,
        queue_namespace="ops",
        clock=loop.time,
    )
    made.active = {"models": syncs}
    for number in range(syncs):
        known.observe(SYNCS, "ADDED", server.put(harness.sync(f"s{number}", phase="Queued")))
    waits = {"metadata": {"name": "default", "namespace": "ops", "uid": "q", "generation": 1}, "spec": {}}
    known.observe(QUEUES, "ADDED", server.put({**waits, "status": {}}))
    began, found = loop.time(), dict[str, float]()
    running = asyncio.ensure_future(made.run())
    while len(found) < 3:
        for record in known.syncs.values():
            target = record.status.replace(phase=Phase.DOWNLOADING)
            if record.status.phase is Phase.DOWNLOADING:
                target = record.status.replace(progress=api.ProgressStatus(bytes_done=int(loop.time())))
            made.offer_sync(record, target)
        for queue in known.queues.values():
            made.offer_queue(queue, syncqueue.SyncQueueStatus(active=1, waiting=int(loop.time())))
        now = loop.time() - began
        statuses = [record.status for record in known.syncs.values()]
        if all(status.phase is Phase.DOWNLOADING for status in statuses):
            found.setdefault("transition", now)
        if all(status.progress is not None for status in statuses):
            found.setdefault("progress", now)
        if next(iter(known.queues.values())).status.active:
            found.setdefault("queue", now)
        assert now < 100 * (syncs + 10) / min(rate, 1), found
        await asyncio.sleep(max(0.05, 0.5 / rate))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await server.quiet()
    return found


@given(st.floats(0.1, 1000), st.integers(1, 30))
@settings(max_examples=counts.chosen(short=12, full=30), deadline=None)
def test_every_kind_of_status_is_written_in_a_time_that_follows_from_the_rate(
    rate: float, syncs: int
) -> None:
    found: dict[str, float] = {}

    async def play() -> None:
        found.update(await first_writes(rate, syncs, unsteady.Weather(latency=0.01, watch=0.01)))

    virtual.in_virtual_time(play)()
    all_transitions = 4 / 3 * syncs / rate + 2  # one write of four may be progress
    distance = token_bucket.distances({"models": syncs}, rate).of("models")
    assert found["transition"] <= all_transitions
    assert found["queue"] <= 5 / rate + distance + 2
    assert found["progress"] <= all_transitions + 4 * (syncs + 2) / rate + 2 * distance + 2


NOT_HERE = {
    "metrics.port",
    "health.port",
    "attempts.disabled",
    "worker.progressVia",
    # A lease of a second is lost on a machine that is busy; tests/runtime/test_lease.py has its own clock.
    "leaderElection.leaseDuration",
    "leaderElection.renewDeadline",
    "leaderElection.retryPeriod",
    # All that an operator does with hundreds of them, compared to one, is to read them, as above.
    "presets",
}


def chosen(which: int) -> dict[str, Any]:
    """The least (0) or the most (-1) of every field that a run on the fake API server can have."""
    return {path: values[which] for path, values in EXTREMES.items() if path not in NOT_HERE}


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, -1], ids=["the least of everything", "the most of everything"])
@harness.in_loop
async def test_an_operator_reports_at_the_extremes(which: int) -> None:
    async with (
        fake_api.FakeApi().serving() as server,
        test_operator.Keyed().serving(test_operator.WORKER_IP, naming.WORKER_PORT) as worker,
    ):
        server.put(QUEUES, test_operator.queue())
        server.put(SYNCS, harness.sync())
        async with test_operator.running(server, chosen(which)):
            await harness.eventually(lambda: test_operator.jobs(server))
            test_operator.start_pod(server)
            worker.report["progress"] |= {"bytesDone": 452, "bytesPerSecond": 100}
            status = test_operator.status
            await harness.eventually(lambda: status(server).get("phase") == "Downloading", 60)
            await harness.eventually(lambda: status(server).get("display", {}).get("amount"), 60)
            await harness.eventually(
                lambda: server.get(QUEUES, "ops", "default").get("status", {}).get("active") == 1, 60
            )
