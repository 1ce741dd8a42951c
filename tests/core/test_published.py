"""Complete claims what the worker's termination report says, and nothing without one."""

from dataclasses import replace

import pytest

from modelsync.api import conditions
from modelsync.api.modelsync_status import ModelSyncStatus
from modelsync.api.reasons import ConditionType, Phase, Reason, Stage
from modelsync.api.source.transfer import Resolved, Verification
from modelsync.core import planner
from modelsync.core.attempts import completion
from tests.builders import (
    MB,
    NOW,
    JobBuilder,
    PodBuilder,
    a_job,
    a_pod,
    a_progress,
    a_sample,
    a_snapshot,
    a_sync,
    ago,
    termination_report,
)

RESOLVED = Resolved(revision="abc", files=3, bytes=100 * MB)
LOST: dict[str, PodBuilder | None] = {
    "no report": a_pod().ended(0, when=ago(30)),
    "the Pod is gone": None,
    "a report of another reason": a_pod().ended(0, termination_report(Reason.NETWORK_ERROR), when=ago(30)),
}


def ready(status: ModelSyncStatus) -> tuple[str, str, str]:
    found = conditions.find(status.conditions, ConditionType.READY)
    assert found is not None
    return found.status, found.reason, found.message


@pytest.mark.parametrize("sampled", [False, True], ids=["never sampled", "sampled as done"])
@pytest.mark.parametrize("case", LOST)
def test_an_end_without_its_report_is_no_result_but_another_attempt(case: str, sampled: bool) -> None:
    pod = LOST[case]
    sample = a_sample(a_progress(100 * MB), stage=Stage.DONE, resolved=RESOLVED, received=ago(31))
    sync = a_sync().with_status(attempts=1)
    job = a_job().complete(ago(30))
    parts: tuple[JobBuilder | PodBuilder, ...] = (job,) if pod is None else (job, pod)
    picture = a_snapshot(sync, *parts, samples={"pod-llama-1": sample} if sampled else {})
    status = planner.plan(picture).statuses["uid-llama"]
    assert status.last_failure is not None
    assert (status.last_failure.reason, status.failures) == (Reason.REPORT_MISSING, 1)
    assert (status.phase, status.artifacts, status.completion_time) == (Phase.QUEUED, (), None)
    assert ready(status)[0] == "False"
    # The record is stored; at its time the next attempt starts, and its report completes the sync.
    due = status.next_retry_time
    assert due is not None
    again = planner.plan(a_snapshot(sync.with_status(status), *parts, now=max(due, NOW)))
    assert [job.attempt for job in again.creations] == [2]
    words = termination_report(
        attempt=2,
        progress=a_progress(100 * MB, bytes_network=0),
        resolved=RESOLVED,
        verified_by={"sha256": 3},
    )
    done = planner.plan(
        a_snapshot(
            sync.with_status(status), *parts, a_job(attempt=2).complete(), a_pod(attempt=2).ended(0, words)
        )
    ).statuses["uid-llama"]
    assert (done.phase, ready(done)[0]) == (Phase.COMPLETE, "True")
    (artifact,) = done.artifacts
    assert (artifact.bytes, artifact.revision, artifact.verified_by) == (100 * MB, "abc", {"sha256": 3})


@pytest.mark.parametrize("wish", [{"suspend": True}, {"cancel": True}], ids=["paused", "cancelled"])
def test_a_lost_report_yields_to_a_wish(wish: dict[str, bool]) -> None:
    sync = a_sync().with_spec(**wish).with_status(attempts=1)
    status = planner.plan(a_snapshot(sync, a_job().complete(ago(30)))).statuses["uid-llama"]
    assert status.phase in (Phase.PAUSED, Phase.CANCELLED)
    assert status.last_failure is None


@pytest.mark.parametrize(
    ("verification", "verified_by", "says", "keeps_quiet"),
    [
        (Verification.CHECKSUM, {"sha256": 9, "etag-md5": 3}, "published and verified", "size"),
        (
            Verification.CHECKSUM,
            {"sha256": 9, "size": 3},
            "3 of 12 files are verified by size alone",
            "checked",
        ),
        (Verification.CHECKSUM, {"size": 3}, "all files are verified by size alone", "of 3"),
        (Verification.CHECKSUM, {}, "published and verified", "size"),
        (Verification.SIZE, {"size": 3}, "spec.verification: Size", "verified by"),
    ],
)
def test_ready_says_what_was_proven_now_and_later(
    verification: Verification, verified_by: dict[str, int], says: str, keeps_quiet: str
) -> None:
    sync = a_sync().with_spec(verification=verification)
    words = termination_report(verified_by=verified_by, resolved=RESOLVED)
    plan = planner.plan(a_snapshot(sync, a_job().complete(), a_pod().ended(0, words)))
    status = plan.statuses["uid-llama"]
    assert says in ready(status)[2]
    assert keeps_quiet not in ready(status)[2]
    stored = sync.with_status(ModelSyncStatus.model_validate(status.dump())).build()
    later = planner.plan(replace(a_snapshot(), syncs={stored.uid: stored}))
    assert ready(later.statuses["uid-llama"]) == ready(status), "the same without its Job and Pod"
    assert completion.stored(stored.status) == (verified_by or None)
