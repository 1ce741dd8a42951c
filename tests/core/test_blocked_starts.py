"""Workers that cannot start: their slot goes to others, their reason stays, and they start in the end."""

import pytest

from modelsync.api.reasons import Phase, Reason
from modelsync.core import planner
from modelsync.core.attempts import history
from tests.builders import NOW, a_failure, a_job, a_pod, a_queue, a_snapshot, a_sync, ago
from tests.core.world import World

FINE = ("f0", "f1", "f2")
REASONS = {
    "claim": Reason.VOLUME_NOT_FOUND,
    "secret": Reason.SECRET_NOT_FOUND,
    "quota": Reason.JOB_REJECTED,
    "room": Reason.WORKER_UNSCHEDULABLE,
}


def a_world(fault: str, broken: int) -> World:
    """One slot, some broken ones that come first, and three that are fine."""
    bad = [a_sync(f"b{n:02}").with_priority(9).in_namespace("bad") for n in range(broken)]
    world = World(*bad, *(a_sync(name) for name in FINE), max_active=1)
    world.broken = {f"uid-b{n:02}": fault for n in range(broken)}
    return world


def step(world: World, seconds: float = 0.25) -> None:
    world.plan()
    world.tick(seconds)


def elapsed(world: World) -> float:
    return (world.now - NOW).total_seconds()


def complete(world: World, *names: str) -> bool:
    return all(world.syncs[f"uid-{name}"].status.phase is Phase.COMPLETE for name in names)


def reason(world: World, name: str) -> str:
    return history.ready_reason(world.syncs[f"uid-{name}"].status)


@pytest.mark.parametrize("fault", [*REASONS, "sidecar", "evicted"])
@pytest.mark.parametrize("broken", [1, 10])
def test_what_cannot_start_gives_its_only_slot_to_those_that_can(fault: str, broken: int) -> None:
    world = a_world(fault, broken)
    while not complete(world, *FINE):
        step(world)
        assert elapsed(world) < 20 + 15 * broken


@pytest.mark.parametrize("fault", REASONS)
def test_the_reason_stays_while_it_waits_and_no_attempt_is_used_up(fault: str) -> None:
    world, seen = a_world(fault, 1), list[str]()
    while elapsed(world) < 1800:
        step(world, 1.0)
        seen.append(reason(world, "b00"))
    known = seen[seen.index(REASONS[fault]) :]
    assert set(known) <= {REASONS[fault], Reason.STARTING}
    assert known.count(Reason.STARTING) < 0.02 * len(known)
    status = world.syncs["uid-b00"].status
    assert (status.phase, status.failures or 0) == (Phase.QUEUED, 0), "not Failed after half an hour"
    starts = status.attempts or 0
    assert 4 <= starts <= 12, "fewer and fewer"
    waited = elapsed(world)
    world.broken.clear()
    while not complete(world, "b00"):
        step(world, 1.0)
    assert elapsed(world) - waited <= 11 * 60, "noticed within the longest backoff"


@pytest.mark.parametrize("fault", ["claim", "secret", "quota"])
def test_a_slot_is_given_back_within_a_second_of_the_reason(fault: str) -> None:
    world, known = a_world(fault, 1), 0.0
    while world.syncs["uid-b00"].status.last_failure is None:
        step(world, 0.1)
        known = known or (elapsed(world) if world.pods or world.problems else 0.0)
    assert elapsed(world) - known <= 1.5


def test_one_that_waits_for_room_stays_for_an_autoscaler_beside_the_slots() -> None:
    world = a_world("room", 3)
    while not complete(world, *FINE):
        step(world)
    waiting = [pod for pod in world.pods.values() if pod.phase == "Pending" and not pod.deleting]
    assert [pod.sync_uid for pod in waiting] == ["uid-b00"], "one, and it is the first"
    world.broken.clear()  # a node comes
    while not complete(world, "b00"):
        step(world)
    assert world.syncs["uid-b00"].status.attempts == 1, "the very Pod that waited"


def test_where_nobody_waits_for_a_slot_all_keep_waiting_for_room() -> None:
    def parts(*more: object) -> list[object]:
        text = "0/2 nodes are available: 2 Insufficient cpu."
        names = ("a", "b")
        pods = [a_pod(name).unschedulable(text) for name in names]
        return [*(a_sync(name) for name in names), *(a_job(name) for name in names), *pods, *more]

    alone = planner.plan(a_snapshot(*parts(a_queue(max_active=2))))  # type: ignore[arg-type]
    assert alone.statuses["uid-b"].last_failure is None
    place = planner.plan(a_snapshot(a_sync("c"), a_queue(max_active=0))).statuses["uid-c"]
    waits = a_sync("c").with_status(place).created(ago(1))
    full = planner.plan(a_snapshot(*parts(waits, a_queue(max_active=1))))  # type: ignore[arg-type]
    assert full.statuses["uid-a"].last_failure is None
    assert full.statuses["uid-b"].last_failure is not None


def test_the_reason_stays_while_the_last_pod_takes_its_time_to_go() -> None:
    last = a_failure(Reason.SECRET_NOT_FOUND, message="create it")
    sync = a_sync().with_status(attempts=1, last_failure=last, next_retry_time=ago(1))
    pod = a_pod().waiting("ContainerCreating").with_record(deleting=True)
    plan = planner.plan(a_snapshot(sync, pod))
    ready = next(c for c in plan.statuses["uid-llama"].conditions if c.type == "Ready")
    assert (ready.reason, plan.creations) == (Reason.SECRET_NOT_FOUND, ())


def test_a_quotas_refusal_names_the_field_and_not_the_pod_that_never_was() -> None:
    world = a_world("quota", 1)
    for _ in range(10):
        step(world)
    message = world.syncs["uid-b00"].status.conditions[0].message
    assert "spec.podTemplate.resources" in message and "exceeded quota: q" in message
    assert "abcde" not in message
