"""What a worker may ask of the cluster: nothing starts with more, and the object says what to change."""

from typing import Any

import pytest

from modelsync.api.reasons import Phase, Reason
from modelsync.api.worker_pod import pod_template
from modelsync.core import planner
from modelsync.core.cluster import snapshot
from modelsync.core.jobs import allowances, job_manifest
from modelsync.runtime.cluster import parsing
from tests.builders import SyncBuilder, a_job, a_pod, a_snapshot, a_sync

MOST = {"cpu": "8", "memory": "16Gi"}
SETTINGS = snapshot.Settings(
    priority_classes=("low", "batch"),
    service_accounts=("default", "models"),
    runtime_classes=("gvisor",),
    ids=((1000, 1999), (70000, 70000)),
    most_resources=MOST,
)


def with_template(**fields: Any) -> SyncBuilder:
    return a_sync().with_spec(pod_template=pod_template.PodTemplate.model_validate(fields))


def with_security(**fields: Any) -> SyncBuilder:
    return with_template(securityContext=fields)


def asking(kind: str, **wished: int | str) -> SyncBuilder:
    return with_template(resources={kind: wished})


REFUSED = [
    (with_template(priorityClassName="system-node-critical"), "priorityClassName", "one of low, batch"),
    (with_template(priorityClassName="Low"), "priorityClassName", "one of low, batch"),
    (with_template(serviceAccountName="admin"), "serviceAccountName", "one of default, models"),
    (with_template(runtimeClassName="kata"), "runtimeClassName", "one of gvisor"),
    (with_security(runAsUser=999), "securityContext.runAsUser", "one of 1000-1999, 70000-70000"),
    (with_security(runAsGroup=2000), "securityContext.runAsGroup", "or leave it out"),
    (with_security(fsGroup=65532), "securityContext.fsGroup", "does not allow 65532"),
    (with_security(supplementalGroups=[1000, 5]), "securityContext.supplementalGroups", "does not allow 5"),
    (asking("requests", cpu=100_000), "resources.requests.cpu", "at most 8"),
    (asking("requests", cpu="8001m"), "resources.requests.cpu", "at most 8"),
    (asking("limits", cpu="1e9"), "resources.limits.cpu", "at most 8"),
    (asking("limits", memory="16385Mi"), "resources.limits.memory", "at most 16Gi"),
    (asking("limits", memory="9E"), "resources.limits.memory", "at most 16Gi"),
    (asking("requests", memory="1e400"), "resources.requests.memory", "at most 16Gi"),
    (asking("requests", cpu="0" * 500_000 + "1"), "resources.requests.cpu", "at most 8"),
]
ALLOWED = [
    with_template(),
    with_template(priorityClassName="batch"),
    with_template(priorityClassName="", serviceAccountName="", runtimeClassName=""),
    with_template(serviceAccountName="models", runtimeClassName="gvisor"),
    with_security(runAsUser=1000, runAsGroup=1999, fsGroup=70000, supplementalGroups=[1500]),
    asking("requests", cpu=8, memory="16Gi"),
    asking("limits", cpu="8000m", memory=17_179_869_184),
    asking("requests", cpu="0"),
    asking("requests", **{"ephemeral-storage": "1Ei"}),
]


@pytest.mark.parametrize(("sync", "field", "fix"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_not_allowed_starts_nothing_and_says_which_field(
    sync: SyncBuilder, field: str, fix: str
) -> None:
    plan = planner.plan(a_snapshot(sync, a_sync("other"), settings=SETTINGS))
    assert [wish.sync.name for wish in plan.creations] == ["other"], "it holds no slot"
    status = plan.statuses["uid-llama"]
    (ready,) = (each for each in status.conditions if each.type == "Ready")
    assert (status.phase, ready.reason) == (Phase.FAILED, Reason.INVALID_SPEC)
    assert ready.message.startswith(f"spec.podTemplate.{field}: ")
    assert fix in ready.message


@pytest.mark.parametrize("sync", [sync for sync, *_ in REFUSED], ids=lambda value: str(value)[:40])
def test_what_the_operator_keeps_of_a_spec_is_refused_as_the_whole_of_it(sync: SyncBuilder) -> None:
    whole = sync.build().spec
    kept = allowances.refusal(parsing.planned(whole), SETTINGS)
    assert kept is not None and kept == allowances.refusal(whole, SETTINGS)


@pytest.mark.parametrize("sync", ALLOWED)
def test_what_is_allowed_starts(sync: SyncBuilder) -> None:
    assert planner.plan(a_snapshot(sync, settings=SETTINGS)).creations


def test_no_priority_class_is_allowed_unless_it_is_named() -> None:
    plan = planner.plan(a_snapshot(with_template(priorityClassName="low")))
    assert not plan.creations
    assert "leave it out" in plan.statuses["uid-llama"].conditions[0].message


def test_a_refused_one_starts_when_it_or_the_configuration_has_changed() -> None:
    refused, right = with_template(priorityClassName="high"), with_template(priorityClassName="low")
    stored = planner.plan(a_snapshot(refused, settings=SETTINGS)).statuses["uid-llama"]
    fixed = right.with_status(stored).with_record(generation=2)
    wider = snapshot.Settings(priority_classes=("high",))
    assert planner.plan(a_snapshot(fixed, settings=SETTINGS)).creations
    assert planner.plan(a_snapshot(refused.with_status(stored), settings=wider)).creations


def test_what_runs_or_is_complete_is_left_alone() -> None:
    refused = with_template(priorityClassName="high")
    plan = planner.plan(a_snapshot(refused, a_job(), a_pod().running(), settings=SETTINGS))
    assert (plan.statuses["uid-llama"].phase, plan.deletions) == (Phase.DOWNLOADING, ())
    complete = refused.with_status(phase=Phase.COMPLETE)
    assert planner.plan(a_snapshot(complete, settings=SETTINGS)).statuses["uid-llama"].phase is Phase.COMPLETE


@pytest.mark.parametrize(
    ("sync", "limits"),
    [
        (with_template(), {"memory": "512Mi"}),
        (asking("requests", memory="1Gi"), {"memory": "16Gi"}),
        (asking("requests", cpu=2), {"cpu": "8", "memory": "512Mi"}),
        (asking("limits", memory="1Gi"), {"memory": "1Gi"}),
        (asking("requests", **{"ephemeral-storage": "1Gi"}), {"memory": "512Mi"}),
    ],
)
def test_a_request_without_a_limit_gets_the_most_as_its_limit(
    sync: SyncBuilder, limits: dict[str, str]
) -> None:
    settings = job_manifest.JobSettings(image="i", most_resources=MOST)
    (container,) = job_manifest.render_job(sync.build(), 1, "key", settings)["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["resources"]["limits"] == limits
