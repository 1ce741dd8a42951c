"""What /metrics shows of the present."""

from datetime import UTC, datetime
from typing import Any

from modelsync.api import protocol
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache, permissions
from modelsync.runtime.cluster.resources import JOBS, PODS, QUEUES, SYNCS
from modelsync.runtime.telemetry import metrics, state_collector
from tests.runtime import harness


def registry(known: cache.Store) -> Any:
    measured = metrics.Metrics()
    measured.registry.register(state_collector.StateCollector(known))
    return measured.registry


def queue(name: str = "default", **spec: Any) -> Any:
    return {
        "metadata": {"name": name, "namespace": "ops", "uid": f"q-{name}", "resourceVersion": "1"},
        "spec": spec,
    }


def names(found: Any) -> set[str]:
    return {sample.name for family in found.collect() for sample in family.samples}


def test_phases_are_counted_by_namespace_with_zeros() -> None:
    known = cache.Store()
    for number, phase in enumerate(["Queued", "Queued", "Complete"]):
        known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(f"s{number}", phase=phase), 1))
    found = registry(known)
    for phase, want in (("Queued", 2), ("Complete", 1), ("Failed", 0)):
        assert found.get_sample_value("modelsync_syncs", {"namespace": "models", "phase": phase}) == want


def test_queues_show_slots_length_and_the_longest_wait() -> None:
    known = cache.Store()
    known.observe(QUEUES, "ADDED", queue(maxActive=3))
    waiting = {"name": "default", "reason": "ConcurrencyLimit", "since": "2026-01-01T00:00:00Z"}
    known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(queue=waiting), 1))
    found = registry(known)
    assert found.get_sample_value("modelsync_download_slots", {"queue": "default"}) == 3
    assert found.get_sample_value("modelsync_queue_length", {"queue": "default"}) == 1
    assert found.get_sample_value("modelsync_queue_oldest_wait_seconds", {"namespace": "models"}) > 0


def test_series_of_a_modelsync_exist_while_it_is_active_and_unknown_values_have_none() -> None:
    known = cache.Store()
    status: dict[str, Any] = {"phase": "Downloading", "attempts": 1, "startTime": "2026-01-01T00:00:00Z"}
    known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(**status, progress={"bytesDone": 7}), 1))
    found = registry(known)
    key = {"namespace": "models", "name": "llama"}
    assert found.get_sample_value("modelsync_sync_downloaded_bytes", key) == 7
    assert "modelsync_sync_eta_seconds" not in names(found)
    assert "modelsync_sync_expected_bytes" not in names(found)
    start = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert found.get_sample_value("modelsync_sync_last_progress_timestamp_seconds", key) == start
    known.observe(SYNCS, "MODIFIED", harness.versioned(harness.sync(phase="Complete"), 2))
    assert not {name for name in names(found) if name.startswith("modelsync_sync_")}


def test_volumes_are_shown_while_a_worker_sees_them() -> None:
    known = cache.Store()
    known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(attempts=1), 1))
    known.observe(JOBS, "ADDED", harness.versioned(harness.job(), 1))
    known.observe(PODS, "ADDED", harness.versioned(harness.pod(), 2))
    report = protocol.ProgressReport.model_validate(
        {
            "uid": "uid-llama",
            "attempt": 1,
            "stage": "Downloading",
            "volume": {"capacityBytes": 100, "availableBytes": 40},
        }
    )
    known.sample("pod-1", snapshot.Sample(report=report, received=datetime.now(UTC)))
    labels = {"namespace": "models", "persistentvolumeclaim": "models"}
    assert registry(known).get_sample_value("modelsync_volume_available_bytes", labels) == 40


def test_no_right_that_could_read_a_secret_or_enter_a_pod_is_asked_for() -> None:
    asked = {(p.api_group, p.resource, verb) for p in permissions.PERMISSIONS for verb in p.verbs}
    assert not [
        entry for entry in asked if entry[1] in ("secrets", "pods/exec", "pods/log", "pods/proxy", "*")
    ]
    assert not [
        entry for entry in asked if entry[2] in ("*", "bind", "escalate", "impersonate", "deletecollection")
    ]
    writes = {"create", "update", "patch", "delete"}
    assert {(group, name) for group, name, verb in asked if verb in writes} == {
        ("batch", "jobs"),
        ("", "events"),
        ("modelsync.dev", "modelsyncs/status"),
        ("modelsync.dev", "syncqueues/status"),
        ("coordination.k8s.io", "leases"),
    }
