"""What others may put into reports, Jobs, Pods and Events, and whether a status could be stored and shown.

The checks are those of the API server for a CRD: the schema with its formats, bounds of 64 bits included.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import jsonschema
from hypothesis import strategies as st

from modelsync.api.common import untrusted
from modelsync.core import actions, planner
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache, job_signatures, parsing
from modelsync.runtime.cluster.resources import JOBS, PODS, QUEUES, SYNCS
from modelsync.runtime.workers import report_validation, start_diagnosis
from tests.api.specs import definitions
from tests.runtime import harness

Object = dict[str, Any]
T = TypeVar("T")
NOW = datetime(2026, 1, 1, 0, 0, 20, tzinfo=UTC)
TEXTS: dict[str, str] = {
    "C0": "a\x00\x07\x1b[31mred\x1b]0;title\x07",
    "C1": "\x9b31mred\x9d0;title\x9c",
    "DEL": "a\x7f\x7f",
    "line breaks": "one\r\ntwo\u2028three\u2029four\x85five\x0b\x0csix\ttab",
    "RLO": "\u202egnp.exe\u202c \u2066x\u2069 \u200e\u200f\u061c",
    "no width": "pay\u200bpal\u200c\u200d\u2060\ufeff\u00ad",
    "blanks": "\u3164\uffa0\u115f\u2800\u034f",
    "tags": "\U000e0041\U000e0042",
    "surrogates": "\ud800\udfff",
    "private and unassigned": "\ue000\U0010ffff\u0378",
    "too long": "x" * 3000,
}
"""Each is a kind of text that must reach no status and no terminal as it is."""

NUMBERS = (-1, untrusted.MAX_COUNT + 1, 2**62, 2**63 - 1, 2**63, 10**30, -(10**30))
"""Such as no honest report holds."""


def _mostly(good: st.SearchStrategy[T], bad: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """Such as a report may hold, but for one in thirty: one that may not makes all of a report unreadable."""
    return st.integers(0, 29).flatmap(lambda number: bad if number == 29 else good)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    """An object with some of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def _all(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    """An object with all of these fields."""
    return st.fixed_dictionaries(fields)


_texts = st.one_of(
    st.sampled_from(list(TEXTS.values())), st.text(max_size=40), st.text("\x1b\x9b\u202ea", max_size=4)
)
_fitting = st.one_of(st.sampled_from([0, 1, 2**31, untrusted.MAX_COUNT]), st.integers(0, 10**6))
_wild = st.sampled_from(NUMBERS)
_numbers = _mostly(_fitting, _wild)
_floats = _mostly(st.floats(0, 1e9), st.sampled_from([float("nan"), float("inf"), -1.0, 1e300]))


_resolved = _some(revision=_texts, manifestDigest=_texts, files=_numbers, bytes=_numbers)
_progress = _some(
    bytesTotal=_numbers, bytesDone=_numbers, bytesNetwork=_numbers, bytesNetworkBefore=_numbers,
    bytesReused=_numbers, filesTotal=_numbers, filesDone=_numbers, currentFile=_texts,
    bytesPerSecond=_numbers,
)  # fmt: skip
_devices = st.lists(
    _all(device=_mostly(st.just("eth0"), _texts), receiveBytes=_numbers, transmitBytes=_numbers), max_size=2
)
PROGRESS = _some(
    stage=st.sampled_from(["Resolving", "Checking", "Downloading", "Verifying", "Done", "\x1b"]),
    stageProgress=_some(filesDone=_numbers, filesTotal=_numbers, bytesDone=_numbers, bytesTotal=_numbers),
    progress=_progress, resolved=_resolved, devices=_devices, retries=_numbers,
    retrying=_all(cause=_texts, tries=_numbers, most=_numbers, nextSeconds=_floats),
    rateLimitWaitSeconds=_floats, idleSeconds=_floats, bandwidthLimit=_numbers,
    network=_all(receiveBytesPerSecond=_numbers, transmitBytesPerSecond=_numbers),
    files=st.lists(_all(path=_texts, bytesDone=_numbers, bytesTotal=st.none() | _numbers), max_size=3),
)  # fmt: skip
TERMINATION = _some(
    reason=st.sampled_from(["Synced", "OriginError", "SourceChanged", "NotFound", "AccessDenied"]),
    message=_texts, resolved=_resolved, progress=_progress, devices=_devices, retries=_numbers,
    rateLimitWaitSeconds=_floats, verificationSeconds=_floats,
    verifiedBy=st.dictionaries(st.sampled_from(["sha256", "size"]), _numbers, max_size=2),
)  # fmt: skip
_times = st.sampled_from(
    ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2026-01-01T00:00:10Z", "\x1b", None]
)
POD_STATUS = _some(
    reason=_texts, message=_texts, phase=st.sampled_from(["Pending", "Running", "Failed", "\x1b"]),
    conditions=st.lists(
        _some(type=st.sampled_from(["Ready", "ContainersReady", "PodScheduled", "DisruptionTarget"]),
              status=st.sampled_from(["True", "False"]), reason=st.sampled_from(["Unschedulable", "\x1b"]),
              message=_texts, lastTransitionTime=_times),
        max_size=3,
    ),
    initContainerStatuses=st.lists(
        _some(name=_texts, state=_some(terminated=_some(exitCode=_numbers))), max_size=1
    ),
)  # fmt: skip
CONTAINER = st.one_of(
    _some(
        waiting=_some(
            reason=st.one_of(_texts, st.sampled_from(["ImagePullBackOff", "ErrImagePull"])), message=_texts
        )
    ),
    _some(running=_some(startedAt=_times)),
    _some(terminated=_some(exitCode=_numbers, reason=_texts, startedAt=_times, finishedAt=_times)),
)
JOB_STATUS = _some(
    conditions=st.lists(
        _some(type=st.sampled_from(["Failed", "Complete"]), status=st.just("True"), reason=_texts,
              message=_texts, lastTransitionTime=_times),
        max_size=1,
    )
)  # fmt: skip
EVENT = st.lists(
    _some(
        reason=st.sampled_from(["FailedMount", "FailedCreate", "Failed"]),
        message=_texts,
        lastTimestamp=_times,
    ),
    max_size=1,
)

_SCHEMA = definitions.schemas()
_FORMATS = jsonschema.FormatChecker()


@_FORMATS.checks("int64")
def _is_int64(value: object) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


@_FORMATS.checks("int32")
def _is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


def refusals(kind: str, status: Object) -> list[str]:
    """What the API server would refuse in a status, and texts that it would store but nobody should see."""
    schema = _SCHEMA[kind]["properties"]["status"]
    validator = jsonschema.Draft202012Validator(schema, format_checker=_FORMATS)
    found = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(status)]
    found += [f"{path}: not int64" for path, value in _leaves("$", status) if not _is_int64(value)]
    shown = [(path, value) for path, value in _leaves("$", status) if isinstance(value, str)]
    return found + [f"{path}: {value!r}" for path, value in shown if not value.isprintable()]


