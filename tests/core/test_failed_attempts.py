"""Why an attempt failed, how often that may happen, and when the next one starts."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.api import exitcodes, protocol
from modelsync.api import modelsync_status as api
from modelsync.api.reasons import Phase, Reason
from modelsync.api.source import transfer
from modelsync.core import planner
from modelsync.core.attempts import retries
from modelsync.core.cluster import snapshot
from tests.builders import (
    MB,
    NOW,
    JobBuilder,
    PodBuilder,
    a_failure,
    a_job,
    a_pod,
    a_progress,
    a_snapshot,
    a_sync,
    ago,
    termination_report,
)

FAILED = a_job().failed()


@pytest.mark.parametrize(
    ("job", "pod", "reason", "retryable", "says"),
    [
        pytest.param(
            FAILED, a_pod().ended(11), Reason.AUTHENTICATION_FAILED, False, "log", id="the user's error"
        ),
        pytest.param(
            FAILED,
            a_pod().ended(13, termination_report(Reason.NOT_FOUND, "no such repository")),
            Reason.NOT_FOUND,
            False,
            "no such repository",
            id="with its termination report",
        ),
        pytest.param(
            FAILED,
            a_pod().ended(50, termination_report(Reason.SYNCED, "all is well")),
            Reason.NETWORK_ERROR,
            True,
            "log",
            id="termination report that contradict the exit code",
        ),
        pytest.param(FAILED, a_pod().ended(20), Reason.INSUFFICIENT_STORAGE, False, "", id="no space"),
        pytest.param(FAILED, a_pod().ended(30), Reason.CHECKSUM_MISMATCH, False, "", id="wrong bytes"),
        pytest.param(FAILED, a_pod().ended(32), Reason.SOURCE_CHANGED, True, "", id="source changed"),
        pytest.param(FAILED, a_pod().ended(143), Reason.INTERRUPTED, True, "stop", id="SIGTERM"),
        pytest.param(FAILED, a_pod().ended(137), Reason.WORKER_LOST, True, "killed", id="SIGKILL"),
        pytest.param(
            FAILED,
            a_pod().ended(137, reason="OOMKilled"),
            Reason.WORKER_OOM_KILLED,
            True,
            "limits.memory",
            id="out of memory",
        ),
        pytest.param(
            FAILED,
            a_pod().ended(143).with_record(disruption="node is drained"),
            Reason.WORKER_EVICTED,
            True,
            "node is drained",
            id="disrupted",
        ),
        pytest.param(
            FAILED,
            a_pod()
            .ended(137)
            .with_record(
                status_reason="Evicted",
                status_message="The node was low on resource: memory. ",
                disruption="The node was low on resource: memory. ",
            ),
            Reason.WORKER_EVICTED,
            True,
            "low on resource: memory",
            id="evicted by a node under pressure",
        ),
        pytest.param(
            a_job().failed("DeadlineExceeded"),
            a_pod().ended(143),
            Reason.DEADLINE_EXCEEDED,
            True,
            "activeDeadlineSeconds of the queue",
            id="its own deadline",
        ),
        pytest.param(FAILED, None, Reason.WORKER_LOST, True, "lost", id="no Pod"),
        pytest.param(
            FAILED, a_pod().with_record(phase="Unknown"), Reason.WORKER_LOST, True, "lost", id="Pod unknown"
        ),
    ],
)
def test_a_failed_job_is_reported_by_its_reason(
    job: JobBuilder, pod: PodBuilder | None, reason: Reason, retryable: bool, says: str
) -> None:
    failure = retries.classify(job.build(), pod.build() if pod else None, NOW)
    assert (failure.reason, failure.retryable) == (reason, retryable)
    assert says in failure.message
    assert failure.disruption == bool(pod and pod.build().disruption)


# What the kubelet says when it ends or refuses a Pod without the condition DisruptionTarget (texts of
# kubernetes/pkg/kubelet: eviction/helpers.go, lifecycle/predicate.go, cm/topologymanager).
BY_THE_KUBELET = [
    pytest.param(
        "Evicted",
        'Container worker exceeded its local ephemeral storage limit "50Mi". ',
        Reason.WORKER_EVICTED,
        "50Mi",
        "spec.podTemplate.resources.limits.ephemeral-storage",
        id="the worker's ephemeral storage",
    ),
    pytest.param(
        "Evicted",
        "Pod ephemeral local storage usage exceeds the total limit of containers 50Mi. ",
        Reason.WORKER_EVICTED,
        "50Mi",
        "spec.podTemplate.resources.limits.ephemeral-storage",
        id="the Pod's ephemeral storage",
    ),
    pytest.param(
        "Evicted",
        'Usage of EmptyDir volume "scratch" exceeds the limit "64Mi". ',
        Reason.WORKER_EVICTED,
        "64Mi",
        "spec.engine",
        id="the worker's own scratch volume",
    ),
    pytest.param(
        "Evicted",
        'Container istio-proxy exceeded its local ephemeral storage limit "1Gi". ',
        Reason.WORKER_EVICTED,
        "istio-proxy",
        "added to the worker's Pod",
        id="a container that was injected",
    ),
    pytest.param(
        "Evicted",
        'Usage of EmptyDir volume "istio-envoy" exceeds the limit "1Mi". ',
        Reason.WORKER_EVICTED,
        "istio-envoy",
        "added to the worker's Pod",
        id="a volume that was injected",
    ),
    pytest.param("Evicted", "", Reason.WORKER_EVICTED, "evicted", "", id="evicted without a word"),
    pytest.param("Evicted", "in new words", Reason.WORKER_EVICTED, "in new words", "", id="in other words"),
    pytest.param(
        "OutOfmemory",
        "Node didn't have enough resource: memory, requested: 8, used: 1, capacity: 2",
        Reason.WORKER_LOST,
        "OutOfmemory: Node didn't have enough resource: memory",
        "",
        id="refused by the node that it was given to",
    ),
    pytest.param(
        "NodeAffinity",
        "Predicate NodeAffinity failed",
        Reason.WORKER_LOST,
        "Predicate NodeAffinity failed",
        "",
        id="refused by a node whose labels changed",
    ),
]


@pytest.mark.parametrize(("why", "message", "reason", "says", "field"), BY_THE_KUBELET)
def test_a_limit_or_a_refusal_counts_and_names_the_limit_and_the_field(
    why: str, message: str, reason: Reason, says: str, field: str
) -> None:
    pod = a_pod().with_record(phase="Failed", status_reason=why, status_message=message)
    failure = retries.classify(FAILED.build(), pod.build(), NOW)
    assert (failure.reason, failure.retryable, failure.disruption) == (reason, True, False)
    assert says in failure.message
    assert field in failure.message


@pytest.mark.parametrize(
    ("own", "took", "says"),
    [
        pytest.param(60, 60, "longer than spec.activeDeadlineSeconds", id="its own"),
        pytest.param(60, 61, "longer than spec.activeDeadlineSeconds", id="its own, ended late"),
        pytest.param(60, 30, "of the queue", id="the queue's, which is shorter"),
        pytest.param(None, 30, "of the queue", id="the queue's alone"),
    ],
)
def test_an_attempt_that_took_too_long_names_whose_deadline_it_was(
    own: int | None, took: int, says: str
) -> None:
    sync = a_sync().with_spec(active_deadline_seconds=own)
    job = a_job().with_record(created=ago(took)).failed("DeadlineExceeded")
    last = planner.plan(a_snapshot(sync, job)).statuses["uid-llama"].last_failure
    assert last is not None
    assert (last.reason, says in last.message) == (Reason.DEADLINE_EXCEEDED, True)


def test_an_attempt_that_was_too_slow_counts_however_far_it_got() -> None:
    last, limit = api.LastFailure(reason=Reason.NETWORK_ERROR, attempt=1, bytes_done=5), 3
    for reason, failures in ((Reason.DOWNLOAD_TOO_SLOW, limit + 1), (Reason.NETWORK_ERROR, 1)):
        report = protocol.TerminationReport(
            uid="uid-llama",
            attempt=2,
            reason=reason,
            progress=protocol.Progress(bytes_done=9, bytes_total=10),
        )
        pod = a_pod(attempt=2).ended(exitcodes.BY_REASON[reason], report)
        sync = a_sync().with_spec(backoff_limit=limit)
        sync = sync.with_status(attempts=2, failures=limit, last_failure=last)
        status = planner.plan(a_snapshot(sync, a_job(attempt=2).failed(), pod)).statuses["uid-llama"]
        assert status.failures == failures
        assert (status.phase is Phase.FAILED) == (failures > limit)


def test_an_added_init_container_that_fails_is_named() -> None:
    pod = a_pod().with_record(phase="Failed", init_container="istio-validation", init_exit_code=126)
    failure = retries.classify(FAILED.build(), pod.build(), NOW)
    assert (failure.reason, failure.retryable) == (Reason.WORKER_LOST, True)
    for part in ("'istio-validation'", "code 126", "spec.podTemplate.labels or .annotations"):
        assert part in failure.message


@given(st.text(max_size=80), st.text(max_size=80))
def test_only_the_condition_disruption_target_makes_an_attempt_free(why: str, message: str) -> None:
    pod = a_pod().with_record(phase="Failed", status_reason=why, status_message=message)
    assert not retries.classify(FAILED.build(), pod.build(), NOW).disruption
    disrupted = pod.with_record(disruption="drained")
    assert retries.classify(FAILED.build(), disrupted.build(), NOW).disruption


def test_a_failures_time_is_that_of_the_pod_or_the_job() -> None:
    pod = a_pod().ended(50, when=ago(7))
    assert retries.classify(FAILED.build(), pod.build(), NOW).time == ago(7)
    assert retries.classify(a_job().failed(when=ago(3)).build(), None, NOW).time == ago(3)


@given(st.integers(0, 200), st.text(max_size=40), st.integers(1, 10**6))
def test_the_wait_doubles_is_capped_and_always_the_same(failures: int, uid: str, attempt: int) -> None:
    settings = snapshot.Settings()
    wait = retries.wait(failures, uid, attempt, settings)
    plain = min(settings.retry_base * 2 ** min(max(failures - 1, 0), 30), settings.retry_cap)
    assert plain * 0.9 <= wait <= plain * 1.1
    assert retries.wait(failures, uid, attempt, settings) == wait


def test_the_waits_of_many_syncs_are_spread() -> None:
    waits = {retries.wait(1, f"uid-{n}", 1, snapshot.Settings()) for n in range(100)}
    assert len(waits) > 50


def failing(before: api.ModelSyncStatus, done: int, code: int = 50) -> api.ModelSyncStatus:
    """The status after another attempt failed with so many bytes done."""
    attempt = (before.attempts or 0) + 1
    pod = a_pod(attempt=attempt).ended(code, termination_report(attempt=attempt, progress=a_progress(done)))
    sync = a_sync().with_status(before)
    return planner.plan(a_snapshot(sync, a_job(attempt=attempt).failed(), pod)).statuses["uid-llama"]


def test_an_attempt_that_got_further_begins_the_count_again() -> None:
    status = api.ModelSyncStatus()
    counts = []
    for done in (10 * MB, 10 * MB, 10 * MB, 20 * MB, 20 * MB):
        status = failing(status, done)
        counts.append(status.failures)
    assert counts == [1, 2, 3, 1, 2]


def test_reaching_an_old_mark_again_is_no_advance() -> None:
    status = failing(failing(failing(api.ModelSyncStatus(), 50 * MB), 0), 40 * MB)
    assert status.failures == 3


def test_an_eviction_uses_up_no_attempt_of_the_limit() -> None:
    status = api.ModelSyncStatus()
    for attempt in range(1, 9):
        pod = a_pod(attempt=attempt).ended(143).with_record(disruption="preempted")
        sync = a_sync().with_spec(backoff_limit=0).with_status(status)
        status = planner.plan(a_snapshot(sync, a_job(attempt=attempt).failed(), pod)).statuses["uid-llama"]
    assert (status.phase, status.failures, status.attempts) == (Phase.QUEUED, 0, 8)
    assert status.next_retry_time is not None


def test_evictions_for_its_own_limits_end_at_the_limit_of_failures() -> None:
    status, waits = api.ModelSyncStatus(), []
    for attempt in range(1, 5):
        pod = a_pod(attempt=attempt).with_record(phase="Failed", status_reason="Evicted")
        sync = a_sync().with_spec(backoff_limit=3).with_status(status)
        status = planner.plan(a_snapshot(sync, a_job(attempt=attempt).failed(), pod)).statuses["uid-llama"]
        waits.append((status.next_retry_time - NOW).total_seconds() if status.next_retry_time else None)
    assert (status.phase, status.failures) == (Phase.FAILED, 4)
    first, second, third, last = waits
    assert first is not None and second is not None and third is not None and last is None
    assert first < second < third


def test_a_changed_source_is_resolved_again() -> None:
    pinned = api.ModelSyncStatus(resolved=transfer.Resolved(revision="old"))
    assert failing(pinned, 0, code=32).resolved is None
    assert failing(pinned, 0, code=50).resolved == transfer.Resolved(revision="old")


@pytest.mark.parametrize(
    "reason", [Reason.DOWNLOADING, Reason.VERIFYING, Reason.STARTING, Reason.SECRET_NOT_FOUND]
)
def test_a_job_that_somebody_deleted_is_a_failure_and_waits(reason: Reason) -> None:
    plan = planner.plan(a_snapshot(a_sync().with_status(with_worker(reason))))
    status = plan.statuses["uid-llama"]
    assert plan.creations == ()
    assert status.last_failure is not None
    assert (status.last_failure.reason, status.last_failure.attempt) == (Reason.WORKER_LOST, 1)
    assert status.next_retry_time is not None
    assert status.next_retry_time > NOW


def test_a_job_that_is_being_deleted_by_somebody_counts_at_once() -> None:
    sync = a_sync().with_status(with_worker(Reason.DOWNLOADING))
    plan = planner.plan(a_snapshot(sync, a_job().deleting(), a_pod().running()))
    assert plan.statuses["uid-llama"].failures == 1


@pytest.mark.parametrize("fields", [{"suspend": True}, {"cancel": True}])
def test_a_job_that_we_deleted_is_no_failure(fields: dict[str, bool]) -> None:
    sync = a_sync().with_spec(**fields).with_status(with_worker(Reason.DOWNLOADING))
    assert planner.plan(a_snapshot(sync)).statuses["uid-llama"].failures is None


def with_worker(reason: Reason) -> api.ModelSyncStatus:
    """A status that says of attempt 1 that it has a worker."""
    status = planner.plan(a_snapshot(a_sync(), a_job(), a_pod().running())).statuses["uid-llama"]
    return status.replace(conditions=tuple(c.replace(reason=reason) for c in status.conditions))


def test_the_next_retry_time_is_forgotten_once_the_next_attempt_runs() -> None:
    sync = a_sync().with_status(attempts=1, failures=1, last_failure=a_failure(), next_retry_time=ago(1))
    status = planner.plan(a_snapshot(sync, a_job(attempt=2))).statuses["uid-llama"]
    assert (status.next_retry_time, status.attempts, status.failures) == (None, 2, 1)


@pytest.mark.parametrize(
    ("job", "pod", "phase"),
    [
        pytest.param(a_job().failed(when=ago(1)), a_pod().running(), Phase.DOWNLOADING, id="failed, running"),
        pytest.param(a_job().complete(when=ago(1)), a_pod().running(), Phase.DOWNLOADING, id="complete"),
        pytest.param(a_job().failed(when=ago(1)), None, Phase.QUEUED, id="failed before its Pod was seen"),
        pytest.param(a_job().failed(when=ago(1)), a_pod(), Phase.QUEUED, id="failed, pending"),
    ],
)
def test_the_end_of_a_job_waits_a_moment_for_its_pods_termination_report(
    job: JobBuilder, pod: PodBuilder | None, phase: Phase
) -> None:
    # Jobs and Pods are watched apart. Without this, a wrong token could be reported as a lost worker.
    plan = planner.plan(a_snapshot(a_sync(), job, *([pod] if pod is not None else [])))
    status = plan.statuses["uid-llama"]
    assert (status.phase, status.last_failure, plan.creations) == (phase, None, ())
    assert plan.wake_at == ago(1) + timedelta(seconds=5)


def test_a_termination_report_that_comes_a_moment_later_is_heard() -> None:
    first = planner.plan(a_snapshot(a_sync(), a_job().failed(), a_pod().running())).statuses["uid-llama"]
    words = a_pod().ended(11, termination_report(Reason.AUTHENTICATION_FAILED, "wrong token"))
    plan = planner.plan(a_snapshot(a_sync().with_status(first), a_job().failed(), words))
    assert plan.statuses["uid-llama"].phase is Phase.FAILED


@pytest.mark.parametrize("when", [ago(5), ago(-3600)], ids=["too late", "a clock an hour ahead"])
def test_what_is_known_has_to_do_after_that(when: datetime) -> None:
    status = planner.plan(a_snapshot(a_sync(), a_job().failed(when=when), a_pod().running())).statuses[
        "uid-llama"
    ]
    assert status.last_failure is not None
    assert status.last_failure.reason is Reason.WORKER_LOST
