"""From `spec.engine` to the engine, and what one engine must not find of another's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modelsync.api.protocol import WorkRequest
from modelsync.api.reasons import Reason
from modelsync.api.transfer import Engine as Kind
from modelsync.worker.common import volume_errors
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import RemoteFile, Source
from modelsync.worker.common.rate_limiter import Limiter
from modelsync.worker.engines.base import Engine
from modelsync.worker.engines.library.backends import Backend, HFTransfer, HuggingFaceHub
from modelsync.worker.engines.library.engine import WHOLE, LibraryEngine
from modelsync.worker.engines.native import engine
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.fallbacks import Devices
from modelsync.worker.progress.state import State
from modelsync.worker.storage.staging import Staging, key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What any engine works with."""

    source: Source
    network: Network
    transport: Transport
    state: State
    limiter: Limiter
    devices: Devices
    commit: str | None
    """The revision that the source was resolved to."""


def engine_of(
    request: WorkRequest, means: Means, staging: Staging, files: Sequence[RemoteFile], *, checksum: bool
) -> Engine:
    """The engine that `spec.engine` names; raises Failure where it cannot read the source."""
    if request.engine is Kind.NATIVE:
        return engine.Engine(
            source=means.source,
            network=means.transport,
            staging=staging,
            files=files,
            tuning=request.tuning,
            checksum=checksum,
            state=means.state,
            limiter=means.limiter,
        )
    return LibraryEngine(
        backend=_backend(request, means, len(files)),
        network=means.network,
        staging=staging,
        files=files,
        tuning=request.tuning,
        checksum=checksum,
        state=means.state,
        devices=means.devices,
    )


def _backend(request: WorkRequest, means: Means, files: int) -> Backend:
    if request.engine is Kind.HF_TRANSFER:
        return HFTransfer(means.source, means.network, means.transport, request.tuning, files=files)
    hub = request.source.hugging_face
    if hub is None or means.commit is None:
        text = "spec.engine HuggingFaceHub fetches from a Hub only. Use Native or HFTransfer."
        raise Failure(Reason.INVALID_SPEC, text)
    return HuggingFaceHub(means.source, means.network, request.tuning, hub, means.commit)


def kept(staging: Staging, kind: Kind, files: Iterable[RemoteFile]) -> dict[str, int]:
    """How many bytes of each file, by key, an earlier attempt left for this engine; no files without any."""
    if kind is Kind.NATIVE:
        return staging.journaled(files)
    found = {key: staging.own(key + WHOLE) for key in map(key_of, files)}
    return {key: stat.st_size for key, stat in found.items() if stat is not None and stat.st_size}


def clear(staging: Staging, kind: Kind) -> None:
    """Remove what another engine left unfinished: it is of no use for this one, and takes space."""
    with volume_errors.guarded("looking at staging files"):
        for name in staging.directory.names():
            if name.startswith("journal") or "." not in name:
                continue
            if name.endswith(WHOLE) is (kind is Kind.NATIVE):
                staging.directory.remove(name)
