"""Running an engine: start it, watch over it, end it whatever happens."""

import time
from collections.abc import Sequence

from modelsync.api.reasons import Stage
from modelsync.api.source.transfer import Resolved
from modelsync.worker.common import unexpected
from modelsync.worker.common.model import Fetched, RemoteFile
from modelsync.worker.context import Context
from modelsync.worker.engines.base import DownloadEngine
from modelsync.worker.engines.factory import engine_of
from modelsync.worker.http.client import Transport
from modelsync.worker.progress.state import LogLines
from modelsync.worker.storage.staging import Staging

_TICK_SECONDS = 0.1
_OWNER_SECONDS = 2.0


def transfer(
    context: Context, staging: Staging, resolved: Resolved, missing: Sequence[RemoteFile]
) -> list[Fetched]:
    """Fetch and verify files into the staging directory; raises Failure or Interrupted."""
    transport = Transport(context.network)
    engine = engine_of(context, transport, staging, resolved, missing)
    lines = LogLines(context.state)
    if missing:
        context.state.stages.enter(Stage.DOWNLOADING)
    engine.start()
    try:
        _watch(context, staging, engine, lines)
    finally:
        engine.end()
        transport.close()
    if engine.failure is not None:
        raise engine.failure
    if missing:
        lines.last()
    return engine.results


def _watch(context: Context, staging: Staging, engine: DownloadEngine, lines: LogLines) -> None:
    """Until the engine is done: log, and look for an end that was asked for and a lost directory."""
    owner_checked = time.monotonic()
    while not engine.done.wait(_TICK_SECONDS):
        context.check_stop()
        now = time.monotonic()
        lines.tick()
        if engine.fetching():
            context.state.stages.enter(Stage.DOWNLOADING)
        else:
            context.state.stages.enter(Stage.VERIFYING)
        if (blocked := engine.stuck()) is not None:
            raise unexpected.internal(blocked)
        if now - owner_checked >= _OWNER_SECONDS:
            owner_checked = now
            staging.check_owned()
