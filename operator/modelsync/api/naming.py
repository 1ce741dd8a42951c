"""Names that tie objects together: the API group, labels, annotations, Jobs, paths in the worker's Pod.

Safety rests on these names (a Job's name is a function of the sync and the attempt, so that two
operators cannot start one attempt twice), so they are made in one place.
"""

GROUP = "modelsync.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
SYNC_KIND, SYNC_PLURAL = "ModelSync", "modelsyncs"
QUEUE_KIND, QUEUE_PLURAL = "SyncQueue", "syncqueues"

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "modelsync"
NAME_LABEL = f"{GROUP}/name"
"""The ModelSync's name, cut to a label's 63 characters: for people and selectors, not for identity."""
UID_LABEL = f"{GROUP}/uid"
ATTEMPT_LABEL = f"{GROUP}/attempt"

RETRY_ANNOTATION = f"{GROUP}/retry-requested-at"
REQUEST_ANNOTATION = f"{GROUP}/work-request"
"""On the worker's Pod: the work request as one JSON document, read through the downward API."""
KEY_ANNOTATION = f"{GROUP}/progress-key"
"""On the worker's Pod: the key that `/progress` and `/limit` of this attempt ask for."""
PROOF_ANNOTATION = f"{GROUP}/proof"
"""On the worker's Job and Pod: for whom the operator made it, with a keyed hash
(`runtime.cluster.job_signatures`)."""
PROOF_KEY_ANNOTATION = f"{GROUP}/proof-key"
"""On the operator's Lease: the key of these hashes."""

FIELD_MANAGER = "modelsync-operator"
LEASE_NAME = "modelsync-operator"
WORKER_CONTAINER = "worker"
SCRATCH_VOLUME = "scratch"
"""The worker's `/tmp`."""
WORKER_PORT = 8081
METRICS_PORT = 8080
HEALTH_PORT = 8082
HISTORY_PORT = 8083
HISTORY_PATH = "/history"
HISTORY_AUDIENCE = "history.modelsync.dev"
"""For whom the token is by which the page's server proves itself to the operator: for nobody else."""
KEY_HEADER = "X-Modelsync-Key"

VOLUME_DIR = "/volume"
"""Where the worker sees the root of the claim; the sync's subPath is below it."""
REQUEST_DIR, REQUEST_FILE, KEY_FILE = "/etc/modelsync", "request.json", "key"
SECRET_DIR = "/var/run/modelsync/secret"
"""Where the source's Secret is mounted, a file a key."""
CA_DIR, CA_FILE = "/etc/modelsync-ca", "ca.crt"
"""Where a ConfigMap with CA certificates is mounted, if the operator names one."""
TERMINATION_LOG = "/dev/termination-log"

STATE_DIR = ".modelsync"
"""Our only reserved name inside a target directory."""
MANIFEST_FILE = "manifest.json"

_JOB_PREFIX_MAX = 40


def job_name(name: str, uid: str, attempt: int) -> str:
    """The Job of an attempt: `<name ≤ 40>-<uid[:6]>-<attempt>`, a valid Pod name prefix below 63."""
    prefix = name[:_JOB_PREFIX_MAX].replace(".", "-").rstrip("-")
    return f"{prefix}-{uid[:6]}-{attempt}"


def label_value(name: str) -> str:
    """An object's name as a label value: cut to 63 characters that end in a letter or digit."""
    return name[:63].rstrip("-._")
