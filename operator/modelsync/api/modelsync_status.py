"""What a ModelSync's status says: phase, progress, place in the queue, failures, what was published.

Apart from the spec, since everything that decides reads one and writes the other. Field docstrings become
`kubectl explain` here too.
"""

from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from modelsync.api.common.base import Value
from modelsync.api.conditions import Condition
from modelsync.api.reasons import Layer, Phase, QueueReason, Reason, Stage
from modelsync.api.source.transfer import Resolved, VerifiedBy
from modelsync.api.worker_pod.status import JobReference, WorkerStatus

_ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
MAX_ACTIVE_FILES = 8
MAX_PATH = 160
"""Characters of an active file's path. As JSON, in which a character has up to 6 bytes, all active files are
at most 8.3 kB of an object; with paths as the Hub has them they are 0.8 kB."""


class StageStatus(Value):
    """How far the worker's present stage is; an absent field is unknown."""

    files_done: int | None = None
    """Files listed or asked for (Resolving), looked at (Checking) or published (Publishing)."""
    files_total: int | None = None
    """Of so many."""
    bytes_done: int | None = None
    """Bytes looked at (Checking) or hashed (Verifying)."""
    bytes_total: int | None = None
    """Of so many."""


class RetryStatus(Value):
    """A request that is tried again inside the running attempt."""

    message: Annotated[str, Field(max_length=300)]
    """What failed."""
    tries: int
    """How many of its tries have failed in a row; 0 while only waits passed that the origin asked for."""
    most_tries: int
    """Of so many, the last of which ends the attempt."""
    next_time: AwareDatetime | None = None
    """When the next one is; the origin's own time where reason RateLimited says so."""


class FileStatus(Value):
    """A file that is being fetched."""

    path: Annotated[str, Field(max_length=MAX_PATH)]
    """Its path in the source; of a longer one the end."""
    bytes_done: int
    """Bytes of it that are on the volume."""
    bytes_total: int | None = None
    """Its size; absent while unknown."""


class NetworkStatus(Value):
    """Rates of network devices, headers and retransmissions included."""

    receive_bytes_per_second: int
    """Bytes received per second."""
    transmit_bytes_per_second: int
    """Bytes sent per second."""


class ProgressStatus(Value):
    """Machine-readable progress; an absent field is unknown."""

    stage: Stage | None = None
    """What the worker is doing: Resolving (listing the source), Checking (hashing what is on the volume),
    Downloading, Verifying, Publishing or Done; absent when none runs. More may follow."""
    stage_progress: StageStatus | None = None
    """How far that stage is, where it is not the download."""
    retrying: RetryStatus | None = None
    """What is being tried again; absent as soon as something comes."""

    bytes_total: int | None = None
    """Size of all files in bytes."""
    bytes_done: int | None = None
    """Bytes of them that are on the volume, no matter who fetched them."""
    bytes_network: int | None = None
    """Payload bytes that came over the network for this sync, over all attempts. What was fetched again
    counts again. After a worker was killed, its next attempt's first report adds what the status missed."""
    bytes_reused: int | None = None
    """Bytes that were on the volume before this sync began and are used in place of fetching. What its own
    earlier attempts fetched is none of them."""
    files_total: int | None = None
    """Number of files."""
    files_done: int | None = None
    """Number of files that are complete."""
    current_file: str | None = None
    """The file that is being fetched."""
    active_files: (
        Annotated[tuple[FileStatus, ...], Field(max_length=MAX_ACTIVE_FILES, json_schema_extra=_ATOMIC)]
        | None
    ) = None
    """Up to 8 of the files that are being fetched, the oldest first; absent when none is. It is written with
    the other figures and never by itself, so it is as old as they are."""
    percent: Annotated[int | None, Field(ge=0, le=100)] = None
    """Whole per cent of bytesTotal, rounded down: 100 only when all bytes are there."""
    estimated: bool | None = None
    """True while bytesTotal or filesTotal is spec.estimate and not what the source reported."""
    bytes_per_second: int | None = None
    """Speed, averaged over the last 20 seconds, or longer where the engine delivers more seldom."""
    network: NetworkStatus | None = None
    """What the worker Pod's network devices carry, averaged over 10 seconds; absent until known. Like
    activeFiles, it is written with the other figures and never by itself."""
    estimated_completion_time: AwareDatetime | None = None
    """When the download ends if the speed holds; absent until known."""
    layer: Layer | None = None
    """Where the figures come from: Engine (exact), Files (sizes on the volume) or Network (counters)."""
    observed_time: AwareDatetime | None = None
    """When the worker reported these figures. Reports with equal figures do not renew it; a running download
    whose time is old is one that the operator does not hear of."""


