"""One attempt as a process: run it, show it, and end with a termination report and an exit code.

Signals, the key, the progress server and the termination message belong to the Pod; `pipeline` knows none of
them.
"""

import collections
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from modelsync.api import exitcodes, protocol
from modelsync.api.reasons import Reason
from modelsync.worker.attempt import progress_server, termination
from modelsync.worker.attempt.pipeline import run
from modelsync.worker.common import unexpected
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.model import FileSource
from modelsync.worker.common.rate_limiter import Limiter
from modelsync.worker.context import Context
from modelsync.worker.http.connector import Network
from modelsync.worker.progress import proc_counters
from modelsync.worker.progress.network_rate import NetworkMeter
from modelsync.worker.progress.state import State
from modelsync.worker.progress.throughput import Meter

_log = logging.getLogger(__name__)
_WORDS_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PodInterface:
    """What the Pod gives its worker: a volume, a file for the termination report, a port and its key."""

    volume: Path
    termination_log: Path
    port: int
    key: str
    """Key of the progress server; no server when empty."""


class Attempt:
    """A running attempt and its figures."""

    def __init__(self, request: protocol.WorkRequest, pod: PodInterface, stop: threading.Event) -> None:
        self.request, self.pod, self.stop = request, pod, stop
        self.state = State(Meter())
        self.limiter = Limiter(request.bandwidth_limit)
        self.verified_by: dict[str, int] = {}
        self.space = proc_counters.SpaceProbe(pod.volume)
        self.network = NetworkMeter()

    def run(self, source: FileSource, network: Network) -> int:
        """Do the work and give the exit code; never raises."""
        context = Context(
            request=self.request,
            source=source,
            network=network,
            state=self.state,
            limiter=self.limiter,
            stop=self.stop,
            volume=self.pod.volume,
            give_up=lambda failure: self.end_now(failure.reason, failure.message),
        )
        reason, message = self._outcome(context)
        self.leave(reason, message)
        return exitcodes.DONE if reason is Reason.SYNCED else exitcodes.BY_REASON[reason]

    def _outcome(self, context: Context) -> tuple[Reason, str]:
        try:
            if not self.pod.key:
                manifest = run(context)
            else:
                window = progress_server.ProgressServer(
                    self.pod.port, self.pod.key, self.report, self.limiter.set_rate
                )
                with progress_server.serving(window):
                    manifest = run(context)
        except Interrupted:
            return Reason.INTERRUPTED, "The worker was asked to stop; the next attempt goes on from here."
        except Failure as failure:
            _log.error("%s: %s", failure.reason, failure.message)
            return failure.reason, failure.message
        except Exception as error:
            unknown = unexpected.internal(error)
            return unknown.reason, unknown.message
        _log.info("Published %d files", len(manifest.files))
        self.verified_by = dict(collections.Counter(file.verified_by for file in manifest.files))
        return Reason.SYNCED, ""

    def report(self) -> protocol.ProgressReport:
        """The answer to `GET /progress`."""
        state = self.state
        devices = proc_counters.network_devices()
        files = state.active()  # before the sums, which then hold all that the files have
        return protocol.ProgressReport(
            uid=self.request.uid,
            attempt=self.request.attempt,
            stage=state.stage,
            stage_progress=state.stages.figures(),
            progress=state.progress(),
            resolved=state.resolved,
            files=tuple(files[: protocol.MAX_FILES_REPORTED]),
            devices=devices,
            network=self.network.rate(devices),
            volume=self.space.latest(),
            retries=state.retries,
            retrying=state.stages.retrying(state.idle_seconds()),
            rate_limit_wait_seconds=state.rate_limit_wait_seconds,
            idle_seconds=state.idle_seconds(),
            bandwidth_limit=self.limiter.rate,
        )

    def end_now(self, reason: Reason, message: str) -> NoReturn:
        """End the process with its termination report, whatever its threads wait for; call it from any of
        them.

        The figures may wait for the very thread that hangs: then the words go without them.
        """
        writing = threading.Thread(target=self.leave, args=(reason, message), daemon=True)
        writing.start()
        writing.join(_WORDS_SECONDS)
        if writing.is_alive():
            bare = protocol.TerminationReport(
                uid=self.request.uid,
                attempt=self.request.attempt,
                reason=reason,
                message=termination.shortened(message),
                resolved=self.state.resolved,
            )
            termination.write(self.pod.termination_log, bare)
        os._exit(exitcodes.BY_REASON[reason])

    def leave(self, reason: Reason, message: str) -> None:
        """Write the termination report."""
        state = self.state
        report = protocol.TerminationReport(
            uid=self.request.uid,
            attempt=self.request.attempt,
            reason=reason,
            message=termination.shortened(message),
            resolved=state.resolved,
            progress=state.progress(),
            devices=proc_counters.network_devices()[:8],
            retries=state.retries,
            rate_limit_wait_seconds=state.rate_limit_wait_seconds,
            verification_seconds=state.verification_seconds,
            verified_by=self.verified_by,
        )
        termination.write(self.pod.termination_log, report)
