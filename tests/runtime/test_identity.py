"""Only what the operator made is believed: a plan with forged Jobs and Pods is the plan without them.

The forged objects come in through the store, as a watch brings them, so that the border (`runtime.records`)
and every join behind it take part. Each case is one thing that somebody with rights on Jobs or Pods can
write.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.api import naming
from modelsync.core import actions, planner
from modelsync.runtime.cluster import cache, job_signatures
from modelsync.runtime.cluster.resources import JOBS, PODS, QUEUES, SYNCS
from tests import counts
from tests.builders import NOW, SETTINGS
from tests.runtime import harness

Object = harness.Object
UID, VICTIM = "uid-llama", "llama"
STAMP = "2026-03-14T11:59:50Z"
MADE = {"name": naming.job_name(VICTIM, UID, 1), "uid": "job-real"}
"""The Job of the victim's first attempt, where it has one."""
STATES: dict[str, Object] = {
    "new": {},
    "waits": {"phase": "Queued", "observedGeneration": 1},
    "runs": {"phase": "Downloading", "observedGeneration": 1, "attempts": 1, "job": MADE},
    "lost its Job": {"phase": "Queued", "observedGeneration": 1, "attempts": 1, "job": MADE},
    "paused": {"phase": "Paused", "observedGeneration": 1, "attempts": 1, "job": MADE},
    "complete": {"phase": "Complete", "observedGeneration": 1, "attempts": 1, "job": MADE},
    "failed": {
        "phase": "Queued",
        "observedGeneration": 1,
        "attempts": 1,
        "failures": 1,
        "job": MADE,
        "lastFailure": {"reason": "NetworkError", "attempt": 1, "time": STAMP},
    },
}
"""The victim's stored status."""
OLDER = {"phase": "Downloading", "observedGeneration": 1, "attempts": 1}
"""That of an operator before `status.job`."""


def forged_words(attempt: int) -> Object:
    """A termination report that claims a result."""
    return harness.words(
        UID, attempt, resolved={"revision": "forged"}, progress={"bytesTotal": 5, "bytesDone": 5}
    )


def forged_job(
    *,
    namespace: str = "models",
    attempt: int = 2,
    name: str = "",
    uid: str = "job-forged",
    api_version: str = naming.API_VERSION,
    kind: str = naming.SYNC_KIND,
    controller: bool = True,
    annotations: Object | None = None,
    complete: bool = False,
) -> Object:
    """A Job that somebody else made in the name of the victim."""
    name = name or naming.job_name(VICTIM, UID, attempt)
    raw = harness.job(UID, attempt, name)
    owner = {"apiVersion": api_version, "kind": kind, "name": VICTIM, "uid": UID, "controller": controller}
    raw["metadata"] |= {
        "namespace": namespace,
        "uid": uid,
        "creationTimestamp": STAMP,
        "ownerReferences": [owner],
        "annotations": annotations or {},
    }
    if complete:
        ended = {"type": "Complete", "status": "True", "lastTransitionTime": STAMP}
        raw["status"] = {"conditions": [ended]}
    return raw


def forged_pod(job_uid: str = "job-forged", *, attempt: int = 2, ended: bool = False, **meta: Any) -> Object:
    """A Pod that somebody else made in the name of the victim."""
    raw = harness.pod(UID, attempt, job_uid, words=forged_words(attempt) if ended else None)
    raw["metadata"] |= {"uid": f"pod-{job_uid}-{attempt}-{ended}", "creationTimestamp": STAMP, **meta}
    return raw


def known(state: str, *forged: tuple[Any, Object]) -> cache.Store:
    """A store that heard of a queue with two slots, of the victim in a state, and of forged objects."""
    found = cache.Store(clock=lambda: NOW)
    victim = harness.sync(VICTIM, **{"older": OLDER, **STATES}[state])
    victim["spec"]["suspend"] = state == "paused"
    meta = {"name": "default", "namespace": "ops", "uid": "uid-queue", "generation": 1}
    queue = {"metadata": meta, "spec": {"maxActive": 1}}
    objects = [(SYNCS, victim), (QUEUES, queue)]
    if state == "runs":
        real = forged_job(attempt=1, uid=MADE["uid"])
        objects += [(JOBS, real), (PODS, {**forged_pod(MADE["uid"], attempt=1)})]
    for version, (resource, raw) in enumerate([*objects, *forged], 1):
        found.observe(resource, "ADDED", harness.versioned(raw, version))
    return found


