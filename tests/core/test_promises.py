"""A message says that a sync continues automatically while it does, and asks for an act when it does not."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelsync.api import modelsync_status as api
from modelsync.api.modelsync_status import ModelSyncStatus
from modelsync.api.reasons import Phase, Reason
from modelsync.core import planner
from modelsync.core.cluster import start_blockers
from tests import builders as b
from tests import counts
from tests.core.world import World

UNBOUND = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."


def message(status: ModelSyncStatus) -> str:
    return next(c.message for c in status.conditions if c.type == "Ready")


def test_unbound_claim_heals_by_itself_and_says_so() -> None:
    picture = b.a_snapshot(b.a_sync(), b.a_job(), b.a_pod().unschedulable(UNBOUND))
    assert message(planner.plan(picture).statuses[b.uid_of("llama")]).endswith(
        f"make a volume{start_blockers.HEALS}"
    )


def test_final_failure_takes_the_promise_back_and_asks_for_the_annotation() -> None:
    text = f"Secret 'token' does not exist; create it{start_blockers.HEALS}"
    failure = b.a_failure(Reason.SECRET_NOT_FOUND, message=text)
    sync = b.a_sync().with_spec(backoff_limit=0).with_status(failures=1, attempts=1, last_failure=failure)
    wanted = planner.plan(b.a_snapshot(sync)).statuses[b.uid_of("llama")]
    assert wanted.phase is Phase.FAILED
    assert start_blockers.HEALS not in message(wanted)
    assert "create it; then ask for another attempt" in message(wanted)


ENDS = st.sampled_from([None, 0, 0, 50, 12, 143])


@settings(
    max_examples=counts.chosen(short=25, full=60), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(data=st.data(), steps=st.integers(1, 25))
def test_request_to_check_is_answered_by_an_attempt_that_began_after_it(
    data: st.DataObject, steps: int
) -> None:
    # Whatever of a plan is lost, and whenever it is asked, paused or cancelled: an attempt that was under way
    # may have passed by the file that is gone.
    artifact = api.Artifact(path="llama", bytes=1, verified_at=b.ago(9), attempt=1)
    sync = b.a_sync().with_spec(backoff_limit=1)
    world = World(
        sync.with_status(phase=Phase.COMPLETE, attempts=1, artifacts=(artifact,), completion_time=b.ago(9)),
        max_active=1,
    )
    (uid,) = world.syncs
    if data.draw(st.booleans(), label="sidecar"):
        world.sidecars.add(uid)
    asked = world.now
    for step in range(steps):
        act = data.draw(st.sampled_from(["none", "none", "ask", "suspend", "cancel"]))
        if act == "ask" or step == 0:
            world.ask(uid)
            asked = world.now
        elif act in ("suspend", "cancel"):
            world.act(uid, **{act: data.draw(st.booleans())})
        world.plan(lambda what: data.draw(st.booleans(), label=what))
        world.tick(data.draw(st.sampled_from([0.1, 11.0])), lambda: data.draw(ENDS))
    world.act(uid, suspend=False, cancel=False)
    for _ in range(40):
        status = world.syncs[uid].status
        if status.phase is Phase.FAILED:
            world.ask(uid)
        wanted = world.plan()
        wait = (wanted.wake_at - world.now).total_seconds() if wanted.wake_at else 0.1
        world.tick(max(0.1, wait))
    status = world.syncs[uid].status
    assert status.phase is Phase.COMPLETE
    assert world.began[uid, status.artifacts[0].attempt] >= asked
    assert status.artifacts[0].verified_at == status.completion_time
    assert status.completion_time is not None and status.completion_time >= asked
    assert status.last_handled_retry == world.syncs[uid].retry_requested
