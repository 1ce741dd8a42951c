"""The ModelSync resource: the single source of the CRD's schema, its validation and its documentation.

Field docstrings become `kubectl explain`; `json_schema_extra` carries CEL. A field stands here only when
something reads it.
"""

from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from modelsync.api.common import quantity_fields
from modelsync.api.common.base import Value
from modelsync.api.common.quantity import LEAST_RATE, RATE_RULE
from modelsync.api.common.validations import cel, immutable, immutable_optional, rules
from modelsync.api.conditions import Condition
from modelsync.api.reasons import Layer, Phase, QueueReason, Reason, Stage
from modelsync.api.source import hub_cache
from modelsync.api.source.selection import Estimate, ManifestDigest, Patterns, PresetName
from modelsync.api.source.sources import DNS_LABEL, DNS_SUBDOMAIN, RELATIVE_PATH, RELATIVE_PATH_FIX, Source
from modelsync.api.source.transfer import Engine, Layout, Resolved, Verification, VerifiedBy
from modelsync.api.worker_pod.pod_template import PodTemplate
from modelsync.api.worker_pod.status import JobReference, WorkerStatus

_ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}


class ClaimTarget(Value):
    """An existing PersistentVolumeClaim in the ModelSync's namespace."""

    claim_name: Annotated[
        str,
        Field(
            max_length=253,
            json_schema_extra=rules(
                cel(
                    DNS_SUBDOMAIN,
                    "must be the name of a PersistentVolumeClaim in this namespace: lower case letters,"
                    " digits, '-' and '.'",
                )
            ),
        ),
    ]
    """Name of the claim. It may be bound later: a WaitForFirstConsumer claim is bound by the worker."""
    sub_path: Annotated[
        str,
        Field(
            max_length=500,
            json_schema_extra=rules(cel("self == '' || " + RELATIVE_PATH, RELATIVE_PATH_FIX)),
        ),
    ] = ""
    """Directory within the volume that receives the files; the volume's root when empty. It is created
    when missing. Nothing outside it is touched."""


class Target(Value):
    """Where the files go. Cannot be changed."""

    persistent_volume_claim: ClaimTarget
    """An existing claim in the ModelSync's namespace."""
    layout: Layout = Layout.DIRECTORY
    """Directory: the files under their own names, ready for any program. HuggingFaceCache: the cache of
    Hugging Face's libraries, so that a Pod that mounts the directory as HF_HOME loads the repository by its
    name; for huggingFace sources only."""


