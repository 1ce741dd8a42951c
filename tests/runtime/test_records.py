"""Raw objects as records, hostile ones included."""

import contextlib
import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import job_signatures, parsing
from modelsync.runtime.workers import report_validation
from tests import counts
from tests.api.specs import extremes
from tests.runtime import harness

PROOFS = job_signatures.Proofs()


def job_record(raw: dict[str, Any]) -> snapshot.JobRecord:
    return parsing.job_record(raw, PROOFS)


def pod_record(raw: dict[str, Any]) -> snapshot.PodRecord:
    return parsing.pod_record(raw, PROOFS)


def given_version(raw: dict[str, Any]) -> dict[str, Any]:
    return harness.versioned(raw, 7)


def test_a_modelsync_is_read() -> None:
    raw = given_version(harness.sync(phase="Downloading", attempts=2))
    raw["metadata"]["annotations"] = {"modelsync.dev/retry-requested-at": "now"}
    found = parsing.sync_record(raw)
    assert (found.namespace, found.name, found.uid, found.generation) == ("models", "llama", "uid-llama", 1)
    assert (found.status.phase, found.status.attempts, found.retry_requested) == ("Downloading", 2, "now")
    assert found.created == datetime(2026, 1, 1, tzinfo=UTC) and found.invalid is None


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        pytest.param(None, "spec", id="no spec"),
        pytest.param({"source": {}}, "spec.target", id="no target"),
        pytest.param({"source": 1, "target": 2}, "spec.source", id="wrong types"),
        pytest.param(
            {**harness.sync()["spec"], "priority": "very"}, "spec.priority", id="a number that is none"
        ),
    ],
)
def test_a_spec_that_cannot_be_read_is_reported_and_not_raised(spec: object, part: str) -> None:
    found = parsing.sync_record(given_version({**harness.sync(), "spec": spec}))
    assert found.invalid is not None and part in found.invalid


def test_the_readable_part_of_a_status_is_kept() -> None:
    status = {"phase": "Nonsense", "attempts": 3, "progress": {"percent": 1000}, "failures": 1}
    found = parsing.sync_record(given_version({**harness.sync(), "status": status})).status
    assert (found.phase, found.attempts, found.progress, found.failures) == (None, 3, None, 1)


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        pytest.param([], snapshot.JobState.ACTIVE, id="none yet"),
        pytest.param([("Complete", "True")], snapshot.JobState.COMPLETE, id="complete"),
        pytest.param([("SuccessCriteriaMet", "True")], snapshot.JobState.ACTIVE, id="not all Pods ended"),
        pytest.param([("FailureTarget", "True"), ("Failed", "True")], snapshot.JobState.FAILED, id="failed"),
        pytest.param([("Failed", "False")], snapshot.JobState.ACTIVE, id="a condition that is not true"),
    ],
)
def test_a_job_stands_as_its_conditions_say(
    conditions: list[tuple[str, str]], state: snapshot.JobState
) -> None:
    stored = [
        {
            "type": kind,
            "status": value,
            "reason": "DeadlineExceeded",
            "lastTransitionTime": "2026-01-01T01:00:00Z",
        }
        for kind, value in conditions
    ]
    found = job_record(given_version(harness.job(status={"conditions": stored})))
    assert found.state is state and (found.sync_uid, found.attempt) == ("uid-llama", 1)
    assert found.failure_reason == ("DeadlineExceeded" if state is snapshot.JobState.FAILED else "")
    assert (found.finished is None) == (state is snapshot.JobState.ACTIVE)


def test_a_running_pod_is_read() -> None:
    found = pod_record(given_version(harness.pod()))
    assert (found.phase, found.ip, found.node, found.progress_key) == (
        "Running",
        "127.0.0.1",
        "node-1",
        "the-key",
    )
    assert found.running_since == datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC) and found.exit_code is None


def test_the_termination_report_of_a_pod_is_read() -> None:
    found = pod_record(given_version(harness.pod(words=harness.words())))
    assert found.termination is not None and found.termination.reason == "Synced"
    assert found.exit_code == 0 and found.finished == datetime(2026, 1, 1, 0, 0, 13, tzinfo=UTC)


