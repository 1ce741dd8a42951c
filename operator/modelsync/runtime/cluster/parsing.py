"""Raw Kubernetes objects as slim records: the border where hostile or odd input ends.

A ModelSync that does not parse becomes a record with `invalid`, so that one bad object (an older or newer
schema, an edited etcd) cannot stop the others. Jobs and Pods are read by label and annotation, which anybody
with rights in the namespace can write; whatever does not fit is left out, never an exception. Which of them
the operator made is said by their proofs (`job_signatures`); what is believed of the others is decided in
`core.cluster.ownership`.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pydantic

from modelsync.api import modelsync as api
from modelsync.api import naming, protocol, syncqueue
from modelsync.api.common import untrusted
from modelsync.api.modelsync_status import ModelSyncStatus
from modelsync.api.source import sources
from modelsync.api.worker_pod import pod_template
from modelsync.core.cluster import snapshot
from modelsync.core.jobs import allowances
from modelsync.runtime.cluster.job_signatures import Made, Proofs

Object = dict[str, Any]
S = TypeVar("S", ModelSyncStatus, syncqueue.SyncQueueStatus)

_JOB_UID_LABEL = "batch.kubernetes.io/controller-uid"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_RETRY = 256
_MOST_KEY = 256
_PLACEHOLDER = api.ModelSyncSpec(
    source=sources.Source(),
    target=api.Target(persistent_volume_claim=api.ClaimTarget(claim_name="unknown")),
)
"""Stands in for a spec that could not be read; `invalid` keeps anybody from acting on it."""

_A_FILE = sources.HttpFile(url="", path="")
_NO_TEMPLATE = pod_template.PodTemplate()


class NotOurs(ValueError):
    """The object lacks what would make it one of ours; it is ignored."""


def sync_record(raw: Object) -> snapshot.SyncRecord:
    """A ModelSync with what the planner needs of it; one that cannot be read comes with `invalid`."""
    record = whole_sync(raw)
    return replace(record, spec=planned(record.spec))


def whole_sync(raw: Object) -> snapshot.SyncRecord:
    """A ModelSync with its whole spec, to make a Job of; one that cannot be read comes with `invalid`."""
    meta = _meta(raw)
    spec, invalid = _spec(raw.get("spec"))
    return snapshot.SyncRecord(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        generation=_int(meta.get("generation")),
        resource_version=meta["resourceVersion"],
        created=timestamp(meta.get("creationTimestamp")) or _EPOCH,
        spec=spec,
        status=_status(raw.get("status"), ModelSyncStatus),
        retry_requested=_retry_requested(meta),
        deleting=bool(meta.get("deletionTimestamp")),
        invalid=invalid,
    )


def queue_record(raw: Object) -> snapshot.QueueRecord:
    """A SyncQueue; a spec that cannot be read admits nothing."""
    meta = _meta(raw)
    try:
        spec = syncqueue.SyncQueueSpec.model_validate(raw.get("spec") or {})
    except pydantic.ValidationError:
        spec = syncqueue.SyncQueueSpec(suspend=True)
    return snapshot.QueueRecord(
        name=meta["name"],
        uid=meta["uid"],
        generation=_int(meta.get("generation")),
        resource_version=meta["resourceVersion"],
        spec=spec,
        status=_status(raw.get("status"), syncqueue.SyncQueueStatus),
    )


def job_record(raw: Object, proofs: Proofs, known: snapshot.JobRecord | None = None) -> snapshot.JobRecord:
    """A worker's Job; raises NotOurs unless the operator made it or a ModelSync owns it.

    `known` is its last record: a uid is for good, so what was ours stays it, whatever is taken off it.
    """
    meta = _meta(raw)
    created = timestamp(meta.get("creationTimestamp")) or _EPOCH
    made = _kept(known) or proofs.of_job(meta, created)
    owner = _controller(meta, naming.GROUP, naming.SYNC_KIND)
    if made is None and not owner:
        raise NotOurs("no ModelSync controls it")
    ended = end_of(raw)
    state = snapshot.JobState(ended["type"]) if ended else snapshot.JobState.ACTIVE
    failed = state is snapshot.JobState.FAILED
    return snapshot.JobRecord(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        sync_uid=made.sync_uid if made is not None else owner,
        attempt=made.attempt if made is not None else _attempt(meta),
        queue=made.queue if made is not None else "",
        unproven=made is None,
        owned=made is None or owner == made.sync_uid,
        state=state,
        created=created,
        finished=timestamp(ended.get("lastTransitionTime")) if ended else None,
        failure_reason=_text(ended.get("reason")) if failed else "",
        deleting=bool(meta.get("deletionTimestamp")),
        suspended=bool(_mapping(raw.get("spec")).get("suspend")),
    )


def end_of(raw: Object) -> Object:
    """The condition of a raw Job that says that it has ended, or {}."""
    conditions = _mappings(_mapping(raw.get("status")).get("conditions"))
    return next((c for c in conditions if _is_true(c, "Complete") or _is_true(c, "Failed")), {})


def pod_record(raw: Object, proofs: Proofs, known: snapshot.PodRecord | None = None) -> snapshot.PodRecord:
    """A worker's Pod; raises NotOurs unless a Job owns or owned it and it names a ModelSync.

    `known` is its last record; see `job_record`.
    """
    meta = _meta(raw)
    created = timestamp(meta.get("creationTimestamp")) or _EPOCH
    made = _kept(known) or proofs.of_pod(meta, created)
    labels = _strings(meta.get("labels"))
    # A Job that is deleted as an orphan's owner leaves its Pod with this label, and running.
    orphaned = known.job_uid if known is not None else labels.get(_JOB_UID_LABEL, "") if made else ""
    job_uid = _controller(meta, "batch", "Job") or orphaned
    status = _mapping(raw.get("status"))
    sync_uid = made.sync_uid if made is not None else labels.get(naming.UID_LABEL, "")
    if not sync_uid or not job_uid:
        raise NotOurs("no Job controls it, or no label with a ModelSync's uid")
    attempt = made.attempt if made is not None else _attempt(meta)
    state = _container_state(status)
    waiting, ended = _mapping(state.get("waiting")), _mapping(state.get("terminated"))
    init, init_exit_code = _init_container(status)
    conditions = {_text(c.get("type")): c for c in _mappings(status.get("conditions"))}
    spec = _mapping(raw.get("spec"))
    words = termination(ended.get("message"), sync_uid, attempt)
    host_network = spec.get("hostNetwork") is True
    return snapshot.PodRecord(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        job_uid=job_uid,
        sync_uid=sync_uid,
        attempt=attempt,
        queue=made.queue if made is not None else "",
        unproven=made is None,
        created=created,
        phase=_text(status.get("phase")) or "Pending",
        ip=_text(status.get("podIP")),
        host_network=host_network,
        node=_text(spec.get("nodeName")),
        progress_key=_progress_key(meta),
        unschedulable=_unschedulable(conditions.get("PodScheduled", {})),
        waiting_reason=_text(waiting.get("reason")),
        waiting_message=_text(waiting.get("message")),
        init_container=init,
        init_exit_code=init_exit_code,
        running_since=timestamp(_mapping(state.get("running")).get("startedAt"))
        or timestamp(ended.get("startedAt")),
        exit_code=_int(ended.get("exitCode")) if ended else None,
        terminated_reason=_text(ended.get("reason")),
        termination=words.replace(devices=()) if words is not None and host_network else words,
        finished=timestamp(ended.get("finishedAt")),
        status_reason=_text(status.get("reason")),
        status_message=_text(status.get("message")),
        disruption=_disruption(conditions.get("DisruptionTarget", {})),
        deleting=bool(meta.get("deletionTimestamp")),
        # Unlike that of other objects, a Pod's deletionTimestamp includes its grace period.
        deletion_due=timestamp(meta.get("deletionTimestamp")),
        unreachable_since=_unreachable_since(conditions),
    )


def termination(message: object, sync_uid: str, attempt: int) -> protocol.TerminationReport | None:
    """The worker's termination report, when it can be read and is about this attempt; else None."""
    if not isinstance(message, str) or len(message) > protocol.MAX_TERMINATION_BYTES:
        return None
    try:
        report = protocol.TerminationReport.model_validate_json(message)
    except (pydantic.ValidationError, ValueError):
        return None
    return report if (report.uid, report.attempt) == (sync_uid, attempt) else None