class ModelSyncSpec(Value):
    """What to sync, where to, and how."""

    model_config = Value.model_config | {
        "json_schema_extra": rules(
            immutable_optional("allowPatterns"),
            immutable_optional("ignorePatterns"),
            immutable_optional("preset"),
            immutable_optional("expectedDigest"),
            cel(
                "self.target.layout != 'HuggingFaceCache' || has(self.source.huggingFace)",
                "HuggingFaceCache is the layout of a Hub repository: use Directory, or name a"
                " source.huggingFace",
                field=".target.layout",
            ),
            cel(
                "self.engine != 'HuggingFaceHub' || has(self.source.huggingFace)",
                "HuggingFaceHub fetches from a Hub only: use Native or HFTransfer, or name a"
                " source.huggingFace",
                field=".engine",
            ),
            cel(
                "self.engine == 'Native' || !has(self.bandwidthLimit)",
                "only the engine Native keeps a limit: leave out bandwidthLimit or use Native",
                field=".bandwidthLimit",
            ),
        )
    }

    source: Source
    """Where the files come from: exactly one of huggingFace, s3 and http."""
    allow_patterns: Patterns = ()
    """Only files whose path matches one of these shell patterns (`*.safetensors`, `onnx/`) are synced;
    all when empty. `*` also matches '/', a '/' at the end means all below, and `**/` any directories or none.
    Cannot be changed."""
    ignore_patterns: Patterns = ()
    """Files whose path matches one of these shell patterns are left out; this wins over allowPatterns.
    Cannot be changed."""
    preset: PresetName | None = None
    """Only the files that a family of models needs: safetensors, onnx, diffusers, gguf-q4-k-m (and other
    quantisations), wd-v3-tagger, jtp-pilot2, and what the operator's configuration adds. A preset's lists are
    added to allowPatterns and ignorePatterns. Cannot be changed."""
    estimate: Estimate | None = None
    """What the source is assumed to hold; progress counts against it, marked with `~`, until the source
    is listed."""
    expected_digest: ManifestDigest | None = None
    """The status.resolved.manifestDigest that the source must have, over the paths, sizes and checksums of
    all chosen files. Another one fails the sync before the first byte. Cannot be changed."""
    target: Annotated[Target, Field(json_schema_extra=rules(immutable()))]
    """Where the files go. Cannot be changed."""
    queue: Annotated[
        str,
        Field(
            max_length=63,
            json_schema_extra=rules(
                cel(
                    DNS_LABEL,
                    "must be the name of a SyncQueue: lower case letters, digits and '-'",
                )
            ),
        ),
    ] = "default"
    """Name of the SyncQueue (in the operator's namespace) that admits this sync."""
    priority: Annotated[int, Field(ge=-1000, le=1000, json_schema_extra={"format": "int32"})] = 0
    """Higher goes first within the queue, up to the queue's maxPriority. Among equal ones namespaces take
    turns, and those of one namespace go in the order of their creation."""
    group: Annotated[
        str | None,
        Field(
            max_length=63,
            json_schema_extra=rules(
                cel(
                    r"self != '' && !self.matches('[\\x00-\\x1f\\x7f]')",
                    "must be a name such as text-encoders, without control characters",
                )
            ),
        ),
    ] = None
    """Name under which lists show this sync together with others, with the sums of all of them; those without
    one are shown by their namespace. It decides nothing. Can be changed at any time."""
    suspend: bool = False
    """True pauses: the worker is stopped and keeps what it has; false goes on from there."""
    cancel: bool = False
    """True cancels: the worker is stopped and the sync counts as finished until this is false again."""
    bandwidth_limit: Annotated[
        str | None, quantity_fields.AsText, quantity_fields.at_least(f"{LEAST_RATE // 1000}k", RATE_RULE)
    ] = None
    """Bytes per second that the worker may receive, such as `500M` or `1Gi`; unlimited when absent. Can be
    changed while the sync runs."""
    backoff_limit: Annotated[int, Field(ge=0, le=100, json_schema_extra={"format": "int32"})] = 5
    """How many attempts in a row may fail without progress before the sync is Failed. Errors that only a
    user can fix fail at once. An attempt whose worker could not start does not count."""
    active_deadline_seconds: Annotated[int | None, Field(ge=1, le=31_536_000)] = None
    """Longest time in seconds that one attempt may run; unlimited when absent."""
    progress_deadline_seconds: Annotated[int, Field(ge=10, le=86_400)] = 600
    """An attempt that makes no progress for so many seconds is ended and counts as failed. Progress is what
    the stage at hand is for: entries of the listing, bytes read while it checks or verifies, bytes received,
    files published. A listing as a whole may take an hour, or ten times this if that is longer."""
    verification: Verification = Verification.CHECKSUM
    """Checksum: every file of which the source has a checksum is compared with it, and its SHA-256 is
    recorded. Size: only the sizes are compared."""
    engine: Engine = Engine.NATIVE
    """What fetches the files. Native: modelsync's own, which resumes any file and keeps bandwidth limits.
    HFTransfer: the library hf_transfer. HuggingFaceHub: the library huggingface_hub, with Xet where the Hub
    offers it; for huggingFace sources only. What any of them fetched is verified and published alike."""
    pod_template: PodTemplate = PodTemplate()
    """Where the worker runs and with what resources."""

    @property
    def target_dir(self) -> tuple[str, str]:
        """The claim and the directory in it that this sync writes: its identity among writers."""
        claim, hub = self.target.persistent_volume_claim, self.source.hugging_face
        if self.target.layout is Layout.HUGGING_FACE_CACHE and hub is not None:
            return claim.claim_name, hub_cache.repository_directory(claim.sub_path, hub)
        return claim.claim_name, claim.sub_path

    def published_at(self, revision: str | None) -> str:
        """The directory of the claim in which a revision's files have their own names; "/" for its root."""
        directory = self.target_dir[1]
        if self.target.layout is Layout.HUGGING_FACE_CACHE and revision is not None:
            return hub_cache.snapshot_directory(directory, revision)
        return directory or "/"


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
    """Bytes of them that are on the volume, whoever fetched them."""
    bytes_network: int | None = None
    """Payload bytes that came over the network for this sync, over all attempts. What was fetched again
    counts again. After a worker was killed, its next attempt's first report adds what the status missed."""
    bytes_reused: int | None = None
    """Bytes that lay on the volume before this sync began and are used in place of fetching. What its own
    earlier attempts fetched is none of them."""
    files_total: int | None = None
    """Number of files."""
    files_done: int | None = None
    """Number of files that are complete."""
    current_file: str | None = None
    """The file that is being fetched."""
    percent: Annotated[int | None, Field(ge=0, le=100)] = None
    """Whole per cent of bytesTotal, rounded down: 100 only when all bytes are there."""
    estimated: bool | None = None
    """True while bytesTotal or filesTotal is spec.estimate and not what the source reported."""
    bytes_per_second: int | None = None
    """Speed, averaged over the last 20 seconds, or longer where the engine delivers more seldom."""
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


class ModelSync(Value):
    """Puts a model from the Hugging Face Hub, S3 or HTTPS onto a volume, and shows its progress."""

    api_version: str = ""
    kind: str = ""
    metadata: dict[str, Any] = Field(default_factory=dict)
    spec: ModelSyncSpec
    """What to sync, where to, and how."""
    status: ModelSyncStatus = ModelSyncStatus()
    """What the operator has seen and decided; written by the operator only."""
