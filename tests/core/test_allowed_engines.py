"""An engine that the operator's configuration does not allow: no worker is made, and its user reads why."""

import dataclasses
from itertools import combinations

import pytest

from modelsync.api.reasons import Phase, Reason
from modelsync.api.source.transfer import Engine
from modelsync.core import planner
from modelsync.core.cluster import snapshot
from tests.builders import a_job, a_pod, a_queue, a_snapshot, a_sync

ALLOWED = [some for count in range(1, len(Engine) + 1) for some in combinations(Engine, count)]


@pytest.mark.parametrize("allowed", ALLOWED, ids=",".join)
@pytest.mark.parametrize("engine", Engine)
def test_a_worker_is_made_if_and_only_if_its_engine_is_allowed(
    engine: Engine, allowed: tuple[Engine, ...]
) -> None:
    sync, settings = a_sync().with_spec(engine=engine), snapshot.Settings(engines=allowed)
    plan = planner.plan(a_snapshot(sync, a_queue(max_active=1), settings=settings))
    assert bool(plan.creations) == (engine in allowed)
    (status,) = plan.statuses.values()
    if engine not in allowed:
        ready = next(each for each in status.conditions if each.type == "Ready")
        assert (status.phase, ready.reason) == (Phase.FAILED, Reason.INVALID_SPEC)
        assert all(word in ready.message for word in ("spec.engine", engine, *allowed, "worker.engines"))
        fixed = dataclasses.replace(a_sync().with_spec(engine=allowed[0]), status=status)
        again = planner.plan(a_snapshot(fixed, a_queue(max_active=1), settings=settings))
        assert again.creations, "it goes on when its engine is changed"


def test_a_worker_that_runs_when_its_engine_is_no_longer_allowed_goes_on() -> None:
    sync = a_sync().with_spec(engine=Engine.HF_TRANSFER)
    settings = snapshot.Settings(engines=(Engine.NATIVE,))
    plan = planner.plan(
        a_snapshot(sync, a_job(), a_pod().running(), a_queue(max_active=1), settings=settings)
    )
    (status,) = plan.statuses.values()
    assert status.phase is Phase.DOWNLOADING
    assert not plan.deletions
