"""The Job of an attempt, as a manifest.

All that a user wrote reaches the worker as one JSON document in an annotation, read through the downward API:
no shell, no argument, no environment variable is made of it. What differs between two Jobs besides that
document is names, labels, annotations and the safe subset in `spec.podTemplate`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelsync.api import naming, protocol
from modelsync.api.common import untrusted
from modelsync.api.common.quantity import parse_bytes
from modelsync.api.modelsync import ModelSyncSpec
from modelsync.api.presets import BUILT_IN, Preset
from modelsync.api.source.sources import Source
from modelsync.api.syncqueue import SyncQueueSpec
from modelsync.api.worker_pod.pod_security import PodSecurityContext
from modelsync.api.worker_pod.pod_template import Resources
from modelsync.core.cluster.snapshot import SyncRecord
from modelsync.core.jobs import allowances

_OF_THE_POD = (
    "nodeSelector",
    "tolerations",
    "affinity",
    "imagePullSecrets",
    "priorityClassName",
    "serviceAccountName",
    "runtimeClassName",
)
"""Fields of a podTemplate that are the Pod's own, by the same name."""
_GRACE_SECONDS = 30
_SCRATCH = "64Mi"
_UNBOUNDED = SyncQueueSpec()
_DEFAULT_SECURITY = PodSecurityContext(
    run_as_user=65532, run_as_group=65532, fs_group=65532, fs_group_change_policy="OnRootMismatch"
)
_DEFAULT_RESOURCES = Resources(requests={"cpu": "100m", "memory": "128Mi"}, limits={"memory": "512Mi"})

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """What the operator's configuration says about workers."""

    image: str
    image_pull_policy: str = "IfNotPresent"
    resources: Resources = _DEFAULT_RESOURCES
    """Requests and limits where a ModelSync names none."""
    security_context: PodSecurityContext = _DEFAULT_SECURITY
    """As whom workers run where a ModelSync says nothing; what is absent here as well is left to the
    namespace's admission and the image."""
    most_resources: Mapping[str, str] = field(default_factory=dict)
    """Limits where a ModelSync names a request without one; see `allowances`."""
    hub_endpoint: str | None = None
    """Hub of sources that name no endpoint; None is huggingface_hub's own default."""
    ca_config_map: str | None = None
    """ConfigMap with `ca.crt` in the ModelSync's namespace: authorities in place of the system's."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables of all workers: the proxies."""
    presets: Mapping[str, Preset] = field(default_factory=lambda: BUILT_IN)
    tuning: protocol.Tuning = field(default_factory=protocol.Tuning)
    addresses: protocol.Addresses = field(default_factory=protocol.Addresses)


def render_job(
    sync: SyncRecord, attempt: int, key: str, settings: JobSettings, queue: SyncQueueSpec = _UNBOUNDED
) -> Manifest:
    """The Job of an attempt, within what its queue allows; its name follows from sync and attempt alone."""
    labels = {
        naming.MANAGED_BY_LABEL: naming.MANAGED_BY,
        naming.NAME_LABEL: naming.label_value(sync.name),
        naming.UID_LABEL: sync.uid,
        naming.ATTEMPT_LABEL: str(attempt),
    }
    annotations = {
        naming.REQUEST_ANNOTATION: work_request(sync, attempt, settings, queue).dump_json(),
        naming.KEY_ANNOTATION: key,
    }
    spec: Manifest = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
        },
        "template": {
            "metadata": _pod_metadata(sync, labels, annotations),
            "spec": _pod(sync, settings),
        },
    }
    deadlines = [each.active_deadline_seconds for each in (sync.spec, queue)]
    if any(deadlines):
        spec["activeDeadlineSeconds"] = min(filter(None, deadlines))
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": naming.job_name(sync.name, sync.uid, attempt),
            "namespace": sync.namespace,
            "labels": labels,
            "ownerReferences": [_owner(sync)],
        },
        "spec": spec,
    }


