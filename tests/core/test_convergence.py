"""An operator may die between any two steps, and users may do anything: the cluster still comes to rest."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelsync.api.reasons import Phase
from tests import counts
from tests.builders import a_sync, ago
from tests.core.world import World

CODES = st.sampled_from([None, 0, 50, 12, 143, 137])
NAMES = ("a", "b", "c", "d")


def a_world(max_active: int) -> World:
    """Four syncs, two of which write below the same directory."""
    paths = ("x", "x/y", "z", "w")
    syncs = [
        a_sync(name).on_claim("models", path).with_priority(index % 2).created(ago(100 - index))
        for index, (name, path) in enumerate(zip(NAMES, paths, strict=True))
    ]
    return World(*syncs, max_active=max_active)


def disturb(world: World, data: st.DataObject) -> None:
    """One step of a bad day."""
    act = data.draw(
        st.sampled_from([*["none"] * 3, "suspend", "cancel", "ask", "delete job", "sidecar", "lose", "find"])
    )
    uid = f"uid-{data.draw(st.sampled_from(NAMES))}"
    if act in ("suspend", "cancel"):
        world.act(uid, **{act: data.draw(st.booleans())})
    elif act == "ask":
        world.ask(uid)
    elif act == "delete job" and world.jobs and world.by_hand:
        world.delete(data.draw(st.sampled_from(sorted(world.jobs))))
    elif act == "sidecar":
        world.sidecars ^= {uid}
    elif act == "lose":
        world.dark |= set(world.pods)
    elif act == "find":
        world.dark = set()
    world.tick(data.draw(st.sampled_from([0.0, 0.1, 11.0, 40.0, 301.0])), lambda: data.draw(CODES))
    world.plan(lambda what: data.draw(st.booleans(), label=what))


def calm(world: World) -> None:
    """Faults end, users want their models: it must come to rest, and soon."""
    world.dark = set()
    for uid in world.syncs:
        world.act(uid, suspend=False, cancel=False)
    for _ in range(40):
        for uid, sync in world.syncs.items():
            if sync.status.phase is Phase.FAILED:
                world.ask(uid)
        plan = world.plan()
        world.tick(max(0.1, (plan.wake_at - world.now).total_seconds()) if plan.wake_at else 0.1)


@pytest.mark.slow
@pytest.mark.parametrize("by_hand", [False, True], ids=["ours alone", "Jobs deleted by hand"])
@settings(
    max_examples=counts.chosen(short=20, full=60), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(data=st.data(), max_active=st.integers(1, 3), steps=st.integers(1, 25))
def test_whatever_is_lost_on_the_way_all_syncs_complete_and_rest(
    by_hand: bool, data: st.DataObject, max_active: int, steps: int
) -> None:
    world = a_world(max_active)
    world.by_hand = by_hand
    for _ in range(steps):
        disturb(world, data)
    calm(world)
    assert {sync.name: sync.status.phase for sync in world.syncs.values()} == dict.fromkeys(
        NAMES, Phase.COMPLETE
    )
    world.now += timedelta(hours=1)
    world.plan()
    rest = world.plan()
    assert (rest.creations, rest.deletions, rest.events) == ((), (), ())
    assert all(status is world.syncs[uid].status for uid, status in rest.statuses.items())
    assert world.jobs == {}, "finished Jobs are cleared in the end"


def test_a_day_without_faults_runs_each_sync_once_in_order() -> None:
    world = a_world(1)
    started: list[str] = []
    for _ in range(60):
        started += [job.sync.name for job in world.plan().creations]
        world.tick(1.0)
    assert started == ["b", "d", "a", "c"], "priority, then age"
    assert all(attempt == 1 for _, attempt in world.made)


def test_failures_are_counted_once_though_every_status_is_planned_twice() -> None:
    world = World(a_sync("a").with_spec(backoff_limit=3), max_active=1)
    for _ in range(400):
        world.plan()
        world.plan()
        world.tick(30.0, lambda: 50)
    status = world.syncs["uid-a"].status
    assert (status.phase, status.attempts, status.failures) == (Phase.FAILED, 4, 4)
