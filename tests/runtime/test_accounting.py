"""Counters: every byte of every Pod once, however short it lived and whichever operator led meanwhile."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelsync.api import modelsync_status as api
from modelsync.api import protocol
from modelsync.api.conditions import Condition
from modelsync.api.reasons import Phase, Reason
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache, job_signatures, parsing
from modelsync.runtime.cluster.resources import PODS, SYNCS
from modelsync.runtime.telemetry import metrics, worker_counters
from tests.runtime import harness

BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
AFTER = datetime(2027, 1, 1, tzinfo=UTC)
PROOFS = job_signatures.Proofs()
WHERE = {"namespace": "models", "source": "huggingFace"}


class Bench:
    """An accounting that began before the Pods of the tests, unless `began` says otherwise."""

    def __init__(self, began: datetime | None = BEFORE, **status: Any) -> None:
        self.metrics = metrics.Metrics()
        self.known = cache.Store()
        self.now = 0.0
        self.uid = "uid-llama"
        self.accounting = worker_counters.Accounting(self.metrics, self.known, monotonic=lambda: self.now)
        self.known.on_pod(self.accounting.on_pod)
        self.known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(**{"attempts": 1, **status}), 1))
        self.version = 1
        if began is not None:
            self.accounting.begin(began)

    @property
    def sync(self) -> snapshot.SyncRecord:
        return self.known.syncs["uid-llama"]

    def pod(self, event: str = "MODIFIED", **pod: Any) -> snapshot.PodRecord:
        self.version += 1
        raw = harness.versioned(harness.pod(**pod), self.version)
        self.known.observe(PODS, event, raw)
        return parsing.pod_record(raw, PROOFS)

    def sample(self, pod: snapshot.PodRecord, **report: Any) -> None:
        sampled = protocol.ProgressReport.model_validate(
            {"uid": "uid-llama", "attempt": 1, "stage": "Downloading", **report}
        )
        self.accounting.on_sample(pod, sampled)

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"modelsync_{name}", labels) or 0.0

    @property
    def bytes(self) -> float:
        return self.value("downloaded_bytes_total", **WHERE)


def fetched(count: int) -> dict[str, Any]:
    return {"progress": {"bytesNetwork": count}}


def test_polls_and_termination_reports_add_up_to_the_pods_own_count() -> None:
    b = Bench()
    pod = b.pod()
    for count in (10, 10, 60):
        b.sample(pod, **fetched(count))
    b.pod(words=harness.words(**fetched(100)))
    assert b.bytes == 100
    b.sample(pod, **fetched(100))
    b.pod("DELETED", words=harness.words(**fetched(100)))
    assert b.bytes == 100


def test_a_pod_that_was_never_polled_counts_in_full() -> None:
    b = Bench()
    b.pod("DELETED", words=harness.words(**fetched(100)))
    assert b.bytes == 100


def test_twenty_short_pods_are_counted_exactly() -> None:
    b = Bench()
    for number in range(20):
        raw = harness.pod(words=harness.words(**fetched(1_000_003)))
        raw["metadata"]["uid"] = f"pod-{number}"
        b.known.observe(PODS, "ADDED", harness.versioned(raw, 10 + number))
    assert b.bytes == 20 * 1_000_003


def test_a_fall_counts_nothing() -> None:
    b = Bench()
    pod = b.pod()
    for count in (50, 10, 55):
        b.sample(pod, **fetched(count))
    assert b.bytes == 55


@pytest.mark.parametrize(
    ("status", "words", "want"),
    [
        pytest.param(
            {"phase": "Downloading", "attempts": 1, "progress": {"bytesNetwork": 70}},
            100,
            30,
            id="ended since",
        ),
        pytest.param(
            {"phase": "Complete", "attempts": 1, "progress": {"bytesNetwork": 100}}, 100, 0, id="recorded"
        ),
        pytest.param(
            {"attempts": 1, "lastFailure": {"reason": "NetworkError", "attempt": 1}},
            100,
            0,
            id="failed before",
        ),
        pytest.param({"phase": "Queued", "attempts": 1}, 100, 100, id="never reported"),
    ],
)
def test_after_a_restart_only_what_is_not_reported_yet_is_counted(
    status: dict[str, Any], words: int, want: int
) -> None:
    b = Bench(began=AFTER, **status)
    b.pod(words=harness.words(**fetched(words)))
    assert b.bytes == want


def test_after_a_restart_a_running_pod_goes_on_from_the_stored_figure() -> None:
    b = Bench(began=AFTER, phase="Downloading", attempts=1, progress={"bytesNetwork": 70})
    b.sample(b.pod(), **fetched(90))
    assert b.bytes == 20


@pytest.mark.parametrize("restarted", [False, True])
def test_what_a_killed_worker_received_is_counted_when_the_next_one_reports_it(restarted: bool) -> None:
    b = Bench(began=BEFORE) if not restarted else Bench(began=AFTER, progress={"bytesNetwork": 60})
    if not restarted:
        b.sample(b.pod(), **fetched(60))
    raw = harness.versioned(harness.pod(), 50)
    raw["metadata"] |= {"uid": "pod-2", "creationTimestamp": "2026-12-01T00:00:00Z"}
    b.known.observe(PODS, "ADDED", raw)
    pod = parsing.pod_record(raw, PROOFS)
    for count in (10, 30):
        b.sample(pod, progress={"bytesNetwork": count, "bytesNetworkBefore": 85})
    assert b.bytes == 85 + 30 - (60 if restarted else 0)


def test_a_worker_that_is_believed_late_counts_from_what_was_stored_when_this_process_began() -> None:
    """It answered before its Job was heard of; meanwhile the status had its bytes, and those that the volume
    knows of a killed one."""
    progress = {"bytesNetwork": 40, "bytesNetworkBefore": 60}
    b = Bench(progress={"bytesNetwork": 50}, job={"name": "llama", "uid": "job-before"})
    pod = b.pod()
    b.sample(pod, progress={**progress, "bytesNetwork": 20})
    assert b.bytes == 0
    status = {"attempts": 1, "progress": {"bytesNetwork": 80}, "job": {"name": "llama", "uid": pod.job_uid}}
    b.known.observe(SYNCS, "MODIFIED", harness.versioned(harness.sync(**status), 9))
    b.sample(pod, progress=progress)
    assert b.bytes == 50


def test_a_standby_counts_nothing_and_a_new_leader_what_it_finds() -> None:
    b = Bench(began=None)
    b.pod(words=harness.words(**fetched(100)))
    assert b.bytes == 0
    b.accounting.begin(BEFORE)
    assert b.bytes == 100


def test_network_devices_are_counted_by_node() -> None:
    b = Bench()
    pod = b.pod()
    for count in (100, 250):
        b.sample(pod, devices=[{"device": "eth0", "receiveBytes": count, "transmitBytes": count // 10}])
    assert b.value("network_receive_bytes_total", node="node-1", device="eth0") == 250
    assert b.value("network_transmit_bytes_total", node="node-1", device="eth0") == 25


def test_a_pod_cannot_make_series_without_end() -> None:
    b = Bench()
    pod = b.pod()
    for number in range(500):
        b.sample(pod, devices=[{"device": f"d{number}", "receiveBytes": 1, "transmitBytes": 1}])
    series = [
        s
        for m in b.metrics.registry.collect()
        for s in m.samples
        if s.name.startswith("modelsync_network_rec")
    ]
    assert len(series) <= 33
    assert b.value("network_receive_bytes_total", node="node-1", device="other") > 400


def test_retries_and_waits_are_counted() -> None:
    b = Bench()
    b.sample(b.pod(), retries=2, rateLimitWaitSeconds=1.5)
    b.pod(words=harness.words(retries=5, rateLimitWaitSeconds=2.5, verificationSeconds=0.7))
    assert b.value("download_retries_total", **WHERE) == 5
    assert b.value("rate_limit_wait_seconds_total", source="huggingFace") == 2.5
    assert b.value("verification_duration_seconds_count", source="huggingFace") == 1


FAILED = api.LastFailure(reason=Reason.NETWORK_ERROR, attempt=1, time=BEFORE)


@pytest.mark.parametrize(
    ("wanted", "result"),
    [
        pytest.param({"phase": Phase.COMPLETE, "attempts": 1}, "succeeded", id="complete"),
        pytest.param({"phase": Phase.QUEUED, "attempts": 1, "last_failure": FAILED}, "failed", id="failed"),
        pytest.param({"phase": Phase.CANCELLED, "attempts": 1}, "cancelled", id="cancelled"),
    ],
)
def test_an_outcome_is_counted_once_however_often_it_is_planned(wanted: dict[str, Any], result: str) -> None:
    b = Bench(phase="Downloading", attempts=1)
    b.pod(words=harness.words())
    status = b.sync.status.replace(**wanted)
    for second in range(3):
        later = BEFORE + timedelta(seconds=second)  # the worker's end, then its Job's
        again = status.replace(completion_time=later) if status.phase is Phase.COMPLETE else status
        b.accounting.on_plan(b.sync, again)
    stored = replace(b.sync, status=status)
    b.accounting.on_plan(stored, status)
    assert b.value("downloads_total", **WHERE, result=result) == 1
    assert b.value("download_duration_seconds_sum", source="huggingFace", result=result) == 10
    failures = b.value("download_failures_total", **WHERE, reason="NetworkError")
    assert failures == (1 if result == "failed" else 0)


def test_an_outcome_that_is_stored_already_is_not_counted_by_a_new_operator() -> None:
    b = Bench(phase="Complete", attempts=1)
    b.accounting.on_plan(b.sync, b.sync.status.replace(observed_generation=2))
    assert b.value("downloads_total", **WHERE, result="succeeded") == 0


def test_each_stall_is_counted_once() -> None:
    b = Bench(phase="Downloading")
    condition = Condition(
        type="Progressing", status="False", reason="DownloadStalled", last_transition_time=BEFORE
    )
    stalled = b.sync.status.replace(conditions=(condition,))
    for status in (stalled, stalled, b.sync.status.replace(attempts=2), stalled):
        b.accounting.on_plan(b.sync, status)
    assert b.value("download_stalls_total", **WHERE) == 2


def test_counters_of_a_known_source_begin_at_zero() -> None:
    b = Bench()
    b.accounting.on_plan(b.sync, b.sync.status)
    assert b.metrics.registry.get_sample_value("modelsync_downloaded_bytes_total", WHERE) == 0.0


def test_the_wait_for_a_slot_is_measured() -> None:
    b = Bench()
    b.accounting.on_admitted(b.sync, b.sync.created + timedelta(seconds=42))
    assert b.value("queue_wait_seconds_sum", namespace="models") == 42


def test_the_wait_for_the_next_attempt_is_not_a_wait_for_a_slot() -> None:
    b = Bench(queue={"name": "default", "reason": "BackOff", "since": "2026-01-01T00:00:00Z"})
    b.accounting.on_admitted(b.sync, b.sync.created + timedelta(seconds=42))
    assert b.value("queue_wait_seconds_count", namespace="models") == 0


def series(measured: metrics.Metrics, label: str, value: str) -> set[str]:
    """Names of the series that have this value of a label."""
    return {
        sample.name
        for family in measured.registry.collect()
        for sample in family.samples
        if sample.labels.get(label) == value
    }


def test_series_go_an_hour_after_their_last_object_and_no_sooner() -> None:
    b = Bench()
    pod = b.pod()
    b.sample(
        pod, **fetched(10), devices=[{"device": "eth0", "receiveBytes": 1, "transmitBytes": 1}], retries=1
    )
    b.accounting.on_admitted(b.sync, b.sync.created)
    failed = b.sync.status.replace(phase=Phase.FAILED, last_failure=FAILED)
    b.accounting.on_plan(b.sync, failed)
    assert series(b.metrics, "namespace", "models") and series(b.metrics, "node", "node-1")
    b.pod("DELETED", words=harness.words())
    b.known.observe(SYNCS, "DELETED", harness.versioned(harness.sync(), 99))
    for hour in (0.0, 0.9):
        b.now = hour * 3600
        b.accounting.forget_missing()
        assert series(b.metrics, "namespace", "models") and series(b.metrics, "node", "node-1")
    b.now = 3601
    b.accounting.forget_missing()
    assert not series(b.metrics, "namespace", "models") and not series(b.metrics, "node", "node-1")


def test_a_namespace_that_comes_back_in_time_keeps_its_counters_and_a_later_one_begins_at_zero() -> None:
    b = Bench()
    b.sample(b.pod(), **fetched(10))
    for hour, version, want in ((0.5, 200, 10.0), (2.5, 300, 0.0)):
        b.pod("DELETED", words=harness.words())
        b.known.observe(SYNCS, "DELETED", harness.versioned(harness.sync(uid=b.uid), version))
        b.accounting.forget_missing()
        b.now += hour * 3600
        b.uid = f"uid-{version}"
        if hour < 1:
            b.known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(uid=b.uid), version))
            b.accounting.forget_missing()
            b.accounting.on_plan(b.known.syncs[b.uid], b.known.syncs[b.uid].status)
        else:
            b.accounting.forget_missing()
            b.known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(uid=b.uid), version))
            b.accounting.on_plan(b.known.syncs[b.uid], b.known.syncs[b.uid].status)
        assert b.metrics.registry.get_sample_value("modelsync_downloaded_bytes_total", WHERE) == want


def test_a_thousand_namespaces_of_a_day_leave_nothing() -> None:
    b = Bench()
    for number in range(1000):
        raw = harness.sync(uid=f"uid-{number}")
        raw["metadata"]["namespace"] = f"ci-{number}"
        b.known.observe(SYNCS, "ADDED", harness.versioned(raw, 10))
        sync = b.known.syncs[f"uid-{number}"]
        b.accounting.on_plan(sync, sync.status)
        b.accounting.on_admitted(sync, sync.created)
        b.known.observe(SYNCS, "DELETED", harness.versioned(raw, 11))
        b.accounting.forget_missing()
        b.now += 86.4
    lines = [s for family in b.metrics.registry.collect() for s in family.samples if "ci-" in str(s.labels)]
    assert len({sample.labels["namespace"] for sample in lines}) <= 3600 / 86.4 + 1


def test_every_metric_by_namespace_or_node_can_be_forgotten() -> None:
    measured = metrics.Metrics()
    labelled = [m for m in vars(measured).values() if getattr(m, "_labelnames", None)]
    for label in ("namespace", "node"):
        for metric in labelled:
            if label in metric._labelnames:
                metric.labels(**dict.fromkeys(metric._labelnames, "x"))
        assert series(measured, label, "x")
        measured.forget(label, "x")
        assert not series(measured, label, "x")


def test_an_idle_modelsync_costs_less_than_one_look_up_of_a_counter() -> None:
    b = Bench()
    sync, counter = b.sync, b.metrics.downloaded_bytes

    def seconds(act: Callable[[], object]) -> float:
        best = float("inf")
        for _ in range(5):
            began = time.process_time()
            for _ in range(5000):
                act()
            best = min(best, time.process_time() - began)
        return best

    look_up = seconds(lambda: counter.labels("models", "huggingFace"))
    assert seconds(lambda: b.accounting.on_plan(sync, sync.status)) < look_up