def _leaves(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _leaves(f"{path}.{key}", entry)
    elif isinstance(value, (list, tuple)):
        for number, entry in enumerate(value):
            yield from _leaves(f"{path}[{number}]", entry)
    else:
        yield path, value


class World:
    """One ModelSync, its Job and its Pod, as the operator sees them."""

    def __init__(self, status: Object | None = None) -> None:
        self.store = cache.Store()
        stored = {"phase": "Downloading", "attempts": 1, **(status or {})}
        self._put(SYNCS, harness.sync(**stored))
        self._put(JOBS, harness.job())
        queue = {"metadata": {"name": "default", "namespace": "ops", "uid": "q"}, "spec": {"maxActive": 1}}
        self._put(QUEUES, queue)
        self._version = 1

    def _put(self, resource: Any, raw: Object) -> None:
        self._version = getattr(self, "_version", 0) + 1
        self.store.observe(resource, "MODIFIED", harness.versioned(raw, self._version))

    def pod(self, status: Object, container: Object, words: Object | None) -> None:
        """The Pod's status, with a termination message where it has ended."""
        raw = harness.pod(**status)
        if words is not None:
            message = json.dumps(
                {"version": 1, "uid": "uid-llama", "attempt": 1, "reason": "Synced", **words}
            )
            container = {"terminated": {"exitCode": 0, **container.get("terminated", {}), "message": message}}
        raw["status"]["containerStatuses"][0]["state"] = container
        self._put(PODS, raw)

    def job(self, status: Object) -> None:
        """The Job's status."""
        self._put(JOBS, harness.job(status=status))

    def report(self, report: Object) -> bool:
        """A worker's answer to a poll; whether it was taken."""
        pod = parsing.pod_record(harness.versioned(harness.pod(), 1), job_signatures.Proofs())
        whole = {"version": 1, "uid": "uid-llama", "attempt": 1, "stage": "Downloading", **report}
        before = self.store.samples.get(pod.uid)
        try:
            known = report_validation.parse(
                json.dumps(whole).encode("utf-8", "surrogatepass"), pod, before.report if before else None
            )
        except report_validation.BadReport:
            return False
        self.store.sample(pod.uid, snapshot.Sample(report=known, received=NOW))
        return True

    def plan(self) -> actions.Plan:
        """What the operator would do now."""
        return planner.plan(self.store.snapshot(NOW, snapshot.Settings()))

    def problems(self) -> list[str]:
        """What is wrong with anything that the operator would write now."""
        plan = self.plan()
        found = [
            problem for status in plan.statuses.values() for problem in refusals("ModelSync", status.dump())
        ]
        found += [
            problem
            for status in plan.queue_statuses.values()
            for problem in refusals("SyncQueue", status.dump())
        ]
        return found + [
            f"Event {event.reason}: {event.message!r}"
            for event in plan.events
            if not event.message.isprintable()
        ]


_RUNS: Object = {"running": {"startedAt": "2026-01-01T00:00:03Z"}}


def worlds_of(text: str) -> Iterator[tuple[str, World]]:
    """Worlds in which a text was said, each in another place."""
    progress = {
        "progress": {"currentFile": text},
        "files": [{"path": text, "bytesDone": 0}],
        "resolved": {"revision": text, "manifestDigest": text},
        "retrying": {"cause": text, "tries": 1, "most": 5, "nextSeconds": 1.0},
        "idleSeconds": 9.0,
    }
    yield "a progress report", _world(report=progress)
    words = {"reason": "OriginError", "message": text, "resolved": {"revision": text}}
    yield "a termination report", _world(words=words)
    artifact = {"reason": "Synced", "resolved": {"revision": text, "manifestDigest": text}}
    yield "the report of a success", _world(words=artifact)
    yield "a Pod's status", _world(status={"phase": "Failed", "reason": text, "message": text})
    waiting = {"waiting": {"reason": "ErrImagePull", "message": text}}
    yield "a container's status", _world(status={"phase": "Pending"}, container=waiting)
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}
    yield (
        "a Pod's condition",
        _world(status={"phase": "Pending", "conditions": [unschedulable]}, container={}),
    )
    world = _world(status={"phase": "Pending"}, container={})
    problem = start_diagnosis.newest([{"reason": "FailedMount", "message": text}])
    assert problem is not None
    world.store.set_problem("pod-1", problem)
    yield "an Event", world