@pytest.mark.parametrize("shared", [False, True])
def test_the_network_of_a_node_is_not_taken_for_that_of_its_worker(shared: bool) -> None:
    devices = [{"device": "eth0", "receiveBytes": 7, "transmitBytes": 7}]
    about = {"uid": "uid-llama", "attempt": 1, "devices": devices}
    raw = given_version(harness.pod(words={**about, "reason": "Synced"}))
    raw["spec"] |= {"hostNetwork": shared}
    pod = pod_record(raw)
    rates = {"receiveBytesPerSecond": 1, "transmitBytesPerSecond": 1}
    body = json.dumps({**about, "stage": "Downloading", "network": rates}).encode()
    report = report_validation.parse(body, pod, None)
    assert pod.termination is not None
    assert [len(report.devices), len(pod.termination.devices)] == ([0, 0] if shared else [1, 1])
    assert (report.network is None) is shared


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("", id="empty"),
        pytest.param("killed", id="not JSON"),
        pytest.param(json.dumps(harness.words(sync_uid="another")), id="another uid"),
        pytest.param(json.dumps(harness.words(attempt=2)), id="another attempt"),
        pytest.param(json.dumps(harness.words(reason="Hacked")), id="a reason that is none"),
        pytest.param(json.dumps(harness.words(progress={"bytesNetwork": -1})), id="a negative number"),
        pytest.param(json.dumps(harness.words(message="x" * 5000)), id="too long"),
        pytest.param("[" * 3000, id="deeply nested"),
    ],
)
def test_words_that_are_not_about_this_attempt_are_none(message: str) -> None:
    assert parsing.termination(message, "uid-llama", 1) is None


def test_what_a_node_said_of_a_pod_that_it_evicted_is_read() -> None:
    raw = harness.pod(phase="Failed", reason="Evicted", message="Usage of EmptyDir volume")
    found = pod_record(given_version(raw))
    assert (found.status_reason, found.status_message) == ("Evicted", "Usage of EmptyDir volume")
    assert found.disruption == ""


RUNS = {"running": {"startedAt": "2026-01-01T00:00:03Z"}}


def ended(code: int) -> dict[str, Any]:
    """The state of a container that ended."""
    return {"terminated": {"exitCode": code, "finishedAt": "2026-01-01T00:00:09Z"}}


@pytest.mark.parametrize("first", [True, False], ids=["injected first", "injected last"])
def test_the_worker_is_found_by_its_name_among_injected_containers(first: bool) -> None:
    worker = {"name": "worker", "state": ended(13)}
    mesh = [{"name": "istio-proxy", "state": RUNS}, {"name": "agent", "state": ended(0)}, "odd", {}]
    found = pod_record(
        given_version(harness.pod(containerStatuses=[*mesh, worker] if first else [worker, *mesh]))
    )
    assert (found.exit_code, found.phase) == (13, "Running")
    alone = pod_record(given_version(harness.pod(containerStatuses=mesh)))
    assert (alone.exit_code, alone.running_since) == (None, None)


@pytest.mark.parametrize(
    ("statuses", "name", "code"),
    [
        pytest.param([], "", None, id="none"),
        pytest.param([{"name": "a", "state": ended(0)}], "", None, id="all ended well"),
        pytest.param(
            [{"name": "a", "state": ended(0)}, {"name": "b", "state": RUNS}], "b", None, id="one runs"
        ),
        pytest.param([{"name": "a", "state": ended(2)}, {"name": "b"}], "a", 2, id="one failed"),
        pytest.param([{"name": "a", "state": {"waiting": {}}}], "a", None, id="one waits"),
        pytest.param(
            [{"name": "a", "state": RUNS, "started": True}, {"name": "b", "state": RUNS}],
            "b",
            None,
            id="a native sidecar has started, which is all that is waited for",
        ),
        pytest.param("odd", "", None, id="nonsense"),
    ],
)
def test_the_init_container_that_a_pod_waits_for_is_read(statuses: Any, name: str, code: int | None) -> None:
    found = pod_record(given_version(harness.pod(initContainerStatuses=statuses)))
    assert (found.init_container, found.init_exit_code) == (name, code)


NOTICED = "2026-01-01T00:01:00Z"


