"""Workers whose ModelSync is gone: they count in their queue while they may run, and are ended."""

from datetime import timedelta
from typing import Any

import pytest

from modelsync.api.reasons import Phase, Reason
from modelsync.api.worker_pod.status import JobReference
from modelsync.core import planner
from tests.builders import (
    NOW,
    SETTINGS,
    JobBuilder,
    PodBuilder,
    a_job,
    a_pod,
    a_queue,
    a_snapshot,
    a_sync,
    ago,
    phase_of,
)

ORPHAN = {"queue": "default", "owned": False}
KEPT = SETTINGS.job_history + timedelta(seconds=1)


def job(**fields: Any) -> JobBuilder:
    """A Job of the ModelSync `gone`, which no owner takes along."""
    return a_job("gone").with_record(**{**ORPHAN, **fields})


def pod(**fields: Any) -> PodBuilder:
    """Its Pod, which runs."""
    return a_pod("gone").running().with_record(**{"queue": "default", **fields})


@pytest.mark.parametrize(
    ("parts", "active", "deleted"),
    [
        pytest.param((job(), pod()), 1, 1, id="a worker that runs"),
        pytest.param((job(),), 1, 1, id="a Job without a Pod yet"),
        pytest.param((job().deleting(), pod()), 1, 0, id="a worker that is being ended"),
        pytest.param((pod(),), 1, 0, id="a Pod whose Job was deleted, with or without orphans"),
        pytest.param(
            (pod(deleting=True, deletion_due=ago(99)),), 0, 0, id="a Pod on a node that does not answer"
        ),
        pytest.param((job(owned=True), pod()), 1, 0, id="a Job that the garbage collector takes"),
        pytest.param((job().complete(NOW), pod(phase="Succeeded")), 0, 0, id="a Job that has just ended"),
        pytest.param((job().complete(NOW - KEPT),), 0, 1, id="a Job that ended long ago"),
        pytest.param((job(unproven=True, queue=""),), 0, 0, id="a Job that somebody else made"),
        pytest.param(
            (job(), job(uid="job-2", name="gone-2"), pod()), 2, 2, id="two Jobs, as of two such ModelSyncs"
        ),
        pytest.param((job(queue="other"), pod(queue="other")), 0, 1, id="a worker of another queue"),
    ],
)
def test_a_worker_without_its_modelsync_counts_and_is_ended(
    parts: tuple[Any, ...], active: int, deleted: int
) -> None:
    plan = planner.plan(a_snapshot(a_sync("waits"), a_queue(max_active=1), *parts))
    assert plan.queue_statuses["default"].active == active
    assert len(plan.creations) == (0 if active else 1), "a slot is a worker that may run"
    assert len(plan.deletions) == deleted


def test_the_jobs_uid_is_stored_and_stays_when_the_job_is_gone() -> None:
    sync = a_sync()
    stored = planner.plan(a_snapshot(sync, a_job())).statuses["uid-llama"]
    assert stored.job == JobReference(name=a_job().build().name, uid="job-llama-1")
    gone = planner.plan(a_snapshot(sync.with_status(stored))).statuses["uid-llama"]
    assert gone.job == stored.job
    later = planner.plan(a_snapshot(sync.with_status(stored), a_job(attempt=2))).statuses["uid-llama"]
    assert later.job is not None and later.job.uid == "job-llama-2"


def test_an_older_operators_job_is_believed_and_recorded() -> None:
    sync = a_sync().with_status(phase=Phase.DOWNLOADING, attempts=1)
    job = a_job().with_record(unproven=True)
    found = planner.plan(a_snapshot(sync, job, a_pod().running().with_record(unproven=True)))
    status = found.statuses["uid-llama"]
    assert phase_of(status) is Phase.DOWNLOADING and status.job is not None


def test_what_is_ignored_is_reported_on_its_modelsync_once_for_all_of_it() -> None:
    forged = a_job(attempt=1).with_record(unproven=True)
    plan = planner.plan(a_snapshot(a_sync(), forged, a_pod().running().with_record(uid="p", unproven=True)))
    (found,) = plan.foreign
    assert (found.reason, found.sync.uid) == (Reason.FOREIGN_WORKER, "uid-llama")
    assert f"Job {forged.build().name} names this ModelSync" in found.message
    elsewhere = forged.with_record(namespace="elsewhere")
    assert planner.plan(a_snapshot(a_sync(), elsewhere)).foreign == ()


@pytest.mark.parametrize("namespace", sorted(SETTINGS.protected_namespaces))
def test_no_worker_starts_in_a_protected_namespace_and_one_that_runs_goes_on(namespace: str) -> None:
    sync = a_sync().in_namespace(namespace)
    plan = planner.plan(a_snapshot(sync))
    status = plan.statuses["uid-llama"]
    assert (phase_of(status), plan.creations) == (Phase.FAILED, ())
    assert status.conditions[0].reason == Reason.NAMESPACE_PROTECTED
    assert "create the ModelSync and its claim in another namespace" in status.conditions[0].message
    here = {"namespace": namespace}
    runs = planner.plan(a_snapshot(sync, a_job().with_record(**here), a_pod().running().with_record(**here)))
    assert phase_of(runs.statuses["uid-llama"]) is Phase.DOWNLOADING and not runs.deletions