def plan(found: cache.Store) -> actions.Plan:
    """The plan, without what reports that something is ignored."""
    made = planner.plan(found.snapshot(NOW, SETTINGS))
    return replace(made, events=(), foreign=())


def decides_nothing(state: str, *forged: tuple[Any, Object]) -> None:
    """A plan with the forged objects is the plan without them."""
    assert plan(known(state, *forged)) == plan(known(state))


FORGERIES: dict[str, list[tuple[Any, Object]]] = {
    "a complete Job of another namespace and API group, any attempt": [
        (
            JOBS,
            forged_job(namespace="b", api_version="evil.example/v1", attempt=999_999_999, complete=True),
        ),
        (PODS, forged_pod(attempt=999_999_999, ended=True, namespace="b")),
    ],
    "an active Job of another namespace": [(JOBS, forged_job(namespace="b"))],
    "a running Pod of another namespace": [(PODS, forged_pod(namespace="b"))],
    "a complete Job of the next attempt": [(JOBS, forged_job(complete=True)), (PODS, forged_pod(ended=True))],
    "an active Job of the next attempt": [(JOBS, forged_job())],
    "an active Job of the next attempt with a Pod": [(JOBS, forged_job()), (PODS, forged_pod())],
    "an active Job of an attempt far away": [(JOBS, forged_job(attempt=999_999_999))],
    "a complete Job of the first attempt": [
        (JOBS, forged_job(attempt=1, complete=True)),
        (PODS, forged_pod(attempt=1, ended=True)),
    ],
    "an active Job of the first attempt under another name": [(JOBS, forged_job(attempt=1, name="other"))],
    "a Job of another kind of owner": [(JOBS, forged_job(kind="ReplicaSet"))],
    "a Job whose owner does not control it": [(JOBS, forged_job(controller=False))],
    "a proof of another kind": [
        (JOBS, forged_job(annotations={f"{naming.GROUP}/proof": "x/2/uid-llama//0"}))
    ],
    "a running Pod alone": [(PODS, forged_pod())],
    "a running Pod that names the ModelSync as its Job": [(PODS, forged_pod(UID))],
    "an ended Pod of the last attempt, of another Job": [(PODS, forged_pod(attempt=1, ended=True))],
    "a sleeping Pod without an owner": [(PODS, forged_pod(ownerReferences=[]))],
    "a sleeping Pod without an owner that was copied from the last one": [
        (
            PODS,
            forged_pod(
                attempt=1,
                ownerReferences=[],
                labels={
                    **forged_pod(attempt=1)["metadata"]["labels"],
                    "batch.kubernetes.io/controller-uid": MADE["uid"],
                },
            ),
        )
    ],
}


@pytest.mark.parametrize("state", list(STATES))
@pytest.mark.parametrize("forgery", list(FORGERIES))
def test_what_others_made_in_the_name_of_a_modelsync_decides_nothing(state: str, forgery: str) -> None:
    decides_nothing(state, *FORGERIES[forgery])


@pytest.mark.parametrize("complete", [False, True])
def test_where_an_older_operator_recorded_no_job_another_namespace_decides_nothing(complete: bool) -> None:
    job = forged_job(namespace="b", attempt=1, complete=complete)
    pod = forged_pod(namespace="b", attempt=1, ended=complete)
    for forged in ([(JOBS, job)], [(PODS, pod)], [(JOBS, job), (PODS, pod)]):
        decides_nothing("older", *forged)


JOB_FIELDS = st.fixed_dictionaries(
    {
        "namespace": st.sampled_from(["models", "b"]),
        "attempt": st.sampled_from([1, 2, 3, 999_999_999]),
        "name": st.sampled_from(["", "other", naming.job_name(VICTIM, UID, 1)]),
        "api_version": st.sampled_from([naming.API_VERSION, "modelsync.dev.evil/v1", "v1", "modelsync.dev"]),
        "kind": st.sampled_from([naming.SYNC_KIND, "Job"]),
        "controller": st.booleans(),
        "complete": st.booleans(),
    }
)
POD_FIELDS = st.fixed_dictionaries(
    {
        "job_uid": st.sampled_from(["job-forged", UID, "job-nobody"]),
        "attempt": st.sampled_from([1, 2, 3]),
        "ended": st.booleans(),
        "namespace": st.sampled_from(["models", "b"]),
    }
)


