"""Jobs and Pods in the name of a ModelSync: nobody but the operator makes, marks or hides its workers.

What a policy refuses is tried as a tenant with the role `edit`. What the operator itself must not believe is
made by an administrator, whom no policy stops: the second wall has to hold alone.
"""

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any

from dev import kube
from dev.origins.hub import HubServer
from modelsync.api import naming
from tests.attacks import users
from tests.attacks.case import Attack, Ground, Outcome
from tests.chart import workers
from tests.e2e import release, sources
from tests.runtime import test_identity as forgeries

_ORPHAN = "cannot be deleted without its Pod"
_MARK = "mark the workers of modelsync"
_CONTROLLER = "system:serviceaccount:kube-system:replicaset-controller"


def believed(full: bool) -> Iterator[Outcome]:
    """Each forged Job and Pod beside a ModelSync in each state."""
    for name, forged in forgeries.FORGERIES.items():
        for state in forgeries.STATES:
            try:
                forgeries.decides_nothing(state, *forged)
            except AssertionError:
                yield f"{name}, {state}", "the plan is another one"
            else:
                yield f"{name}, {state}", ""


@contextlib.contextmanager
def _tenant(space: str) -> Iterator[tuple[str, kube.Object]]:
    """A namespace with the tenant `mallory`, and a worker's Job in it that waits."""
    with kube.namespace(space) as found:
        users.edit("mallory", found)
        kube.apply(kube.claim("models", found), kube.sync("victim", found, workers.HUB, suspend=True))
        uid = kube.get("modelsync", "victim", found)["metadata"]["uid"]
        job = workers.rendered(workers.sync(found, "victim"))
        job["metadata"]["ownerReferences"][0]["uid"] = job["metadata"]["labels"][naming.UID_LABEL] = uid
        job["spec"]["suspend"] = True
        kube.kubectl("create", "-f", "-", "--as", workers.OPERATOR, stdin=json.dumps(job))
        yield found, job


def _renamed(job: kube.Object, name: str = "forged") -> kube.Object:
    return {**copy.deepcopy(job), "metadata": {**copy.deepcopy(job["metadata"]), "name": name}}


def _pod(job: kube.Object, name: str = "forged") -> kube.Object:
    meta = {"name": name, "namespace": job["metadata"]["namespace"]}
    template = copy.deepcopy(job["spec"]["template"])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": template["spec"],
        "metadata": template["metadata"] | meta,
    }


def marked(full: bool) -> Iterator[Outcome]:
    """Objects with the marks of a worker, made by a tenant."""
    with _tenant("attack-identity-made") as (_, job):
        yield "a Job", users.problem(users.create("mallory", _renamed(job)), _MARK)
        bare = _renamed(job)
        del bare["metadata"]["labels"], bare["metadata"]["ownerReferences"]
        yield "a Job whose template has the marks", users.problem(users.create("mallory", bare), _MARK)
        notes = copy.deepcopy(bare)
        del notes["spec"]["template"]["metadata"]["labels"]
        yield "a template with the request alone", users.problem(users.create("mallory", notes), _MARK)
        yield "a Pod", users.problem(users.create("mallory", _pod(job)), _MARK)
        yield "a Pod by a ReplicaSet", users.problem(users.create(_CONTROLLER, _pod(job)), _MARK, "forbidden")
        for label in (naming.MANAGED_BY_LABEL, naming.UID_LABEL, naming.ATTEMPT_LABEL, naming.NAME_LABEL):
            one = _pod(job)
            one["metadata"] |= {"labels": {label: job["metadata"]["labels"][label]}, "annotations": {}}
            yield f"a Pod with {label} alone", users.problem(users.create("mallory", one), _MARK)