def _meta(raw: Object) -> Object:
    meta = raw.get("metadata")
    if not isinstance(meta, dict) or not all(
        isinstance(meta.get(key), str) for key in ("name", "uid", "resourceVersion")
    ):
        raise NotOurs("no metadata")
    meta.setdefault("namespace", "")
    return meta


def _spec(raw: object) -> tuple[api.ModelSyncSpec, str | None]:
    if isinstance(raw, str):  # see `decoding`
        return _PLACEHOLDER, f"spec: {raw}"[:500]
    try:
        return api.ModelSyncSpec.model_validate(raw), None
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in ("spec", *first["loc"]))
        return _PLACEHOLDER, untrusted.clean(f"{where}: {first['msg']}", 500)


def planned(spec: api.ModelSyncSpec) -> api.ModelSyncSpec:
    """What the planner needs of a spec: a few kB, where the whole one may have a megabyte.

    All else is asked for again when a Job is made of it. Of the files, their number is left, of the
    podTemplate what is judged before (`core.jobs.allowances`).
    """
    http = spec.source.http
    if http is not None:
        first = [file.replace(url=file.url.partition("?")[0]) for file in http.files[:1]]
        http = http.replace(files=tuple(first) if len(http.files) == 1 else (_A_FILE,) * len(http.files))
    template = _NO_TEMPLATE.replace(
        resources=pod_template.Resources(
            requests=_amounts(spec.pod_template.resources.requests),
            limits=_amounts(spec.pod_template.resources.limits),
        ),
        priority_class_name=spec.pod_template.priority_class_name,
        service_account_name=spec.pod_template.service_account_name,
        runtime_class_name=spec.pod_template.runtime_class_name,
        security_context=spec.pod_template.security_context,
    )
    return spec.replace(
        source=spec.source.replace(http=http), allow_patterns=(), ignore_patterns=(), pod_template=template
    )