@settings(max_examples=counts.chosen(short=50, full=150), deadline=None)
@given(state=st.sampled_from(list(STATES)), job=JOB_FIELDS, pods=st.lists(POD_FIELDS, max_size=3))
def test_no_mix_of_forged_fields_decides_anything(state: str, job: Object, pods: list[Object]) -> None:
    finished_before = job["complete"] and job["attempt"] == 1
    forged = [(JOBS, forged_job(**job))] if not finished_before else []
    decides_nothing(state, *forged, *[(PODS, forged_pod(**fields)) for fields in pods])


def signed(found: cache.Store, raw: Object, *, attempt: int = 1, queue: str = "default") -> Object:
    """The Job as the operator makes it."""
    made = job_signatures.Made(sync_uid=UID, attempt=attempt, queue=queue)
    found.proofs.sign(raw, made, NOW)
    return raw


def test_a_job_keeps_its_identity_whatever_is_taken_off_it() -> None:
    found = known("waits")
    raw = signed(found, forged_job(attempt=1))
    found.observe(JOBS, "ADDED", harness.versioned(raw, 10))
    stripped = {
        **raw,
        "metadata": {**raw["metadata"], "ownerReferences": [], "annotations": {}, "labels": {}},
    }
    found.observe(JOBS, "MODIFIED", harness.versioned(stripped, 11))
    (job,) = found.jobs.values()
    assert (job.sync_uid, job.attempt, job.queue) == (UID, 1, "default")
    assert not job.unproven and not job.owned and found.believes(job)


def test_a_pod_whose_job_was_deleted_from_under_it_keeps_its_slot_also_for_the_next_operator() -> None:
    found = known("waits")
    job = signed(found, {**forged_job(attempt=1), "spec": {"template": {}}})
    pod = forged_pod("job-forged", attempt=1, annotations=job["spec"]["template"]["metadata"]["annotations"])
    labels = {
        "batch.kubernetes.io/controller-uid": "job-forged",
        "batch.kubernetes.io/job-name": MADE["name"],
    }
    pod["metadata"]["labels"] |= labels
    orphan = {**pod, "metadata": {**pod["metadata"], "ownerReferences": []}}
    found.observe(JOBS, "ADDED", harness.versioned(job, 10))
    found.observe(PODS, "ADDED", harness.versioned(pod, 11))
    found.observe(PODS, "MODIFIED", harness.versioned(orphan, 12))
    found.observe(JOBS, "DELETED", harness.versioned(job, 13))
    later = cache.Store(clock=lambda: NOW, proofs=found.proofs)
    for resource, raw in ((SYNCS, harness.sync(VICTIM)), (PODS, orphan)):
        later.observe(resource, "ADDED", harness.versioned(raw, 20))
    for operator in (found, later):
        assert [operator.works_for(one) for one in operator.pods.values()] == [operator.syncs[UID]]
    copy = {
        **orphan,
        "metadata": {**orphan["metadata"], "uid": "copy", "creationTimestamp": "2026-03-14T12:06:00Z"},
    }
    assert not later.observe(PODS, "ADDED", harness.versioned(copy, 21)), "a copy comes too late"


@pytest.mark.parametrize(
    ("namespace", "name", "key"),
    [("b", MADE["name"], None), ("models", "other", None), ("models", MADE["name"], "another key")],
)
def test_a_proof_is_of_one_namespace_one_name_and_one_installation(
    namespace: str, name: str, key: str | None
) -> None:
    ours = job_signatures.Proofs()
    raw = forged_job(attempt=1)
    ours.sign(raw, job_signatures.Made(sync_uid=UID, attempt=1, queue="a/b"), NOW)
    assert ours.of_job(raw["metadata"], NOW) == job_signatures.Made(sync_uid=UID, attempt=1, queue="a/b")
    if key is not None:
        ours.use(key)
    assert ours.of_job({**raw["metadata"], "namespace": namespace, "name": name}, NOW) is None


@pytest.mark.parametrize("text", [None, 7, "", "/", "a/b/c/d/e", "é", "\ud800/1", "1/1/u/q/" + "0" * 64])
def test_what_is_no_proof_proves_nothing_and_raises_nothing(text: object) -> None:
    meta = {"name": "n", "namespace": "m", "annotations": {naming.PROOF_ANNOTATION: text}}
    assert job_signatures.Proofs().of_job(meta, NOW) is None
