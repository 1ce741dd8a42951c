"""The documents that operator and worker exchange.

    operator ── WorkRequest (Pod annotation, downward API) ─► worker
    operator ◄─ ProgressReport (GET /progress) ───────────── worker
    operator ── LimitRequest (PUT /limit) ─────────────────► worker
    operator ◄─ TerminationReport (termination message) ──── worker
    worker   ── Manifest (file on the volume) ─────────────► who reads the model

A report is hostile input to the operator: numbers are bounded here, strings are bounded and cleaned
(`untrusted`), or of closed vocabularies where they reach a status. The termination report is the final truth
about an attempt; progress reports only make it visible.
"""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import AwareDatetime, Field

from modelsync.api.common.base import Value
from modelsync.api.common.untrusted import MAX_COUNT, Cause, Count, PathText, Text
from modelsync.api.presets import Needs
from modelsync.api.reasons import Layer, Reason, Stage
from modelsync.api.source.sources import Source
from modelsync.api.source.transfer import Engine, Layout, Resolved, Verification, VerifiedBy

WIRE_VERSION = 1
MAX_PROGRESS_BYTES = 64 * 1024
MAX_TERMINATION_BYTES = 4096
MAX_FILES_REPORTED = 20

AddressBlock = IPv4Network | IPv6Network


class Tuning(Value):
    """How hard the engine works; set by the operator's configuration."""

    connections: Annotated[int, Field(ge=1, le=64)] = 8
    """Most connections at once."""
    chunk_bytes: Annotated[int, Field(ge=64 * 1024, le=2**30)] = 8 * 1024 * 1024
    """Bytes a connection fetches between two entries of the journal: what a crash costs a connection."""
    max_retries: Annotated[int, Field(ge=0, le=1000)] = 5
    """Retries in a row without a new byte before a request counts as failed."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Longest wait for a connection or for the next bytes."""


class Addresses(Value):
    """CIDR blocks that bound what a worker connects to, beside the blocks that it never does; set by the
    operator's configuration."""

    allowed: tuple[AddressBlock, ...] = ()
    """These may be reached whatever else forbids it."""
    denied: tuple[AddressBlock, ...] = ()


class WorkRequest(Value):
    """What a worker has to do: one JSON document, so that no field ever meets a shell."""

    version: int = WIRE_VERSION
    uid: str
    """The ModelSync's uid."""
    namespace: str
    name: str
    attempt: int
    source: Source
    """The source with its endpoint filled in; the Secret itself is mounted, see `naming.SECRET_DIR`."""
    allow_patterns: tuple[str, ...] = ()
    ignore_patterns: tuple[str, ...] = ()
    needs: Needs | None = None
    """What must be among the files that the patterns choose."""
    sub_path: str = ""
    """Target directory, relative to the volume's root."""
    layout: Layout = Layout.DIRECTORY
    engine: Engine = Engine.NATIVE
    verification: Verification = Verification.CHECKSUM
    expected_digest: str | None = None
    """The manifest digest that the source must have."""
    resolved: Resolved | None = None
    """What an earlier attempt resolved: the revision to stay on."""
    bandwidth_limit: Count | None = None
    """Bytes per second; None is unlimited."""
    progress_deadline_seconds: int = 600
    minimum_rate: Count | None = None
    """Bytes per second below which the queue has a download ended; see SyncQueueSpec."""
    tuning: Tuning = Tuning()
    addresses: Addresses = Addresses()


class FileProgress(Value):
    """Progress of one file that is being fetched."""

    path: PathText
    bytes_done: Count
    bytes_total: Count | None = None


class DeviceCounters(Value):
    """Bytes of one network device since the Pod started, from /proc/net/dev."""

    device: Annotated[str, Field(max_length=32, pattern=r"^[A-Za-z0-9_.@:-]+$")]
    receive_bytes: Count
    transmit_bytes: Count


class NetworkRate(Value):
    """Bytes per second of the Pod's network devices, with headers and what was sent again."""

    receive_bytes_per_second: Count
    transmit_bytes_per_second: Count


class VolumeSpace(Value):
    """Space of the target's file system, from statvfs."""

    capacity_bytes: Count
    available_bytes: Count


class Progress(Value):
    """How far an attempt is. `0 ≤ bytesDone ≤ bytesTotal`; absent means unknown."""

    bytes_total: Count | None = None
    bytes_done: Count = 0
    """Bytes on the volume that belong to the result, fetched now or before."""
    bytes_network: Count = 0
    """Payload bytes that this process received: of bodies, without headers and retransmissions, as read from
    its sockets. What is fetched again counts again; what an origin sent into a connection that broke, and
    that never arrived, does not."""
    bytes_network_before: Count | None = None
    """The same of all earlier attempts of this sync, by the record on the volume, so that it holds what a
    killed one received, too; None until the volume is open."""
    bytes_reused: Count | None = None
    """Bytes that were on the volume before this sync began and are used in place of fetching; what its own
    earlier attempts fetched is none of them, and content under two paths counts once. None until all files
    were looked at."""
    files_total: Count | None = None
    files_done: Count = 0
    current_file: PathText | None = None
    bytes_per_second: Count | None = None
    """Rolling average over the last 5 samples, a window of about 20 s; 0 when bytes stopped, None until bytes
    came for 1.5 s."""
    layer: Layer = Layer.ENGINE


