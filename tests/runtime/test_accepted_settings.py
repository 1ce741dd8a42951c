"""Whatever setting is accepted works: statuses, progress and queue statuses are written in its own time.

The table names the extremes of every option; an option without a row fails a test. What the API server gets
is played in virtual time for any rate; the whole operator runs at the extremes for real.
"""

import asyncio
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync import errors
from modelsync.api import modelsync as api
from modelsync.api import naming, syncqueue
from modelsync.api.reasons import Phase
from modelsync.core.jobs import job_manifest
from modelsync.runtime import app
from modelsync.runtime.cluster import cache, parsing
from modelsync.runtime.cluster.resources import QUEUES, SYNCS
from modelsync.runtime.common import token_bucket
from modelsync.runtime.writes import status_writer
from modelsync.settings import operator_config
from tests.runtime import fake_api, harness, test_operator, unsteady, virtual

LONG = "n" * 63
PRESETS = {f"preset-{number}": {"allowPatterns": ["*.bin"] * 64} for number in range(200)}
EXTREMES: dict[str, tuple[str, ...]] = {
    "namespace": ("", "models", ",".join(["models", *(f"n{number}" for number in range(50))])),
    "operator_namespace": ("ops", "o", LONG),
    "kubeconfig": ("/nowhere",),
    "context": ("any",),
    "worker_image": ("i", f"registry.example.org:5000/{'a' * 200}@sha256:{'0' * 64}"),
    "worker_image_pull_policy": ("Always", "IfNotPresent", "Never"),
    "worker_resources": (
        "{}",
        '{"requests":{},"limits":{}}',
        '{"requests":{"cpu":"1m","memory":"1"},"limits":{"memory":"1Ei"}}',
    ),
    "worker_max_resources": ("{}", '{"cpu":"1m","memory":"1","ephemeral-storage":"1e400"}', '{"cpu":0}'),
    "worker_priority_classes": ("", "a", ",".join(f"class-{number}" for number in range(100))),
    "worker_service_accounts": ("", "a", ",".join(f"account-{number}" for number in range(100))),
    "worker_runtime_classes": ("", "a", ",".join(f"class-{number}" for number in range(100))),
    "worker_security_context": (
        "{}",
        '{"runAsUser":1,"runAsGroup":2147483647,"fsGroup":null,"supplementalGroups":[5,6]}',
        '{"seLinuxOptions":{"level":"s0:c1,c2","type":"container_t"},"fsGroupChangePolicy":"Always"}',
    ),
    "worker_ids": ("1", "2147483647", "1-2147483647", ",".join(f"{n}-{n + 5}" for n in range(1, 999))),
    "worker_connections": ("1", "64"),
    "worker_chunk": ("64Ki", "1Gi"),
    "hub_endpoint": ("http://h", f"https://{'h' * 200}.example.org:65535/path"),
    "disable_model_downloads": ("false", "true"),
    "worker_max_retries": ("0", "1000"),
    "worker_timeout_seconds": ("0.1", "3600"),
    "worker_http_proxy": ("proxy:1", "http://proxy.example.org:65535/"),
    "worker_https_proxy": ("proxy:1", "https://[::1]:3128"),
    "worker_no_proxy": ("*", ",".join(["host.example.org"] * 100)),
    "worker_log_level": ("debug", "info", "warning", "error"),
    "worker_engines": ("Native", "HFTransfer,HuggingFaceHub", "Native,HFTransfer,HuggingFaceHub"),
    "worker_allowed_addresses": ("", "0.0.0.0/0,::/0", ",".join(f"10.{n}.0.0/16" for n in range(256))),
    "worker_denied_addresses": ("", "0.0.0.0/0,::/0", ",".join(f"10.{n}.0.0/16" for n in range(256))),
    "presets": ("{}", json.dumps(PRESETS)),
    "worker_ca_config_map": ("a", "a" * 253),
    "progress_via": ("pod-ip", "proxy"),
    "status_qps": ("0.1", "0.49", "0.5", "0.99", "1", "1000"),
    "resync_seconds": ("1", "86400"),
    "lease_duration": ("1", "3600"),
    "renew_deadline": ("0.5", "3599"),
    "retry_period": ("0.1", "3598"),
    "retry_base_seconds": ("0.1", "3600"),
    "start_deadline_seconds": ("1", "86400"),
    "log_format": ("text", "json"),
    "log_level": ("debug", "info", "warning", "error"),
    "port": ("0", "65535"),
    "health_port": ("0", "65535"),
}


def test_every_option_has_its_extremes() -> None:
    assert EXTREMES.keys() == {option.name for option in operator_config.OPTIONS}


@given(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in EXTREMES.items()}))
@settings(max_examples=200, deadline=None)
def test_a_worker_is_made_for_any_accepted_settings(flags: dict[str, str]) -> None:
    try:
        found = operator_config.operator_config(flags, {})
    except errors.ConfigError as error:
        assert "--renew-deadline" in str(error), "only these three depend on each other"
        return
    sync = parsing.sync_record(harness.versioned(harness.sync(), 1))
    manifest = job_manifest.render_job(sync, 1, "key", settings=app.job_settings(found))
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
            target = record.status.but(phase=Phase.DOWNLOADING)
            if record.status.phase is Phase.DOWNLOADING:
                target = record.status.but(progress=api.ProgressStatus(bytes_done=int(loop.time())))
            made.offer_sync(record, target)
        for queue in known.queues.values():
            made.offer_queue(queue, syncqueue.SyncQueueStatus(active=1, waiting=int(loop.time())))
        now = loop.time() - began
        told = [record.status for record in known.syncs.values()]
        if all(status.phase is Phase.DOWNLOADING for status in told):
            found.setdefault("transition", now)
        if all(status.progress is not None for status in told):
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
@settings(max_examples=30, deadline=None)
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
    "kubeconfig",
    "context",
    "port",
    "health_port",
    "operator_namespace",
    "disable_model_downloads",
    "progress_via",
} | {
    # A lease of a second is lost on a machine that is busy; tests/runtime/test_lease.py has its own clock.
    "lease_duration",
    "renew_deadline",
    "retry_period",
}


def chosen(which: int, **more: str) -> dict[str, str]:
    """The least (0) or the most (-1) of every option that a run on the fake API server can have."""
    flags = {name: values[which] for name, values in EXTREMES.items() if name not in NOT_HERE}
    return {**flags, **more}


@pytest.mark.parametrize("which", [0, -1], ids=["the least of everything", "the most of everything"])
@harness.in_loop
async def test_an_operator_reports_at_the_extremes(which: int) -> None:
    async with (
        fake_api.FakeApi().serving() as server,
        test_operator.Keyed().serving(test_operator.WORKER_IP, naming.WORKER_PORT) as worker,
    ):
        server.put(QUEUES, test_operator.queue())
        server.put(SYNCS, harness.sync())
        flags: dict[str, Any] = chosen(which)
        async with test_operator.running(server, **flags):
            await harness.eventually(lambda: test_operator.jobs(server))
            test_operator.start_pod(server)
            worker.report["progress"] |= {"bytesDone": 452, "bytesPerSecond": 100}
            status = test_operator.status
            await harness.eventually(lambda: status(server).get("phase") == "Downloading", 60)
            await harness.eventually(lambda: status(server).get("display", {}).get("amount"), 60)
            await harness.eventually(
                lambda: server.get(QUEUES, "ops", "default").get("status", {}).get("active") == 1, 60
            )
