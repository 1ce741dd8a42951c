"""The ModelSync resource and its spec: the source of the CRD's schema, its validation and its documentation.

The status is in `modelsync_status`. Field docstrings become `kubectl explain`; `json_schema_extra` carries
CEL. A field stands here only when something reads it.
"""

from typing import Annotated, Any

from pydantic import Field

from modelsync.api.common import quantity_fields
from modelsync.api.common.base import Value
from modelsync.api.common.quantity import LEAST_RATE, RATE_RULE
from modelsync.api.common.validations import cel, immutable, immutable_optional, rules
from modelsync.api.modelsync_status import ModelSyncStatus
from modelsync.api.source import hub_cache
from modelsync.api.source.selection import Estimate, ManifestDigest, Patterns, PresetName
from modelsync.api.source.sources import DNS_LABEL, DNS_SUBDOMAIN, RELATIVE_PATH, RELATIVE_PATH_FIX, Source
from modelsync.api.source.transfer import Engine, Layout, Verification
from modelsync.api.worker_pod.pod_template import PodTemplate


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


class ModelSync(Value):
    """Puts a model from the Hugging Face Hub, S3 or HTTPS onto a volume, and shows its progress."""

    api_version: str = ""
    kind: str = ""
    metadata: dict[str, Any] = Field(default_factory=dict)
    spec: ModelSyncSpec
    """What to sync, where to, and how."""
    status: ModelSyncStatus = ModelSyncStatus()
    """What the operator has seen and decided; written by the operator only."""
