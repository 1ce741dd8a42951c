"""The closed vocabularies: phases, reasons, stages.

Conditions, Events, metric labels, exit codes and the troubleshooting page all use these same words, so
that a user who has seen a reason once can search for it anywhere. A reason is never free text: what
differs from case to case stands in the message beside it.
"""

from enum import StrEnum


class Phase(StrEnum):
    """Where a ModelSync stands, in one word for people (derived from the conditions)."""

    QUEUED = "Queued"
    DOWNLOADING = "Downloading"
    VERIFYING = "Verifying"
    COMPLETE = "Complete"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    PAUSED = "Paused"


ACTIVE_PHASES = frozenset({Phase.DOWNLOADING, Phase.VERIFYING})
TERMINAL_PHASES = frozenset({Phase.COMPLETE, Phase.FAILED, Phase.CANCELLED})


class Reason(StrEnum):
    """Why a ModelSync is where it is; CamelCase as Kubernetes' API conventions ask."""

    # Where it stands.
    QUEUED = "Queued"
    STARTING = "Starting"
    STOPPING = "Stopping"
    RESOLVING = "Resolving"
    CHECKING = "Checking"
    DOWNLOADING = "Downloading"
    VERIFYING = "Verifying"
    BACKING_OFF = "BackingOff"
    SYNCED = "Synced"
    PAUSED = "Paused"
    CANCELLED = "Cancelled"
    # The network and the origin, worth another attempt.
    RETRYING = "Retrying"
    DOWNLOAD_STALLED = "DownloadStalled"
    DOWNLOAD_TOO_SLOW = "DownloadTooSlow"
    NETWORK_ERROR = "NetworkError"
    RATE_LIMITED = "RateLimited"
    ORIGIN_ERROR = "OriginError"
    # The source is wrong: only the user can fix it.
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    ACCESS_DENIED = "AccessDenied"
    NOT_FOUND = "NotFound"
    REVISION_NOT_FOUND = "RevisionNotFound"
    NOTHING_MATCHED = "NothingMatched"
    UNSAFE_PATH = "UnsafePath"
    INVALID_SPEC = "InvalidSpec"
    DOWNLOADS_DISABLED = "DownloadsDisabled"
    ADDRESS_FORBIDDEN = "AddressForbidden"
    # The bytes are not what was promised.
    CHECKSUM_MISMATCH = "ChecksumMismatch"
    SIZE_MISMATCH = "SizeMismatch"
    SOURCE_CHANGED = "SourceChanged"
    # Volume and Secret.
    INSUFFICIENT_STORAGE = "InsufficientStorage"
    VOLUME_NOT_FOUND = "VolumeNotFound"
    VOLUME_NOT_WRITABLE = "VolumeNotWritable"
    SECRET_NOT_FOUND = "SecretNotFound"
    TARGET_BUSY = "TargetBusy"
    UNFINISHED_FILES_LEFT = "UnfinishedFilesLeft"
    # The worker's Pod and Job.
    WORKER_UNSCHEDULABLE = "WorkerUnschedulable"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    WORKER_OOM_KILLED = "WorkerOOMKilled"
    WORKER_EVICTED = "WorkerEvicted"
    WORKER_LOST = "WorkerLost"
    NODE_LOST = "NodeLost"
    JOB_REJECTED = "JobRejected"
    NAME_CONFLICT = "NameConflict"
    FOREIGN_WORKER = "ForeignWorker"
    NAMESPACE_PROTECTED = "NamespaceProtected"
    # Time limits.
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    INTERRUPTED = "Interrupted"
    REPORT_MISSING = "ReportMissing"
    INTERNAL_ERROR = "InternalError"


class QueueReason(StrEnum):
    """Why a ModelSync waits in its queue."""

    CONCURRENCY_LIMIT = "ConcurrencyLimit"
    NAMESPACE_LIMIT = "NamespaceLimit"
    SUSPENDED = "Suspended"
    QUEUE_NOT_FOUND = "QueueNotFound"
    DUPLICATE = "Duplicate"
    BACK_OFF = "BackOff"
    DOWNLOADS_DISABLED = "DownloadsDisabled"


class Stage(StrEnum):
    """What a worker is doing, in the order in which it does it."""

    RESOLVING = "Resolving"
    """Listing the source's files."""
    CHECKING = "Checking"
    """Hashing what is on the volume already."""
    DOWNLOADING = "Downloading"
    """The only stage that can stall."""
    VERIFYING = "Verifying"
    """All bytes are there; the last checksums are computed."""
    PUBLISHING = "Publishing"
    DONE = "Done"


class Layer(StrEnum):
    """Where a progress figure comes from, the best first."""

    ENGINE = "Engine"
    FILES = "Files"
    NETWORK = "Network"


class ConditionType(StrEnum):
    """Types of conditions; the first three are kstatus' vocabulary."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    PROGRESSING = "Progressing"
    CONFIGURATION_REFUSED = "ConfigurationRefused"


class SourceKind(StrEnum):
    """Label value for the kind of source, in metrics and in `kubectl get -o wide`."""

    HUGGING_FACE = "huggingFace"
    S3 = "s3"
    HTTP = "http"