class Display(Value):
    """Progress as text for people and for `kubectl get`; not for parsing."""

    progress: str | None = None
    """Per cent, such as `45.2%`."""
    amount: str | None = None
    """Bytes done of all, such as `1.8GB/4.0GB ~ 45.2%`."""
    speed: str | None = None
    """Speed, such as `182MB/s`."""
    eta: str | None = None
    """Time left, such as `3m 20s`."""
    stage: str | None = None
    """What the worker is doing and how far it is, such as `Checking 12 of 40 files, 30.1GB of 100GB`."""
    size: str | None = None
    """Size of all files, such as `4.0GB`."""
    source: str | None = None
    """The source, such as `hf://org/name@main`."""
    target: str | None = None
    """The target, such as `pvc/models:llama`."""


class QueueStatus(Value):
    """Where a waiting sync stands in its queue; absent when it does not wait."""

    name: str
    """The queue."""
    position: int | None = None
    """1 for the next one; exact for the first 20, absent beyond."""
    reason: QueueReason
    """Why it waits."""
    since: AwareDatetime | None = None
    """Since when it waits."""


class LastFailure(Value):
    """The failure of the last attempt that failed; cleared when the sync completes."""

    reason: Reason
    """One word of the closed vocabulary of reasons."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """What happened and what fixes it."""
    time: AwareDatetime | None = None
    """When the attempt ended."""
    attempt: int | None = None
    """Which attempt it was."""
    bytes_done: int | None = None
    """Progress at that time: an attempt that got further resets the count of failures."""


class Artifact(Value):
    """A published set of files."""

    revision: str | None = None
    """The revision that the files come from."""
    path: str
    """Directory within the volume."""
    bytes: int
    """Size in bytes."""
    verified_at: AwareDatetime | None = None
    """When the last file was verified: by the attempt that published the files, or by the last check of them
    that found or made them whole."""
    attempt: int | None = None
    """The attempt that verified them."""
    verified_by: Annotated[VerifiedBy, Field(json_schema_extra={"maxProperties": 24})] | None = None
    """How many of its files were compared with what: the names of checksums as in the manifest, or `size`."""
    current: bool = True
    """Whether this is the set to use."""


class ModelSyncStatus(Value):
    """What the operator has seen and decided."""

    observed_generation: int | None = None
    """The metadata.generation that this status was made for."""
    phase: Phase | None = None
    """Queued, Downloading, Verifying, Complete, Failed, Cancelled or Paused. More may follow: programs
    should read the conditions."""
    attempts: int | None = None
    """How many attempts were started."""
    job: JobReference | None = None
    """The Job of the last attempt, also when it is gone. Only what this Job does counts as that attempt."""
    failures: int | None = None
    """How many attempts in a row failed without progress; compared with spec.backoffLimit."""
    next_retry_time: AwareDatetime | None = None
    """When the next attempt may start."""
    last_handled_retry: Annotated[str | None, Field(max_length=256)] = None
    """The value of the annotation modelsync.dev/retry-requested-at that was acted on last. A new value asks
    for another attempt: of a sync that failed or waits for its retry, at once; of a Complete one, to check
    the files on the volume and to fetch what is missing or wrong, at the same revision. Ready is False
    meanwhile, and a further value waits for the end of the check."""
    start_time: AwareDatetime | None = None
    """When the first attempt started."""
    completion_time: AwareDatetime | None = None
    """When the sync became Complete the last time; absent while it is not, as during another check."""
    resolved: Resolved | None = None
    """What the source turned out to hold."""
    progress: ProgressStatus | None = None
    """Progress as numbers."""
    display: Display | None = None
    """Progress as text."""
    queue: QueueStatus | None = None
    """Place in the queue while it waits."""
    last_failure: LastFailure | None = None
    """The last failure."""
    artifacts: Annotated[tuple[Artifact, ...], Field(max_length=16, json_schema_extra=_ATOMIC)] = ()
    """What was published. Stays during another check, and when that fails: verifiedAt is the time of the last
    success."""
    worker: WorkerStatus | None = None
    """The running worker."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=8,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = ()
    """Ready, Reconciling, Stalled and Progressing; `kubectl wait --for=condition=Ready` works."""

    def was_verified_by(self, attempt: int) -> bool:
        """Whether an attempt is the one that verified the artifact."""
        return any(artifact.attempt == attempt for artifact in self.artifacts)

    def has_result_of(self, attempt: int) -> bool:
        """Whether an attempt's failure or success is the last one recorded here."""
        failed = self.last_failure is not None and self.last_failure.attempt == attempt
        # An artifact of an older operator does not say whose it is.
        complete = self.phase is Phase.COMPLETE and self.attempts == attempt
        return failed or complete or self.was_verified_by(attempt)
