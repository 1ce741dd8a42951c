"""Objects that are made to end a decoder, to fill the operator's memory, or to be no Job's."""

import json
from collections.abc import Iterator

from dev import kube
from modelsync.api import naming
from modelsync.runtime.cluster import decoding
from tests.api.specs import affinities
from tests.attacks.case import Attack, Ground, Outcome
from tests.e2e import release
from tests.runtime import hostile_json

_SYNC = '"apiVersion": "modelsync.dev/v1alpha1", "kind": "ModelSync"'
_SOURCE = '"source": {"http": {"files": [{"url": "http://h/x", "path": "a"}]}}'
_SPEC = f'"suspend": true, {_SOURCE}, "target": {{"persistentVolumeClaim": {{"claimName": "c"}}}}'
_TEMPLATE = '{"spec": {"restartPolicy": "Never", "containers": [{"name": "worker", "image": "none"}]}}'
_PATHS = {"modelsyncs": "apis/modelsync.dev/v1alpha1", "jobs": "apis/batch/v1"}
MOST_MEMORY = 256 << 20
_SECONDS = 30.0
_REFUSED = ("is forbidden", "is invalid", "nesting depth", "unknown field", "denied")


def _managed(text: str, version: str) -> str:
    entry = (
        f'"manager": "x", "operation": "Apply", "apiVersion": "{version}", "fieldsType": "FieldsV1",'
        f' "time": "2026-01-01T00:00:00Z", "fieldsV1": {text}'
    )
    return f'"managedFields": [{{{entry}}}]'


def _meta(name: str, space: str, more: str = "") -> str:
    return f'"metadata": {{"name": "{name}", "namespace": "{space}"{more and ", " + more}}}'


def _by_spec(name: str, space: str, text: str) -> tuple[str, str]:
    spec = f'{_SPEC}, "podTemplate": {{"affinity": {{"nodeAffinity": {text}, "x": {text}}}}}'
    return "modelsyncs", f'{{{_SYNC}, {_meta(name, space)}, "spec": {{{spec}}}}}'


def _by_fields(name: str, space: str, text: str) -> tuple[str, str]:
    meta = _meta(name, space, _managed(text, naming.API_VERSION))
    return "modelsyncs", f'{{{_SYNC}, {meta}, "spec": {{{_SPEC}}}}}'


def _job(name: str, space: str, text: str) -> tuple[str, str]:
    labels = f'"labels": {{"{naming.MANAGED_BY_LABEL}": "{naming.MANAGED_BY}"}}'
    meta = _meta(name, space, f"{labels}, {_managed(text, 'batch/v1')}")
    spec = f'{{"suspend": true, "template": {_TEMPLATE}}}'
    return "jobs", f'{{"apiVersion": "batch/v1", "kind": "Job", {meta}, "spec": {spec}}}'


def _create(space: str, plural: str, text: str) -> str:
    """What the API server says against an object's text; "" when it took it."""
    path = f"/{_PATHS[plural]}/namespaces/{space}/{plural}"
    try:
        kube.kubectl("create", "--raw", path, "-f", "-", stdin=text)
    except kube.KubectlError as error:
        said = str(error)
        return said if any(word in said for word in _REFUSED) else f"refused for another reason: {said[:200]}"
    return ""


def _victim(name: str, space: str) -> str:
    """Whether another tenant's sync is seen and its status says Paused."""
    source = {"http": {"files": [{"url": "http://h/x", "path": "a"}]}}
    kube.apply(kube.sync(name, space, source, suspend=True))
    try:
        kube.wait_for(name, space, kube.phase_is("Paused"), timeout=_SECONDS)
    except Exception as error:  # whatever ended the wait: it was not seen
        return f"another tenant's sync is not seen: {error}"[:300]
    return ""


def _operator() -> str:
    """What is wrong with the operator, or ""."""
    statuses = release.operator_pod()["status"]["containerStatuses"]
    if any(status["restartCount"] for status in statuses):
        return "the operator was restarted"
    memory = release.sample("process_resident_memory_bytes")
    return f"{memory / 2**20:.0f} MiB of memory" if memory > MOST_MEMORY else ""


