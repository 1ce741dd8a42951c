"""What the planner sees: an immutable picture of the cluster at one instant.

The runtime makes these slim records from raw objects (`runtime.cluster.parsing`) and the planner turns a
Snapshot into a Plan (`core.actions`). Nothing here knows of kopf, HTTP or clocks; `now` is a value like any
other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from modelsync.api import modelsync as api
from modelsync.api import presets, protocol, syncqueue
from modelsync.api.modelsync_status import ModelSyncStatus
from modelsync.api.source.transfer import Engine
from modelsync.api.worker_pod.pod_security import MOST_ID

PROTECTED_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})
"""Kubernetes' own: a Job there may take what holds the cluster together. The chart has the same list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRecord:
    """A ModelSync, reduced to what decisions need."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    created: datetime
    spec: api.ModelSyncSpec
    """Without what only its Job is made of: files, patterns, most of podTemplate (`parsing.planned`)."""
    status: ModelSyncStatus
    retry_requested: str | None = None
    """Value of the retry annotation."""
    deleting: bool = False
    invalid: str | None = None
    """Why the object could not be read, for an object that this version does not understand."""


class JobState(StrEnum):
    """How a Job stands, from its conditions and nothing else."""

    ACTIVE = "Active"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A worker's Job."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    sync_uid: str
    attempt: int
    state: JobState
    created: datetime
    finished: datetime | None = None
    failure_reason: str = ""
    """Reason of the Failed condition, such as DeadlineExceeded or BackoffLimitExceeded."""
    deleting: bool = False
    """Being deleted, or its deletion is under way."""
    suspended: bool = False
    unproven: bool = False
    """Nothing but its own labels says that the operator made it."""
    owned: bool = True
    """Its ModelSync controls it still, so it goes with it."""
    queue: str = ""
    """The queue whose slot it took, if that is proven."""
    assumed: bool = False
    """Its creation is under way or got no answer: it may exist, but nobody has seen it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRecord:
    """A worker's Pod."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    job_uid: str
    sync_uid: str
    attempt: int
    created: datetime
    unproven: bool = False
    """Nothing but its own labels and owner says that the operator made its Job."""
    queue: str = ""
    """The queue whose slot its Job took, if that is proven."""
    phase: str = "Pending"
    """Pending, Running, Succeeded, Failed or Unknown."""
    ip: str = ""
    host_network: bool = False
    """Its network devices are those of the node, whose bytes are not the worker's. The operator asks for no
    such Pod; a webhook may make one."""
    node: str = ""
    progress_key: str = ""
    unschedulable: str = ""
    """Message of PodScheduled=False with reason Unschedulable."""
    waiting_reason: str = ""
    """Reason of the container's waiting state, such as ImagePullBackOff."""
    waiting_message: str = ""
    init_container: str = ""
    """The first init container that has not ended well; something in the cluster added it."""
    init_exit_code: int | None = None
    """Its exit code, when it failed."""
    running_since: datetime | None = None
    exit_code: int | None = None
    terminated_reason: str = ""
    """Reason of the container's terminated state, such as OOMKilled or Error."""
    termination: protocol.TerminationReport | None = None
    """The termination report, when it is ours and about this attempt."""
    finished: datetime | None = None
    status_reason: str = ""
    """`status.reason`, such as Evicted."""
    status_message: str = ""
    """`status.message`: what the node said with it."""
    disruption: str = ""
    """Message of the DisruptionTarget condition, when the platform ended the Pod."""
    deleting: bool = False
    deletion_due: datetime | None = None
    """When its grace period ends, if it is being deleted."""
    unreachable_since: datetime | None = None
    """Since when its node has not reported: Ready is false although ContainersReady is true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRecord:
    """A SyncQueue."""

    name: str
    uid: str
    generation: int
    resource_version: str
    spec: syncqueue.SyncQueueSpec
    status: syncqueue.SyncQueueStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A worker's progress report and when it was received."""

    report: protocol.ProgressReport
    received: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """For how long a worker was seen without progress."""

    seconds: float
    """Observed by this operator, while it looked."""
    answers: bool
    """Whether it still reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartProblem:
    """What the API server said about a Job or Pod that could not be made (quota, admission, FailedMount).

    Taken from failed creations and from Warning Events on our own Jobs and Pods.
    """

    message: str
    reason: str = ""
    """Reason of the Event (FailedCreate, FailedMount, …), empty for a failed creation."""
    due: datetime | None = None
    """When a failed creation may be tried again; None for an Event."""
    tries: int = 1
    """How many creations failed in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The planner's own knobs, from the operator's configuration."""

    retry_base: timedelta = timedelta(seconds=10)
    """Wait after the first failed attempt; doubled with each further one."""
    retry_cap: timedelta = timedelta(minutes=10)
    start_deadline: timedelta = timedelta(seconds=60)
    """How long an attempt may wait for its Pod to start before it gives its slot back and is retried."""
    stall_after: timedelta = timedelta(seconds=30)
    """Silence after which a download counts as stalled."""
    job_history: timedelta = timedelta(minutes=10)
    """How long a finished Job (and its Pod with its log) is kept once its result is in the status."""
    protected_namespaces: frozenset[str] = PROTECTED_NAMESPACES
    """Namespaces in which no worker starts."""
    presets: tuple[str, ...] = tuple(presets.BUILT_IN)
    """Names that spec.preset may have."""
    engines: tuple[str, ...] = tuple(Engine)
    """What spec.engine may be."""
    priority_classes: tuple[str, ...] = ()
    """Those that spec.podTemplate may name."""
    service_accounts: tuple[str, ...] = ("default",)
    runtime_classes: tuple[str, ...] = ()
    """Likewise."""
    ids: tuple[tuple[int, int], ...] = ((1, MOST_ID),)
    """First and last of the ranges of uids and gids that spec.podTemplate may name."""
    most_resources: Mapping[str, str] = field(default_factory=dict)
    """Most of cpu, memory and ephemeral-storage that spec.podTemplate may request or have as a limit."""
    configuration_problem: str | None = None
    """Why the operator's configuration is refused, so that an earlier one acts."""
    downloads_disabled: bool = False
    """No attempt may start; those that run go on."""
    exact_positions: int = 20
    """So many positions of a queue are given exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a plan may depend on."""

    now: datetime
    syncs: Mapping[str, SyncRecord]
    """By uid."""
    jobs: tuple[JobRecord, ...] = ()
    """All our Jobs, with those that may exist but were not seen yet (assumptions)."""
    pods: tuple[PodRecord, ...] = ()
    queues: Mapping[str, QueueRecord] = field(default_factory=dict)
    """By name; only those of the operator's namespace."""
    samples: Mapping[str, Sample] = field(default_factory=dict)
    """The last sample by Pod uid."""
    silences: Mapping[str, Silence] = field(default_factory=dict)
    """By Pod uid; only those of workers that reported once and get on no more."""
    problems: Mapping[str, StartProblem] = field(default_factory=dict)
    """By Job uid or Pod uid, or by ModelSync uid for a failed creation."""
    troubles: Mapping[tuple[str, str], StartProblem] = field(default_factory=dict)
    """By namespace and queue: creations there got no answer or a server's error (see `admission`)."""
    last_pods: Mapping[str, PodRecord] = field(default_factory=dict)
    """The last state of a Pod that has gone a moment ago with its termination report, by ModelSync uid."""
    settings: Settings = field(default_factory=Settings)
