"""`modelsync worker`: one attempt, in the Pod that the operator made for it."""

import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

import click
import pydantic

from modelsync.api import exitcodes, naming, protocol
from modelsync.api.reasons import Reason
from modelsync.runtime.telemetry import log_setup
from modelsync.settings import environment
from modelsync.worker.attempt import termination
from modelsync.worker.attempt.process import Attempt, PodInterface
from modelsync.worker.common.failures import Failure
from modelsync.worker.http import address_policy
from modelsync.worker.http.connector import Network
from modelsync.worker.sources import factory

_log = logging.getLogger(__name__)

_REQUEST = f"{naming.REQUEST_DIR}/{naming.REQUEST_FILE}"
PATIENCE_SECONDS = 4.0
"""How long an orderly end may take; a call that waits for an origin cannot be interrupted."""
DISABLED = "Downloads are disabled here: DISABLE_MODEL_DOWNLOADS is set. Unset it, then retry."
_KEY = f"{naming.REQUEST_DIR}/{naming.KEY_FILE}"


@click.command()
@click.option(
    "--request", "request_file", default=_REQUEST, show_default=True, help="File with the work request."
)
@click.option("--volume", default=naming.VOLUME_DIR, show_default=True, help="Root of the volume.")
@click.option(
    "--secret-dir",
    default=naming.SECRET_DIR,
    show_default=True,
    help="Directory of the source's Secret, one file per key.",
)
@click.option(
    "--termination-log",
    default=naming.TERMINATION_LOG,
    show_default=True,
    help="File for the termination report.",
)
@click.option("--port", default=naming.WORKER_PORT, show_default=True, help="Port of /progress and /limit.")
@click.option("--key-file", default=_KEY, show_default=True, help="File with the key of /progress.")
def command(
    request_file: str, volume: str, secret_dir: str, termination_log: str, port: int, key_file: str
) -> None:
    """Run one attempt (used by the operator's Jobs)."""
    surroundings = environment.worker_environment()
    _log_to_stdout(surroundings.log_level)
    pod = PodInterface(
        volume=Path(volume), termination_log=Path(termination_log), port=port, key=_key(Path(key_file))
    )
    try:
        request = _request(Path(request_file))
    except Failure as failure:
        _log.error("%s: %s", failure.reason, failure.message)
        _end(_refuse(pod, failure))
    stop = threading.Event()
    attempt = Attempt(request, pod, stop)
    _stop_on_signals(attempt)
    if surroundings.downloads_disabled:
        _log.error("%s: %s", Reason.DOWNLOADS_DISABLED, DISABLED)
        attempt.leave(Reason.DOWNLOADS_DISABLED, DISABLED)
        _end(exitcodes.BY_REASON[Reason.DOWNLOADS_DISABLED])
    network = Network(
        timeout_seconds=request.tuning.timeout_seconds,
        connections=request.tuning.connections,
        ca_file=surroundings.ca_file,
        proxies=surroundings.proxies,
        reach=address_policy.of_worker(request.addresses.allowed, request.addresses.denied),
    )
    try:
        source = factory.open_source(
            request.source,
            factory.mounted_credentials(request.source, Path(secret_dir)),
            network,
            stop=stop,
            stages=attempt.state.stages,
        )
    except Failure as failure:
        _log.error("%s: %s", failure.reason, failure.message)
        attempt.leave(failure.reason, failure.message)
        _end(failure.exit_code)
    _end(attempt.run(source, network))


def _refuse(pod: PodInterface, failure: Failure) -> int:
    """A termination report without a request to be about."""
    report = protocol.TerminationReport(uid="", attempt=0, reason=failure.reason, message=failure.message)
    termination.write(pod.termination_log, report)
    return failure.exit_code


def _end(code: int) -> NoReturn:
    """End at once: a thread that waits for an origin must not hold a Pod that was asked to stop."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


def _request(path: Path) -> protocol.WorkRequest:
    try:
        content = json.loads(path.read_bytes())
        if content.get("version") != protocol.WIRE_VERSION:
            raise _unreadable(f"version {content.get('version')} of the work request is not known")
        return protocol.WorkRequest.model_validate(content)
    except OSError as error:
        raise _unreadable(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, AttributeError, pydantic.ValidationError) as error:
        raise _unreadable("the work request is invalid") from error


def _unreadable(what: str) -> Failure:
    text = f"The worker cannot start: {what}. Do operator and worker image have the same version?"
    return Failure(Reason.INVALID_SPEC, text)


def _key(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _stop_on_signals(attempt: Attempt) -> None:
    """End in order when asked to, and in any case before the kubelet loses patience."""

    def give_up() -> None:
        attempt.end_now(
            Reason.INTERRUPTED, "The worker was asked to stop; the next attempt goes on from here."
        )

    def handle(_number: int, _frame: object) -> None:
        if not attempt.stop.is_set():
            attempt.stop.set()
            timer = threading.Timer(PATIENCE_SECONDS, give_up)
            timer.daemon = True
            timer.start()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


def _log_to_stdout(level: str) -> None:
    known = logging.getLevelNamesMapping()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(log_setup.LineFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=known.get(level.upper(), logging.INFO), handlers=[handler])
    # Libraries log whole URLs, signatures included.
    for name in (
        "urllib3",
        "botocore",
        "boto3",
        "s3transfer",
        "huggingface_hub",
        "filelock",
        "httpx",
        "httpcore",
    ):
        logging.getLogger(name).setLevel(logging.ERROR)
