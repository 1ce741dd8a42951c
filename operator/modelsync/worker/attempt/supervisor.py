"""Running an engine: start it, watch over it, end it whatever happens."""

import time
from collections.abc import Sequence

from modelsync.api.protocol import WorkRequest
from modelsync.api.reasons import Stage
from modelsync.api.transfer import Resolved, Verification
from modelsync.worker.attempt.context import Tools
from modelsync.worker.common import unexpected
from modelsync.worker.common.model import Fetched, RemoteFile
from modelsync.worker.engines.base import Engine
from modelsync.worker.engines.factory import Means, engine_of
from modelsync.worker.http.client import Transport
from modelsync.worker.progress.state import LogLines
from modelsync.worker.storage.staging import Staging

_TICK_SECONDS = 0.1
_OWNER_SECONDS = 2.0


def transfer(
    request: WorkRequest,
    tools: Tools,
    staging: Staging,
    resolved: Resolved,
    missing: Sequence[RemoteFile],
) -> list[Fetched]:
    """Fetch and verify files into the staging directory; raises Failure or Interrupted."""
    transport = Transport(tools.network)
    means = Means(
        source=tools.source,
        network=tools.network,
        transport=transport,
        state=tools.state,
        limiter=tools.limiter,
        devices=tools.devices,
        commit=resolved.revision,
    )
    checksum = request.verification is Verification.CHECKSUM
    engine = engine_of(request, means, staging, missing, checksum=checksum)
    lines = LogLines(tools.state)
    if missing:
        tools.state.stages.enter(Stage.DOWNLOADING)
    engine.start()
    try:
        _watch(tools, staging, engine, lines)
    finally:
        engine.end()
        transport.close()
    if engine.failure is not None:
        raise engine.failure
    if missing:
        lines.last()
    return engine.results


def _watch(tools: Tools, staging: Staging, engine: Engine, lines: LogLines) -> None:
    """Until the engine is done: log, and look for an end that was asked for and a lost directory."""
    owner_checked = time.monotonic()
    while not engine.done.wait(_TICK_SECONDS):
        tools.check_stop()
        now = time.monotonic()
        lines.tick()
        if engine.fetching():
            tools.state.stages.enter(Stage.DOWNLOADING)
        else:
            tools.state.stages.enter(Stage.VERIFYING)
        if (blocked := engine.stuck()) is not None:
            raise unexpected.internal(blocked)
        if now - owner_checked >= _OWNER_SECONDS:
            owner_checked = now
            staging.check_owned()
