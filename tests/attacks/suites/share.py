"""One user who wants all: the slots of a queue, the nodes, and what a Secret of others unlocks."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dev import kube
from dev.origins.faults import ALWAYS, Length, Slow
from dev.origins.files import hub, s3
from dev.origins.files.listing import Listing
from dev.origins.files.origin import Origin
from dev.origins.serving.messages import Role
from modelsync.core import planner
from tests.attacks import users
from tests.attacks.case import Attack, Ground, Outcome
from tests.builders import a_queue, a_snapshot
from tests.core import test_allowances as allowances
from tests.core.test_turns import Cluster, crowd
from tests.e2e import release
from tests.worker.test_slowness import dripping_file
from tests.worker.test_worker_command import HERE, start, words

_SYNCS = {"apiGroups": ["modelsync.dev"], "resources": ["modelsyncs"], "verbs": ["*"]}
_CLAIM = {
    "apiGroups": [""],
    "resources": ["persistentvolumeclaims"],
    "verbs": ["update"],
    "resourceNames": ["models"],
}
_ALLOWED_SECONDS = 40.0
"""For a worker whose deadline is 2 seconds: its start on a busy machine, the deadline, its grace."""


def first_come(full: bool) -> Iterator[Outcome]:
    """A crowd of older, or more urgent, ModelSyncs against one of another namespace."""
    count = 1000 if full else 40
    queues: dict[str, dict[str, Any]] = {
        "older": {"max_active": 1},
        "older, three slots": {"max_active": 3},
        "of priority 1000, which the queue bounds": {"max_active": 1, "max_priority": 0},
        "of priority 1000, and a limit for a namespace": {"max_active": 3, "max_active_per_namespace": 2},
    }
    for name, spec in queues.items():
        for deletes in ((), ("greedy",)):
            cluster = Cluster(a_queue(**spec))
            cluster.add(*crowd("greedy", count, first=90_000, priority=1000 if "1000" in name else 0))
            for _ in range(3):
                cluster.step(lambda _: 10, deletes=deletes)
            cluster.add(*crowd("modest", 1, first=0))
            before = len(cluster.started)
            for _ in range(2):
                cluster.step(lambda _: 10, deletes=deletes)
            late = "modest" not in cluster.started[before:]
            variant = f"{name}; {'deletes what ended' if deletes else 'keeps what ended'}"
            yield variant, "the other namespace waits for them" if late else ""


def beyond_allowances(full: bool) -> Iterator[Outcome]:
    """Priority classes, requests and limits that the configuration does not allow."""
    for sync, field, _ in allowances.REFUSED:
        plan = planner.plan(a_snapshot(sync, settings=allowances.SETTINGS))
        template = sync.spec.pod_template.dump()
        yield f"{field}: {json.dumps(template)}", "a Job is created" if plan.creations else ""


def held_by_an_origin(full: bool) -> Iterator[Outcome]:
    """An origin that keeps a worker, and so its slot, without ever being silent."""
    with dripping_file() as url:
        source = {"http": {"files": [{"url": f"{url}/x", "path": "x"}]}}
        yield "a file that drips", _ends(source, minimumRate=100_000)
    for api in ("hub", "s3"):
        for kind in (Listing.EMPTY, Listing.REPEATED, Listing.SAME) if full else (Listing.EMPTY,):
            with _listing(kind) as origin:
                yield f"{api}: {kind}", _ends(_source(origin, api))
        with _listing(Listing.REPEATED) as origin:
            origin.strike("", Length("+1000000"), Slow(10), role=Role.LIST, times=ALWAYS)
            yield f"{api}: a page that comes byte by byte", _ends(_source(origin, api))
    if full:
        with _listing(Listing.EMPTY) as origin:
            # However long the deadline is, the number of pages ends it.
            yield (
                "hub: empty pages, whatever the deadline",
                _ends(_source(origin, "hub"), seconds=200.0, progressDeadlineSeconds=86_400),
            )


def _listing(how: Listing) -> Origin:
    origin = Origin()
    origin.listing = how
    return origin


def _source(origin: Origin, api: str) -> dict[str, Any]:
    """`spec.source` of an origin."""
    if api == "hub":
        return {"huggingFace": {"repository": hub.REPOSITORY, "endpoint": origin.url}}
    return {"s3": {"bucket": s3.BUCKET, "endpoint": origin.url}}


def held_by_a_fifo(full: bool) -> Iterator[Outcome]:
    """A FIFO on the own claim, in the way of a worker that reads or writes there."""
    names = ("x", ".modelsync/manifest.json", ".modelsync/manifest.new", ".modelsync/lock", ".modelsync")
    for name in names if full else names[:2]:
        with dripping_file() as url, tempfile.TemporaryDirectory() as directory:
            fifo = Path(directory, "volume", name)
            fifo.parent.mkdir(parents=True)
            os.mkfifo(fifo)
            source = {"http": {"files": [{"url": f"{url}/x", "path": "x"}]}}
            yield f"at {name}", _ends(source, Path(directory), minimumRate=100_000)


def _ends(
    source: dict[str, Any], directory: Path | None = None, *, seconds: float = _ALLOWED_SECONDS, **more: Any
) -> str:
    """The problem of a worker that does not end in time, or says nothing."""
    if directory is None:
        with tempfile.TemporaryDirectory() as own:
            return _ends(source, Path(own), seconds=seconds, **more)
    names = {"version": 1, "uid": "u-1", "namespace": "team", "name": "llama", "attempt": 1}
    request = {**names, **HERE, "source": source, "progressDeadlineSeconds": 2, **more}
    began = time.monotonic()
    with start(directory, request) as worker:
        try:
            worker.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            worker.kill()
            return f"it runs on after {time.monotonic() - began:.0f} s"
    return "" if words(directory).message else "it ended without a word"


def led_elsewhere(full: bool) -> Iterator[Outcome]:
    """The Secret-bearing worker of somebody else, led elsewhere without touching the source."""
    changes: dict[str, dict[str, Any]] = {
        "to a node": {"podTemplate": {"nodeSelector": {"kubernetes.io/hostname": "mine"}}},
        "to tainted nodes": {"podTemplate": {"tolerations": [{"operator": "Exists"}]}},
        "beside another Pod": {"podTemplate": {"affinity": {"podAffinity": {}}}},
        "by an injector": {"podTemplate": {"labels": {"sidecar.example.org/inject": "true"}}},
        "by a priority class": {"podTemplate": {"priorityClassName": "high"}},
        "by requests that one node has": {"podTemplate": {"resources": {"requests": {"cpu": 7}}}},
        "through another library": {"engine": "HuggingFaceHub"},
        "out of the podTemplate that was chosen": {"podTemplate": None},
    }
    with kube.namespace("attack-share-secrets") as space:
        users.grant("eve", space, _SYNCS, _CLAIM)
        source = {"huggingFace": {"repository": "org/name", "secretRef": {"name": "tok"}}}
        chosen = {"annotations": {"example.org/a": "b"}}
        kube.apply(kube.sync("led", space, source, suspend=True, podTemplate=chosen))
        for name, change in changes.items():
            refusal = users.patch("eve", space, "led", {"spec": change})
            yield name, users.problem(refusal, "you may not get Secret")
        for count in (1, 8):
            secrets = [{"name": f"tok-{number}"} for number in range(count)]
            sync = kube.sync("pulls", space, {"huggingFace": {"repository": "org/name"}}, suspend=True)
            sync["spec"]["podTemplate"] = {"imagePullSecrets": secrets}
            refusal = users.create("eve", sync)
            yield (
                f"imagePullSecrets, {count} of them",
                users.problem(refusal, "you may not get all of the Secrets"),
            )


def queues_of_others(full: bool) -> Iterator[Outcome]:
    """A queue that one may not use, with the policy that asks for it."""
    rendered = release.helm(
        "template", "attack", "charts/modelsync", "--set", "queueAccess.enabled=true",
        "--show-only", "templates/queuepolicy.yaml",
    )  # fmt: skip
    policies = list(yaml.safe_load_all(rendered))
    with kube.namespace("attack-share-queues") as space:
        binding = next(each for each in policies if each["kind"] == "ValidatingAdmissionPolicyBinding")
        # Users of other namespaces belong to the tests beside this one.
        here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}}}
        binding["spec"]["matchResources"] = here
        users.grant("eve", space, _SYNCS, _CLAIM)
        users.edit("ed", space)
        use = {"apiGroups": ["modelsync.dev"], "resources": ["syncqueues"], "verbs": ["use"]}
        users.grant("member", space, _SYNCS, _CLAIM, {**use, "resourceNames": ["gpu"]})
        try:
            kube.apply(*policies)
            said = "you may not use SyncQueue"
            kube.eventually(
                lambda: said in users.create("eve", _in_queue("a", space, "gpu")),
                30,
                "the policy is enforced",
            )
            for user, queue in (("eve", "gpu"), ("eve", "default"), ("ed", "gpu"), ("member", "default")):
                refusal = users.create(user, _in_queue("a", space, queue))
                yield f"{user} names {queue} at creation", users.problem(refusal, said)
            kube.apply(_in_queue("moved", space, "default"))
            refusal = users.patch("ed", space, "moved", {"spec": {"queue": "gpu"}})
            yield "ed names gpu afterwards", users.problem(refusal, said)
            for user, queue in (("ed", "default"), ("member", "gpu")):
                refusal = users.create(user, _in_queue("a", space, queue))
                yield f"{user} names {queue}, as they may", refusal and f"refused: {refusal[:300]}"
        finally:
            for policy in reversed(policies):
                kube.kubectl("delete", policy["kind"], policy["metadata"]["name"], "--ignore-not-found")


def _in_queue(name: str, space: str, queue: str) -> kube.Object:
    return kube.sync(name, space, {"huggingFace": {"repository": "org/name"}}, suspend=True, queue=queue)


def nodes_of_others(full: bool) -> Iterator[Outcome]:
    """A worker of the highest priority, or with requests without end, by the operator as it is installed."""
    templates: dict[str, dict[str, Any]] = {
        "system-node-critical": {"priorityClassName": "system-node-critical"},
        "100,000 CPUs": {"resources": {"requests": {"cpu": "100000"}}},
        "memory without end": {"resources": {"limits": {"memory": "9E"}}},
        "a disk": {"resources": {"requests": {"ephemeral-storage": "10Ti"}}},
    }
    with kube.namespace("attack-share-nodes") as space:
        kube.apply(kube.claim("models", space))
        for number, (name, template) in enumerate(templates.items()):
            sync = kube.sync(f"greedy-{number}", space, {"huggingFace": {"repository": "org/name"}})
            sync["spec"]["podTemplate"] = template
            kube.apply(sync)
            found = kube.wait_for(f"greedy-{number}", space, kube.phase_is("Failed"), 30, "refused")
            jobs = kube.kubectl("get", "jobs", "-n", space, "-o", "name").split()
            message = next(c["message"] for c in found["status"]["conditions"] if c["type"] == "Ready")
            yield name, "" if message.startswith("spec.podTemplate.") and not jobs else f"{message}; {jobs}"


def _attack(name: str, how: Ground, run: Any, *, in_tests: bool = True) -> Attack:
    return Attack(topic="share", name=name, how=how, run=run, in_tests=in_tests)


ATTACKS = (
    _attack(
        "a namespace that comes first, or is more urgent, takes all slots of a queue", Ground.CODE, first_come
    ),
    _attack("a worker of a priority or a size that is not allowed", Ground.CODE, beyond_allowances),
    # Half a minute of workers' starts; the tests of watchdog, slowness and endless listings have it in short.
    _attack(
        "an origin that keeps a slot without being silent",
        Ground.LOOPBACK,
        held_by_an_origin,
        in_tests=False,
    ),
    _attack("a FIFO on the claim that keeps a slot", Ground.LOOPBACK, held_by_a_fifo),
    _attack("a Secret that one may not get, led elsewhere by other fields", Ground.CLUSTER, led_elsewhere),
    _attack("a queue that one may not use", Ground.CLUSTER, queues_of_others),
    _attack("a worker that takes the nodes from others", Ground.CLUSTER, nodes_of_others),
)
