"""A message promises that a sync goes on by itself while that is so, and asks for an act when it is not."""

from modelsync.api.modelsync import ModelSyncStatus
from modelsync.api.reasons import Phase, Reason
from modelsync.core import blocked, planner
from tests import builders as b

UNBOUND = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."


def message(status: ModelSyncStatus) -> str:
    return next(c.message for c in status.conditions if c.type == "Ready")


def test_unbound_claim_heals_by_itself_and_says_so() -> None:
    picture = b.a_snapshot(b.a_sync(), b.a_job(), b.a_pod().unschedulable(UNBOUND))
    assert message(planner.plan(picture).statuses[b.uid_of("llama")]).endswith(
        f"make a volume{blocked.HEALS}"
    )


def test_final_failure_takes_the_promise_back_and_asks_for_the_annotation() -> None:
    told = f"Secret 'token' does not exist; create it{blocked.HEALS}"
    failure = b.a_failure(Reason.SECRET_NOT_FOUND, message=told)
    sync = b.a_sync().with_spec(backoff_limit=0).with_status(failures=1, attempts=1, last_failure=failure)
    wanted = planner.plan(b.a_snapshot(sync)).statuses[b.uid_of("llama")]
    assert wanted.phase is Phase.FAILED
    assert blocked.HEALS not in message(wanted)
    assert "create it; then ask for another attempt" in message(wanted)