def _amounts(given: pod_template.Quantities | None) -> pod_template.Quantities | None:
    """Quantities, each cut to one character more than `allowances` accepts: the API server bounds none."""
    if given is None:
        return None
    most = allowances.MOST_CHARACTERS + 1
    known = {name: given[name] for name in ("cpu", "memory", "ephemeral-storage") if name in given}
    return {name: value if isinstance(value, int) else value[:most] for name, value in known.items()}


def _status(raw: object, kind: type[S]) -> S:
    """A status without the fields that cannot be read: they are as good as never written."""
    fields = dict(_mapping(raw))
    while fields:
        try:
            return kind.model_validate(fields)
        except pydantic.ValidationError as error:
            bad = {str(entry["loc"][0]) for entry in error.errors(include_url=False) if entry["loc"]}
            kept = {key: value for key, value in fields.items() if key not in bad}
            fields = kept if len(kept) < len(fields) else {}
    return kind()


def _controller(meta: Object, group: str, kind: str) -> str:
    """The uid of the controlling owner of a kind, or ''."""
    for owner in _mappings(meta.get("ownerReferences")):
        its_group, slash, _ = _text(owner.get("apiVersion")).partition("/")
        if owner.get("controller") is True and (its_group, owner.get("kind")) == (group, kind) and slash:
            return _text(owner.get("uid"))
    return ""


def _kept(known: snapshot.JobRecord | snapshot.PodRecord | None) -> Made | None:
    """What an object was made for, as it was known before."""
    if known is None or known.unproven:
        return None
    return Made(sync_uid=known.sync_uid, attempt=known.attempt, queue=known.queue)


def _attempt(meta: Object) -> int:
    text = _strings(meta.get("labels")).get(naming.ATTEMPT_LABEL, "")
    if not text.isdecimal() or len(text) > 9:
        raise NotOurs("no attempt number")
    return int(text)


def _retry_requested(meta: Object) -> str | None:
    asked = _strings(meta.get("annotations")).get(naming.RETRY_ANNOTATION, "")
    return untrusted.clean(asked, _MOST_RETRY) or None


def _progress_key(meta: Object) -> str:
    """The key that the worker asks for; it becomes a header, so any other text counts as none."""
    key = _strings(meta.get("annotations")).get(naming.KEY_ANNOTATION, "")
    return key if key.isascii() and key.isprintable() and len(key) <= _MOST_KEY else ""


def _container_state(status: Object) -> Object:
    for container in _mappings(status.get("containerStatuses")):
        if container.get("name") == naming.WORKER_CONTAINER:
            return _mapping(container.get("state"))
    return {}


def _init_container(status: Object) -> tuple[str, int | None]:
    """The first init container that has not ended well, with its exit code if it failed.

    A native sidecar is one that only has to start.
    """
    for container in _mappings(status.get("initContainerStatuses")):
        ended = _mapping(_mapping(container.get("state")).get("terminated"))
        code = _int(ended.get("exitCode")) if ended else None
        if code != 0 and container.get("started") is not True:
            return _text(container.get("name")), code
    return "", None


def _unschedulable(condition: Object) -> str:
    if condition.get("status") == "False" and condition.get("reason") == "Unschedulable":
        return _text(condition.get("message")) or "Unschedulable"
    return ""


def _unreachable_since(conditions: dict[str, Object]) -> datetime | None:
    """When the node's controller, and not its kubelet, made a Pod unready; None for an odd readiness gate."""
    ready, containers = conditions.get("Ready", {}), conditions.get("ContainersReady", {})
    stale = ready.get("status") == "False" and containers.get("status") == "True"
    by_gate = ready.get("reason") == "ReadinessGatesNotReady"
    return timestamp(ready.get("lastTransitionTime")) if stale and not by_gate else None


def _disruption(condition: Object) -> str:
    if condition.get("status") != "True":
        return ""
    return _text(condition.get("message")) or _text(condition.get("reason")) or "disrupted"


def _is_true(condition: Object, kind: str) -> bool:
    return condition.get("type") == kind and condition.get("status") == "True"


def _mapping(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Object]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _strings(value: object) -> dict[str, str]:
    return {key: entry for key, entry in _mapping(value).items() if isinstance(entry, str)}


def _text(value: object) -> str:
    """A text of an object, cleaned; nothing else here reads one that is shown."""
    return untrusted.clean(value, 2048) if isinstance(value, str) else ""


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def timestamp(value: object) -> datetime | None:
    """A Kubernetes timestamp; None for anything else, and for the edges of the calendar."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if untrusted.is_sane(found) else None