def nested(full: bool) -> Iterator[Outcome]:
    """Objects nested up to 9,990 deep, by spec and by managedFields, also of a Job with our label."""
    with kube.namespace("attack-objects") as space, kube.namespace("attack-objects-victim") as victim:
        yield "the victim before", _victim("before", victim)
        for depth in hostile_json.DEPTHS if full else (300, 9_990):
            for make in (_by_spec, _by_fields, _job):
                name = f"{make.__name__.strip('_').replace('_', '-')}-{depth}"
                said = _create(space, *make(name, space, hostile_json.fields(depth)))
                yield name, said if said.startswith("refused for another") else ""
        yield "while it watches", _victim("watched", victim) or _operator()
        release.scale(0)
        release.scale(1)
        yield "a new operator", _victim("listed", victim) or _operator()


def large(full: bool) -> Iterator[Outcome]:
    """Objects as big as etcd takes them, by managedFields and an annotation."""
    fields = "{" + ",".join(f'"f:{"a" * 8}{n}":{{}}' for n in range(45_000)) + "}"
    note = f'"annotations": {{"example.org/a": "{"x" * 250_000}"}}'
    with kube.namespace("attack-objects-large") as space, kube.namespace("attack-objects-victim") as victim:
        for number in range(40 if full else 8):
            meta = _meta(f"large-{number}", space, f"{note}, {_managed(fields, naming.API_VERSION)}")
            said = _create(space, "modelsyncs", f'{{{_SYNC}, {meta}, "spec": {{{_SPEC}}}}}')
            yield f"object {number}", said if said.startswith("refused for another") else ""
        yield "while it watches", _victim("watched", victim) or _operator()
        release.scale(0)
        release.scale(1)
        yield "a new operator", _victim("listed", victim) or _operator()


def no_pods_affinity(full: bool) -> Iterator[Outcome]:
    """An affinity that no Pod can have: it would be refused when the Job is made, and nobody before."""
    with kube.namespace("attack-objects-affinity") as space:
        source = {"huggingFace": {"repository": "org/name"}}
        cases = affinities.BAD.items() if full else list(affinities.BAD.items())[:3]
        for name, (affinity, words) in cases:
            thing = kube.sync("a", space, source, suspend=True, podTemplate={"affinity": affinity})
            said = _create(space, "modelsyncs", json.dumps(thing))
            yield name, "" if words in said else f"not refused as it should be: {said[:200]!r}"


def undecodable(full: bool) -> Iterator[Outcome]:
    """Text that is nested too deeply, or no JSON, within a list: its neighbours are read."""
    for name, text in (hostile_json.DEEP | hostile_json.NOT_JSON).items():
        for where in ("spec", "status", "metadata"):
            raw = f'{{"items": [{{"a": 1}}, {{"metadata": {{}}, "{where}": {{"x": {text}}}}}, {{"b": 2}}]}}'
            scanner, read = decoding.listed(), list[object]()
            for found in scanner.feed(raw.encode()):
                try:
                    read.append(decoding.read(found)[0])
                except ValueError:
                    read.append(None)
            whole = len(read) == 3 and (read[0], read[2]) == ({"a": 1}, {"b": 2})
            yield f"{name} in {where}", "" if whole else f"its neighbours were lost: {len(read)}"


ATTACKS = (
    Attack(topic="objects", name="nested 10,000 deep", how=Ground.CLUSTER, run=nested, in_tests=False),
    Attack(topic="objects", name="as big as etcd takes them", how=Ground.CLUSTER, run=large, in_tests=False),
    Attack(
        topic="objects", name="an affinity that no Pod can have", how=Ground.CLUSTER, run=no_pods_affinity
    ),
    Attack(topic="objects", name="text that is no object", how=Ground.CODE, run=undecodable),
)