class StageProgress(Value):
    """How far the present stage is, in figures of its own; absent means unknown.

    Resolving: files listed, then files asked for of those listed. Checking: files looked at, and bytes of
    them (a file that is not there counts as looked at). Verifying: bytes hashed by this attempt. Publishing:
    files. Downloading has none: `Progress` has it.
    """

    files_done: Count | None = None
    files_total: Count | None = None
    bytes_done: Count | None = None
    bytes_total: Count | None = None


class Retrying(Value):
    """What is being tried again, while nothing comes."""

    cause: Cause
    """What failed; never a URL's query, never a token."""
    tries: Count
    """How many tries of this request have failed in a row."""
    most: Count
    """Of so many, the last of which ends the attempt."""
    next_seconds: Annotated[float, Field(ge=0, le=1e9)]
    """Time to the next try."""
    asked: bool = False
    """Whether the origin named that time: it limits the rate of requests."""


class ProgressReport(Value):
    """The answer to `GET /progress`; at most MAX_PROGRESS_BYTES of JSON."""

    version: int = WIRE_VERSION
    uid: str
    attempt: int
    stage: Stage
    stage_progress: StageProgress = StageProgress()
    progress: Progress = Progress()
    resolved: Resolved | None = None
    files: Annotated[tuple[FileProgress, ...], Field(max_length=MAX_FILES_REPORTED)] = ()
    """The files being fetched."""
    devices: Annotated[tuple[DeviceCounters, ...], Field(max_length=16)] = ()
    network: NetworkRate | None = None
    """Of all devices, averaged over the last 10 s; None until known."""
    volume: VolumeSpace | None = None
    retries: Count = 0
    """Requests that were tried again."""
    retrying: Retrying | None = None
    """The newest retry, while nothing came since."""
    rate_limit_wait_seconds: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    """Time in which the origin wanted no request, as Retry-After or another header said."""
    idle_seconds: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    """Time since the stage last made progress, or since it began; while Downloading, since the last byte: 30
    and more is a stall."""
    bandwidth_limit: Count | None = None
    """The limit in force, in bytes per second."""


class LimitRequest(Value):
    """The body of `PUT /limit`."""

    bytes_per_second: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    """None lifts the limit."""


class TerminationReport(Value):
    """The termination report of an attempt; at most MAX_TERMINATION_BYTES of JSON."""

    version: int = WIRE_VERSION
    uid: str
    attempt: int
    reason: Reason
    """`Synced` when all files are published, else why not."""
    message: Text = ""
    """What happened and what fixes it; never a URL's query, never a token."""
    resolved: Resolved | None = None
    progress: Progress = Progress()
    devices: Annotated[tuple[DeviceCounters, ...], Field(max_length=8)] = ()
    retries: Count = 0
    rate_limit_wait_seconds: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    verification_seconds: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    verified_by: VerifiedBy = Field(default_factory=dict)
    """Of the published files, how many were compared with what."""


class ManifestFile(Value):
    """One published file."""

    path: str
    size: int
    sha256: str | None = None
    """Our own SHA-256 of the bytes on the volume; None with `verification: Size`."""
    verified_by: str
    """What it was compared with: `sha256`, `git-sha1`, `etag-md5`, `crc64nvme`, `crc32c`, `composite-crc32`
    (over the checksums of an upload's parts), … or `size`."""
    etag: str | None = None
    modified: int | None = None
    """Its modification time in nanoseconds since 1970, where there is no SHA-256: shows a later sync
    whether it was changed."""
    adopted: bool | None = None
    """True for a file that somebody else had put there, and that was found right: it is never removed."""


class Manifest(Value):
    """`.modelsync/manifest.json` in the target: what was published, written last."""

    version: int = WIRE_VERSION
    uid: str
    namespace: str
    name: str
    source: str
    """The source in one word, without credentials."""
    endpoint: str | None = None
    """Of a bucket, where one is named: two stores may each have a bucket of this name."""
    revision: str | None = None
    digest: str
    """`sha256:` digest over paths, sizes and known checksums as resolved."""
    layout: Layout = Layout.DIRECTORY
    """Directory: `path` is relative to the target. HuggingFaceCache: to `snapshots/<revision>`."""
    allow_patterns: tuple[str, ...] | None = None
    """Which of the source's files were asked for, as `ignore_patterns`; absent means unknown."""
    ignore_patterns: tuple[str, ...] | None = None
    pinned: tuple[str, ...] | None = None
    """In a cache, the commits that syncs asked for as such: no ref names them, and they stay."""
    files: tuple[ManifestFile, ...]
    completed_at: AwareDatetime
