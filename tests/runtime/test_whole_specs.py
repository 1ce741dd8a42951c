"""A Job is made of a ModelSync's whole spec, which is asked for then and held by nobody."""

import copy

import pytest

from modelsync.core import planner
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import api_client, parsing
from modelsync.runtime.cluster.resources import SYNCS
from tests import builders
from tests.builders import SyncBuilder
from tests.core import test_allowances
from tests.runtime import harness, hostile_json, virtual
from tests.runtime.test_executor import bench, jobs


@virtual.in_virtual_time
async def test_a_job_is_made_of_the_whole_spec_which_the_store_does_not_hold() -> None:
    async with bench() as b:
        raw = b.server.get(SYNCS, "models", "llama")
        raw["spec"] |= {"allowPatterns": ["*.bin"], "podTemplate": {"nodeSelector": {"gpu": "yes"}}}
        b.known.observe(SYNCS, "MODIFIED", b.server.put(SYNCS, raw))
        assert (b.sync.spec.allow_patterns, b.sync.spec.pod_template.node_selector) == ((), None)
        made, render = list[snapshot.SyncRecord](), b.executor._render

        def note(sync: snapshot.SyncRecord, attempt: int, key: str) -> api_client.Object:
            made.append(sync)
            return render(sync, attempt, key)

        b.executor._render = note
        await b.create()
        spec = made[0].spec
        assert (spec.allow_patterns, spec.pod_template.node_selector) == (("*.bin",), {"gpu": "yes"})


@pytest.mark.parametrize(("asking", "field", "_"), test_allowances.REFUSED)
def test_what_the_store_holds_is_enough_to_refuse_what_is_not_allowed(
    asking: SyncBuilder, field: str, _: str
) -> None:
    raw = harness.versioned(harness.sync(), 1)
    raw["spec"]["podTemplate"] = asking.build().spec.pod_template.dump()
    record = parsing.sync_record(raw)
    plan = planner.plan(
        snapshot.Snapshot(
            now=builders.NOW,
            syncs={record.uid: record},
            queues={"default": builders.a_queue()},
            settings=test_allowances.SETTINGS,
        )
    )
    assert not plan.creations
    assert f"spec.podTemplate.{field}" in plan.statuses[record.uid].conditions[0].message
    assert len(record.spec.pod_template.dump_json()) < 1000


@virtual.in_virtual_time
async def test_a_sync_that_has_changed_meanwhile_is_planned_again_and_no_job_is_made() -> None:
    async with bench() as b:
        raw = copy.deepcopy(b.server.get(SYNCS, "models", "llama"))
        raw["metadata"]["generation"] += 1
        raw["spec"]["suspend"] = True
        b.server.put(SYNCS, raw)
        await b.create()
        assert not jobs(b.server) and not b.known.assumed
        assert b.sync.spec.suspend and not b.known.problems


@virtual.in_virtual_time
@pytest.mark.parametrize("replaced", [False, True])
async def test_a_sync_that_is_gone_or_another_one_is_tried_with_backoff(replaced: bool) -> None:
    async with bench() as b:
        b.server.remove(SYNCS, "models", "llama")
        if replaced:
            b.server.put(SYNCS, harness.sync("llama", uid="another"))
        await b.create()
        assert not jobs(b.server) and not b.known.assumed
        assert b.problem.due is not None and b.problem.due > virtual.now()


@virtual.in_virtual_time
@pytest.mark.parametrize("text", hostile_json.DEEP.values(), ids=hostile_json.DEEP)
async def test_a_spec_of_which_no_job_can_be_made_is_reported_and_holds_nothing(text: str) -> None:
    async with bench() as b:
        raw = copy.deepcopy(b.server.get(SYNCS, "models", "llama"))
        raw["spec"]["podTemplate"] = {"affinity": "deep"}
        b.server.texts = {"deep": text}
        b.server.put(SYNCS, raw)
        await b.create()
        assert "invalid object: spec" in b.problem.message
        assert not jobs(b.server) and not b.known.assumed and not b.known.troubles