def _pod_metadata(sync: SyncRecord, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Manifest:
    """A user's labels and annotations, and ours, which win."""
    template = sync.spec.pod_template
    return {
        "labels": {**(template.labels or {}), **labels},
        "annotations": {**(template.annotations or {}), **annotations},
    }


def work_request(
    sync: SyncRecord, attempt: int, settings: JobSettings, queue: SyncQueueSpec = _UNBOUNDED
) -> protocol.WorkRequest:
    """What the worker has to do."""
    spec = sync.spec
    # A name that is not known never comes here (`phase_checks`).
    preset = settings.presets.get(spec.preset or "", Preset())
    allow, ignore = preset.joined(spec.allow_patterns, spec.ignore_patterns)
    return protocol.WorkRequest(
        uid=sync.uid,
        namespace=sync.namespace,
        name=sync.name,
        attempt=attempt,
        source=_with_endpoint(spec.source, settings.hub_endpoint),
        allow_patterns=allow,
        ignore_patterns=ignore,
        needs=preset.needs(spec.preset, len(spec.allow_patterns)),
        sub_path=spec.target.persistent_volume_claim.sub_path,
        layout=spec.target.layout,
        engine=spec.engine,
        verification=spec.verification,
        expected_digest=spec.expected_digest,
        resolved=sync.status.resolved,
        bandwidth_limit=bandwidth_limit(spec),
        progress_deadline_seconds=spec.progress_deadline_seconds,
        minimum_rate=_rate(queue.minimum_rate),
        tuning=settings.tuning,
        addresses=settings.addresses,
    )


def bandwidth_limit(spec: ModelSyncSpec) -> int | None:
    """Bytes per second that a worker may receive; None is unlimited."""
    return _rate(spec.bandwidth_limit)


def _rate(text: str | None) -> int | None:
    """Bytes per second; a value that is none (an object older than the schema's rule) limits nothing."""
    try:
        wished = parse_bytes(text) if text is not None else None
    except ValueError:
        return None
    return None if wished is None else min(max(1, wished), untrusted.MAX_COUNT)


def _with_endpoint(source: Source, endpoint: str | None) -> Source:
    hub = source.hugging_face
    if hub is None or hub.endpoint is not None or endpoint is None:
        return source
    return source.replace(hugging_face=hub.replace(endpoint=endpoint))


def _owner(sync: SyncRecord) -> Manifest:
    # blockOwnerDeletion would need the right to update the owner's finalizers, and would only delay deletion.
    return {
        "apiVersion": naming.API_VERSION,
        "kind": naming.SYNC_KIND,
        "name": sync.name,
        "uid": sync.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _pod(sync: SyncRecord, settings: JobSettings) -> Manifest:
    template = sync.spec.pod_template
    pod: Manifest = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            **_security(sync, settings),
        },
        "containers": [_container(sync, settings)],
        "volumes": _volumes(sync, settings),
    }
    chosen = template.dump()
    for name in _OF_THE_POD:
        if chosen.get(name):
            pod[name] = chosen[name]
    return pod


def _security(sync: SyncRecord, settings: JobSettings) -> Manifest:
    """As whom the worker runs: the ModelSync's choices before the operator's."""
    return {**settings.security_context.dump(), **sync.spec.pod_template.security_context.dump()}


def _container(sync: SyncRecord, settings: JobSettings) -> Manifest:
    mounts = [
        {"name": "target", "mountPath": naming.VOLUME_DIR},
        {"name": "request", "mountPath": naming.REQUEST_DIR, "readOnly": True},
        {"name": naming.SCRATCH_VOLUME, "mountPath": "/tmp"},
    ]
    if sync.spec.source.secret_name is not None:
        mounts.append({"name": "secret", "mountPath": naming.SECRET_DIR, "readOnly": True})
    container: Manifest = {
        "name": naming.WORKER_CONTAINER,
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "args": ["worker"],
        "ports": [{"name": "progress", "containerPort": naming.WORKER_PORT}],
        "resources": _resources(sync.spec.pod_template.resources, settings),
        "terminationMessagePath": naming.TERMINATION_LOG,
        "terminationMessagePolicy": "File",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }
    variables = dict(settings.environment)
    if settings.ca_config_map is not None:
        mounts.append({"name": "authorities", "mountPath": naming.CA_DIR, "readOnly": True})
        variables["SSL_CERT_FILE"] = f"{naming.CA_DIR}/{naming.CA_FILE}"
    if variables:
        container["env"] = [{"name": name, "value": value} for name, value in variables.items()]
    return container


def _resources(wished: Resources, settings: JobSettings) -> Manifest:
    """The wished ones; a default only for what the user says nothing of, since a default request above a
    wished limit (or the other way round) would be refused."""
    own = {"requests": wished.requests or {}, "limits": wished.limits or {}}
    named = own["requests"].keys() | own["limits"].keys()
    own["limits"] = allowances.bounded(own["limits"], named, settings.most_resources)
    defaults = settings.resources
    given = {"requests": defaults.requests or {}, "limits": defaults.limits or {}}
    return {
        kind: {**{name: value for name, value in given[kind].items() if name not in named}, **own[kind]}
        for kind in own
    }


def _volumes(sync: SyncRecord, settings: JobSettings) -> list[Manifest]:
    volumes: list[Manifest] = [
        {
            "name": "target",
            "persistentVolumeClaim": {"claimName": sync.spec.target.persistent_volume_claim.claim_name},
        },
        {"name": "request", "downwardAPI": {"items": _downward()}},
        {"name": naming.SCRATCH_VOLUME, "emptyDir": {"sizeLimit": _SCRATCH}},
    ]
    if settings.ca_config_map is not None:
        authorities = {
            "name": settings.ca_config_map,
            "items": [{"key": naming.CA_FILE, "path": naming.CA_FILE}],
        }
        volumes.append({"name": "authorities", "configMap": authorities})
    name = sync.spec.source.secret_name
    if name is not None:
        group = "fsGroup" in _security(sync, settings)
        volumes.append({"name": "secret", "secret": _secret(sync, name, group=group)})
    return volumes


def _downward() -> list[Manifest]:
    return [
        {"path": path, "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}
        for path, annotation in (
            (naming.REQUEST_FILE, naming.REQUEST_ANNOTATION),
            (naming.KEY_FILE, naming.KEY_ANNOTATION),
        )
    ]


def _secret(sync: SyncRecord, name: str, *, group: bool) -> Manifest:
    """The Secret, as files for the worker's group, or for the Pod's only container where nobody knows its
    ids; of a token's Secret only that key."""
    mount: Manifest = {"secretName": name, "defaultMode": 0o440 if group else 0o444}
    hub = sync.spec.source.hugging_face
    if hub is not None and hub.secret_ref is not None:
        mount["items"] = [{"key": hub.secret_ref.key, "path": hub.secret_ref.key}]
    return mount