def worlds_of_number(number: int) -> Iterator[tuple[str, World]]:
    """Worlds in which a number was said, each in another place."""
    for field in (
        "bytesTotal",
        "bytesDone",
        "bytesNetwork",
        "bytesNetworkBefore",
        "filesTotal",
        "bytesPerSecond",
    ):
        yield f"progress.{field}", _world(report={"progress": {field: number}})
    for field in ("receiveBytesPerSecond", "transmitBytesPerSecond"):
        rate = {"receiveBytesPerSecond": 0, "transmitBytesPerSecond": 0, field: number}
        yield f"network.{field}", _world(report={"network": rate})
    for field in ("bytesDone", "bytesTotal"):
        file = {"path": "a", "bytesDone": 0, field: number}
        yield f"files.{field}", _world(report={"progress": {"bytesDone": 5}, "files": [file]})
    for field in ("files", "bytes"):
        yield f"resolved.{field}", _world(words={"resolved": {field: number}})
        yield f"resolved.{field} of a progress report", _world(report={"resolved": {field: number}})
    yield "verifiedBy", _world(words={"verifiedBy": {"sha256": number}})
    yield "exitCode", _world(status={"phase": "Failed"}, container={"terminated": {"exitCode": number}})


def _world(
    *,
    report: Object | None = None,
    words: Object | None = None,
    status: Object | None = None,
    container: Object | None = None,
) -> World:
    world = World()
    world.pod(status or {}, _RUNS if container is None else container, words)
    if report is not None:
        world.report(report)
    return world
