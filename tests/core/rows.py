"""What a row of the lifecycle's tables is: a cluster around one ModelSync, and what its user then reads."""

from dataclasses import dataclass, field

from modelsync.api import modelsync_status as api
from modelsync.api.reasons import Phase, QueueReason, Reason
from modelsync.core.cluster import snapshot
from tests.builders import JobBuilder, PodBuilder, SyncBuilder, a_failure, a_job, a_pod, a_sync, ago

Part = SyncBuilder | JobBuilder | PodBuilder | snapshot.QueueRecord
POD = "pod-llama-1"
JOB = "job-llama-1"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A cluster around the ModelSync `llama`, and what should be read of it."""

    name: str
    parts: tuple[Part, ...]
    phase: Phase
    reason: Reason
    says: str = ""
    samples: dict[str, snapshot.Sample] = field(default_factory=dict)
    problems: dict[str, snapshot.StartProblem] = field(default_factory=dict)
    queue: QueueReason | None = None
    creates: int | None = None
    deletes: bool = False


def problem(message: str, reason: str = "") -> snapshot.StartProblem:
    return snapshot.StartProblem(message=message, reason=reason)


RUNNING = (a_sync(), a_job(), a_pod().running())
WAITS = a_sync().with_status(phase=Phase.QUEUED, attempts=1, failures=1, last_failure=a_failure())
FAILED = a_sync().with_status(
    phase=Phase.FAILED,
    observed_generation=1,
    attempts=1,
    failures=1,
    last_failure=a_failure(Reason.ACCESS_DENIED),
)
DONE = a_sync().with_status(
    phase=Phase.COMPLETE, attempts=1, artifacts=(api.Artifact(path="llama", bytes=1),)
)
CHECKED = DONE.with_status(
    last_handled_retry="before",
    artifacts=(api.Artifact(path="llama", bytes=1, verified_at=ago(99), attempt=1),),
)
"""Complete, with its request before this one handled."""
ASKED = CHECKED.with_record(retry_requested="now")
CHECKING = CHECKED.with_status(phase=Phase.QUEUED, last_handled_retry="now").with_record(
    retry_requested="now"
)
"""The stored status after a request to check again, before its attempt."""
OLD = ago(61)