def changed(full: bool) -> Iterator[Outcome]:
    """The marks of a worker changed or taken off, and put onto what is there, by a tenant."""
    with _tenant("attack-identity-changed") as (space, job):
        mine = _renamed(job, "mine")
        for meta in (mine["metadata"], mine["spec"]["template"]["metadata"]):
            meta.pop("labels", None)
            meta.pop("annotations", None)
        mine["metadata"].pop("ownerReferences")
        kube.apply(mine)
        name = job["metadata"]["name"]
        marks = (f"{naming.UID_LABEL}-", f"{naming.ATTEMPT_LABEL}-")
        request = {"spec": {"template": {"metadata": {"annotations": {naming.REQUEST_ANNOTATION: "{}"}}}}}
        words: dict[str, tuple[str, ...]] = {
            "a label taken off": ("label", "job", name, f"{naming.MANAGED_BY_LABEL}-"),
            "all labels taken off": ("label", "job", name, *marks),
            "an attempt changed": ("label", "job", name, "--overwrite", f"{naming.ATTEMPT_LABEL}=9"),
            "a label put onto a Job": ("label", "job", "mine", f"{naming.NAME_LABEL}=victim"),
            "an annotation put onto a Job": ("annotate", "job", "mine", f"{naming.PROOF_ANNOTATION}=x"),
            "labels into the template of a Job that waits": (
                "patch", "job", "mine", "--type=merge", "-p",
                json.dumps({"spec": {"template": {"metadata": {"labels": {naming.UID_LABEL: "x"}}}}}),
            ),
            "another request for a worker that waits": (
                "patch", "job", name, "--type=merge", "-p", json.dumps(request),
            ),
        }  # fmt: skip
        for variant, command in words.items():
            yield variant, users.problem(users.attempt("mallory", *command, "-n", space), _MARK)
        orphaned = users.attempt("mallory", "delete", "job", name, "-n", space, "--cascade=orphan")
        yield (
            "a worker's Job deleted without its Pod",
            users.problem(orphaned, _ORPHAN),
        )
        refusal = users.attempt("mallory", "delete", "job", name, "-n", space, "--wait=false")
        yield "its ordinary deletion stays allowed", refusal


def owned(full: bool) -> Iterator[Outcome]:
    """What somebody who has taken over the operator would create with its rights."""
    with kube.namespace("attack-identity-owned") as space:
        for name, said, job in workers.forbidden(space):
            yield name, users.problem(workers.create(job), said)
        plain = workers.rendered(workers.sync(space, "plain"))
        yield "and a worker stays allowed", workers.create(plain)


def _forged_worker(space: str, uid: str, **owner: Any) -> kube.Object:
    """A Job with a Pod that claims the success of the 999,999,999th attempt of a ModelSync."""
    words = {"version": 1, "uid": uid, "attempt": 999_999_999, "reason": "Synced"}
    forged = json.dumps({**words, "resolved": {"revision": "forged"}, "progress": {"bytesTotal": 5}})
    pod = kube.pod_on_claim(
        "x", space, "models", release.IMAGE, f"open('/dev/termination-log','w').write({forged!r})"
    )
    pod["spec"]["containers"][0]["name"] = naming.WORKER_CONTAINER
    labels = {
        naming.MANAGED_BY_LABEL: naming.MANAGED_BY,
        naming.UID_LABEL: uid,
        naming.ATTEMPT_LABEL: "999999999",
    }
    reference = {"apiVersion": naming.API_VERSION, "kind": naming.SYNC_KIND, "name": "victim", "uid": uid}
    meta = {"name": "forged", "namespace": space, "labels": labels}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {**meta, "ownerReferences": [{**reference, "controller": True, **owner}]},
        "spec": {"template": {"metadata": {"labels": labels}, "spec": pod["spec"]}},
    }


