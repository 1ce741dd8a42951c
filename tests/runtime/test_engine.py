"""The loop waits for nobody: what hangs, is refused or is slow in one namespace stops no other one."""

from typing import Any

import pytest

from tests.runtime import fake_api, virtual
from tests.runtime.simulation import Simulation, sync

WEBHOOK = 'Internal error occurred: failed calling webhook "w.broken": connection refused'
IN_A = "namespaces/a/jobs"


@pytest.mark.parametrize(
    ("fault", "says", "within"),
    [
        pytest.param(
            fake_api.fails("POST", IN_A, *[fake_api.status(500, "InternalError", WEBHOOK)] * 99),
            "w.broken", 2, id="webhook that is down",
        ),
        pytest.param(fake_api.hangs("POST", IN_A, 3600), "no answer", 25, id="webhook that hangs"),
        pytest.param(
            fake_api.fails("POST", IN_A, *[fake_api.status(403, "Forbidden", "exceeded quota: q")] * 99),
            "exceeded quota: q", 2, id="quota",
        ),
        pytest.param(
            fake_api.fails("POST", IN_A, *[fake_api.status(429, "TooManyRequests", "slowly")] * 99),
            "slowly", 2, id="too many requests",
        ),
    ],
)  # fmt: skip
@virtual.in_virtual_time
async def test_a_namespace_without_jobs_takes_the_only_slot_from_nobody(
    fault: Any, says: str, within: float
) -> None:
    simulation = Simulation(max_active=1)
    simulation.api.faults.append(fault)
    simulation.add(sync("first", "a"))
    async with simulation.running():
        await simulation.until(lambda: simulation.api.count("POST", IN_A) >= 1)
        simulation.add(sync("second", "b"))
        took = await simulation.until(lambda: "b/second" in simulation.jobs())
        assert took <= within
        await simulation.until(lambda: simulation.ready("a", "first")[0] == "JobRejected")
        assert says in simulation.ready("a", "first")[1]
        assert simulation.status("a", "first")["nextRetryTime"]
        made, in_time = simulation.plan_waits()
        assert made == in_time


@virtual.in_virtual_time
async def test_a_hundred_creations_that_hang_stop_no_plan() -> None:
    simulation = Simulation(max_active=1000)
    simulation.api.faults.append(fake_api.hangs("POST", "namespaces/bad", 3600))
    simulation.add(*[sync(f"s{n}", f"bad{n % 3}") for n in range(100)])
    async with simulation.running():
        await simulation.until(lambda: len(simulation.known.assumed) >= 48)
        simulation.add(*[sync(f"s{n}", "good") for n in range(50)])
        took = await simulation.until(lambda: len(simulation.jobs()) == 50)
        assert took <= 3
        assert len(simulation.known.assumed) == 48, "a few of each namespace, and not their two hundred"
        await simulation.until(lambda: virtual.monotonic() > 60, 90)
        made, in_time = simulation.plan_waits()
        assert made == in_time > 10


@virtual.in_virtual_time
async def test_a_sync_that_alone_cannot_be_created_stops_none_of_its_own_namespace() -> None:
    simulation = Simulation(max_active=1)
    broken = fake_api.status(500, "InternalError", WEBHOOK)

    async def fault(request: Any) -> Any:
        if request.method != "POST" or "/jobs" not in request.path:
            return None
        body = await request.json()
        return broken if body["metadata"]["name"].startswith("broken") else None

    simulation.api.faults.append(fault)
    simulation.add(*[sync(f"broken-{n}", "a", priority=9) for n in range(3)], sync("fine", "a"))
    async with simulation.running():
        took = await simulation.until(lambda: "a/fine" in simulation.jobs())
        assert took < 20, "after each of the three was tried"


@virtual.in_virtual_time
async def test_a_plan_is_made_as_soon_as_this_process_may_act() -> None:
    simulation, allowed = Simulation(max_active=1), [False]
    simulation.loop._may_act = lambda: allowed[0]
    async with simulation.running():
        simulation.add(sync("s", "a"))
        await simulation.until(lambda: virtual.monotonic() > 20)
        assert simulation.jobs() == []
        allowed[0] = True
        assert await simulation.until(lambda: simulation.jobs()) <= 6, "a beat, not a minute"
