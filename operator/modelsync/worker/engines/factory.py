"""From `spec.engine` to the engine, and what one engine must not find of another's."""

from collections.abc import Iterable, Sequence

from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Engine, Resolved
from modelsync.worker.common import volume_errors
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import RemoteFile
from modelsync.worker.context import Context
from modelsync.worker.engines.base import DownloadEngine
from modelsync.worker.engines.library.backends import Backend, HFTransfer, HuggingFaceHub
from modelsync.worker.engines.library.engine import WHOLE, LibraryEngine
from modelsync.worker.engines.native.engine import NativeEngine
from modelsync.worker.http.client import Transport
from modelsync.worker.storage.staging import Staging, key_of


def engine_of(
    context: Context,
    transport: Transport,
    staging: Staging,
    resolved: Resolved,
    files: Sequence[RemoteFile],
) -> DownloadEngine:
    """The engine that `spec.engine` names; raises Failure where it cannot read the source."""
    if context.request.engine is Engine.NATIVE:
        return NativeEngine(context, transport, staging, files)
    return LibraryEngine(context, _backend(context, transport, resolved, len(files)), staging, files)


def _backend(context: Context, transport: Transport, resolved: Resolved, files: int) -> Backend:
    request = context.request
    if request.engine is Engine.HF_TRANSFER:
        return HFTransfer(context, transport, files=files)
    hub = request.source.hugging_face
    if hub is None or resolved.revision is None:
        text = "spec.engine HuggingFaceHub fetches from a Hub only. Use Native or HFTransfer."
        raise Failure(Reason.INVALID_SPEC, text)
    return HuggingFaceHub(context, hub, resolved.revision)


def kept(staging: Staging, kind: Engine, files: Iterable[RemoteFile]) -> dict[str, int]:
    """How many bytes of each file, by key, an earlier attempt left for this engine; no files without any."""
    if kind is Engine.NATIVE:
        return staging.journaled(files)
    found = {key: staging.own(key + WHOLE) for key in map(key_of, files)}
    return {key: stat.st_size for key, stat in found.items() if stat is not None and stat.st_size}


def clear(staging: Staging, kind: Engine) -> None:
    """Remove what another engine left unfinished: it is of no use for this one, and takes space."""
    with volume_errors.guarded("looking at staging files"):
        for name in staging.directory.names():
            if name.startswith("journal") or "." not in name:
                continue
            if name.endswith(WHOLE) is (kind is Engine.NATIVE):
                staging.directory.remove(name)