def reported_by_another(full: bool) -> Iterator[Outcome]:
    """A Job elsewhere, or beside its ModelSync, that claims to be its attempt and to have succeeded."""
    variants = {
        "of another namespace and API group": "evil.example/v1",
        "of its own namespace": naming.API_VERSION,
    }
    for variant, group in variants.items():
        away = group != naming.API_VERSION
        with kube.namespace("attack-identity-a") as victim, kube.namespace("attack-identity-b") as other:
            space = other if away else victim
            kube.apply(kube.claim("models", space), kube.sync("victim", victim, workers.HUB, queue="nowhere"))
            sync = kube.wait_for("victim", victim, kube.phase_is("Queued"), 30, "Queued")
            kube.apply(_forged_worker(space, sync["metadata"]["uid"], apiVersion=group))
            done = ("--for=condition=Complete", "--timeout=60s")
            kube.kubectl("wait", "job", "forged", "-n", space, *done, timeout=65)
            kube.kubectl(
                "annotate", "modelsync", "victim", "-n", victim, "modelsync.dev/retry-requested-at=now"
            )
            sync = kube.wait_for("victim", victim, _noted, 30, "a plan after the forged end")
            status = sync["status"]
            wrong = status["phase"] != "Queued" or "attempts" in status or "resolved" in status
            yield variant, f"status {status}" if wrong else ""


def _noted(sync: kube.Object) -> bool:
    return bool(sync.get("status", {}).get("lastHandledRetry") == "now")


def orphaned(full: bool) -> Iterator[Outcome]:
    """More workers than a queue's slots, by ModelSyncs that are deleted and leave their Jobs behind."""
    queue = {"name": "attack-orphans", "namespace": release.SYSTEM, "labels": kube.OWN}
    kube.apply(
        {"apiVersion": naming.API_VERSION, "kind": "SyncQueue", "metadata": queue, "spec": {"maxActive": 1}}
    )
    try:
        with kube.namespace("attack-identity-orphans") as space, HubServer(host=release.ORIGIN_HOST) as hub:
            kube.apply(kube.claim("models", space))
            source = sources.hub_source(hub, "org/slow", size=50_000_000, rate=100_000)
            names = [f"o{number}" for number in range(4 if full else 2)]
            most = 0
            with kube.Watch("pod", space) as pods:
                for name in names:
                    kube.apply(kube.sync(name, space, source, queue="attack-orphans", sub_path=name))
                    kube.wait_for(name, space, kube.phase_is("Downloading"), 90, "Downloading")
                    most = max(most, _running(space))
                    kube.kubectl("delete", "modelsync", name, "-n", space, "--cascade=orphan")
                del pods
            yield f"{len(names)} in a row", "" if most == 1 else f"{most} workers at once in a queue of 1"
            gone = ("--for=delete", "--timeout=60s")
            mark = f"{naming.MANAGED_BY_LABEL}={naming.MANAGED_BY}"
            kube.kubectl("wait", "jobs,pods", "-n", space, "-l", mark, *gone, timeout=65)
            yield "and they are ended", ""
    finally:
        kube.kubectl("delete", "syncqueue", "attack-orphans", "-n", release.SYSTEM, "--ignore-not-found")


def _running(space: str) -> int:
    """Workers whose Pod runs and is not being deleted, or is and has not ended."""
    return sum(1 for pod in kube.get("pod", namespace=space) if pod["status"]["phase"] == "Running")


ATTACKS = (
    Attack(
        topic="identity",
        name="a Job or Pod is made in the name of a ModelSync",
        how=Ground.CODE,
        run=believed,
        in_tests=False,
    ),
    Attack(
        topic="identity",
        name="a tenant makes Jobs and Pods that look like workers",
        how=Ground.CLUSTER,
        run=marked,
    ),
    Attack(
        topic="identity",
        name="a tenant takes a worker's labels off, changes them, or brings them",
        how=Ground.CLUSTER,
        run=changed,
    ),
    Attack(topic="identity", name="the operator's own rights, in other hands", how=Ground.CLUSTER, run=owned),
    Attack(
        topic="identity",
        name="a Job that no policy stopped claims another's success",
        how=Ground.CLUSTER,
        run=reported_by_another,
        in_tests=False,
    ),
    Attack(
        topic="identity",
        name="more workers than slots, by deleting ModelSyncs and keeping their Jobs",
        how=Ground.CLUSTER,
        run=orphaned,
        in_tests=False,
    ),
)