@pytest.mark.parametrize(
    ("ready", "containers", "dark"),
    [
        pytest.param({"status": "False"}, {"status": "True"}, True, id="marked by the node controller"),
        pytest.param({"status": "True"}, {"status": "True"}, False, id="all is well"),
        pytest.param({"status": "False"}, {"status": "False"}, False, id="a container is not ready"),
        pytest.param({"status": "False"}, {}, False, id="nothing known of its containers"),
        pytest.param({"status": "Unknown"}, {"status": "True"}, False, id="in a word of tomorrow"),
        pytest.param(
            {"status": "False", "reason": "ReadinessGatesNotReady"},
            {"status": "True"},
            False,
            id="a readiness gate that something added",
        ),
    ],
)
def test_a_node_that_does_not_report_is_read_from_the_pods_conditions(
    ready: dict[str, Any], containers: dict[str, Any], dark: bool
) -> None:
    conditions = [
        {"type": "Ready", "lastTransitionTime": NOTICED, **ready},
        {"type": "ContainersReady", **containers},
    ]
    raw = given_version(harness.pod(conditions=conditions))
    raw["metadata"]["deletionTimestamp"] = "2026-01-01T00:06:30Z"
    found = pod_record(raw)
    assert found.unreachable_since == (datetime(2026, 1, 1, 0, 1, tzinfo=UTC) if dark else None)
    assert found.deleting and found.deletion_due == datetime(2026, 1, 1, 0, 6, 30, tzinfo=UTC)


def test_what_keeps_a_pod_from_running_is_read() -> None:
    raw = harness.pod(
        phase="Pending",
        containerStatuses=[
            {"name": "worker", "state": {"waiting": {"reason": "ErrImagePull", "message": "m"}}}
        ],
        conditions=[
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"},
            {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"},
        ],
    )
    found = pod_record(given_version(raw))
    assert (found.waiting_reason, found.unschedulable) == ("ErrImagePull", "no node")
    assert found.disruption == "PreemptionByScheduler" and found.running_since is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"ownerReferences": []}, id="no owner"),
        pytest.param(
            {"ownerReferences": [{"kind": "Other", "uid": "u", "controller": True}]}, id="a stranger"
        ),
        pytest.param({"labels": {}}, id="no labels"),
        pytest.param({"labels": {"modelsync.dev/uid": "u", "modelsync.dev/attempt": "one"}}, id="no number"),
        pytest.param(
            {"labels": {"modelsync.dev/uid": "u", "modelsync.dev/attempt": "9" * 40}}, id="a huge number"
        ),
        pytest.param({"labels": "none"}, id="labels that are none"),
        pytest.param({"uid": None}, id="no uid"),
    ],
)
def test_jobs_and_pods_that_are_not_ours_are_ignored(change: dict[str, Any]) -> None:
    for make, raw in ((job_record, harness.job()), (pod_record, harness.pod())):
        raw = given_version(raw)
        raw["metadata"] |= change
        with pytest.raises(parsing.NotOurs):
            make(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON, where=st.sampled_from(["labels", "annotations", "ownerReferences", "spec", "status"]))
@settings(max_examples=counts.chosen(short=60, full=300), deadline=None)
def test_whatever_stands_in_an_object_nothing_but_notours_is_raised(value: Any, where: str) -> None:
    for make, raw in (
        (job_record, harness.job()),
        (pod_record, harness.pod()),
        (parsing.sync_record, harness.sync()),
    ):
        raw = given_version(raw)
        place = raw if where in ("spec", "status") else raw["metadata"]
        place[where] = value
        with contextlib.suppress(parsing.NotOurs):
            make(raw)


@pytest.mark.parametrize("spec", extremes.LARGEST.values(), ids=extremes.LARGEST)
def test_little_is_kept_of_the_largest_spec(spec: dict[str, Any]) -> None:
    raw = given_version({**harness.sync(), "spec": spec})
    raw["metadata"]["annotations"] = {"example.org/a": "x" * 250_000}
    whole, text = parsing.whole_sync(raw), json.dumps(raw)
    tracemalloc.start()
    try:
        kept = [parsing.sync_record(json.loads(text)) for _ in range(4)]
        used = tracemalloc.get_traced_memory()[0] / len(kept)
    finally:
        tracemalloc.stop()
    assert used < 24_000
    assert kept[0].spec.source.summary == whole.spec.source.summary
    assert kept[0].spec.source.secret_name == whole.spec.source.secret_name
    assert kept[0].spec.target_dir == whole.spec.target_dir
