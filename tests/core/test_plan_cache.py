"""What the planner remembers from one plan to the next decides nothing."""

import dataclasses
from datetime import datetime, timedelta

from modelsync.api.reasons import Phase, Reason
from modelsync.core import actions, plan_cache, planner
from modelsync.core.cluster import snapshot
from tests.builders import NOW, SyncBuilder, a_failure, a_snapshot, a_sync


def waiting(name: str = "llama") -> SyncBuilder:
    """A sync whose next attempt is due in five seconds."""
    return a_sync(name).with_status(
        phase=Phase.QUEUED,
        attempts=1,
        failures=1,
        last_failure=a_failure(Reason.NETWORK_ERROR),
        next_retry_time=NOW + timedelta(seconds=5),
    )


def test_remembering_changes_no_plan() -> None:
    base = a_snapshot(waiting("waits"), a_sync("other"))
    pictures = [
        dataclasses.replace(
            base, now=NOW + timedelta(seconds=seconds), settings=snapshot.Settings(retry_base=wait)
        )
        for seconds in (0, 6, 0, 6)
        for wait in (timedelta(seconds=10), timedelta(seconds=20))
    ]
    remembered = plan_cache.Recall()
    with_memory = [planner.plan(picture, remembered) for picture in pictures]
    assert with_memory == [planner.plan(picture) for picture in pictures]


def test_the_same_records_are_judged_again_when_time_has_come() -> None:
    remembered, picture = plan_cache.Recall(), a_snapshot(waiting())

    def asked(now: datetime) -> tuple[actions.CreateJob, ...]:
        return planner.plan(dataclasses.replace(picture, now=now), remembered).creations

    assert asked(NOW) == ()
    assert len(asked(NOW + timedelta(seconds=5))) == 1
    assert asked(NOW) == (), "and back, should the clock be set back"
