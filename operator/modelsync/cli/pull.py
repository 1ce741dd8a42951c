"""`modelsync pull`: the worker's own engine as a plain command, without any cluster.

    modelsync pull hf://sentence-transformers/all-MiniLM-L6-v2 --to ./model

It resumes like a worker does, because it is one: what is on the disk already, and right, is not fetched
again. The exit codes are the worker's (`api.exitcodes`), so a script can distinguish a wrong token from a
full disk.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import pydantic

from modelsync.api import exitcodes, protocol
from modelsync.api.common import display, untrusted
from modelsync.api.reasons import Reason
from modelsync.api.source.sources import AddressingStyle, Source
from modelsync.api.source.transfer import Engine, Layout, Verification
from modelsync.cli import addresses, choices, screens, wording
from modelsync.errors import UsageError
from modelsync.settings import environment
from modelsync.worker.attempt.pipeline import run
from modelsync.worker.common import volume_errors
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.rate_limiter import Limiter
from modelsync.worker.context import Context
from modelsync.worker.http.address_policy import Reach
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.state import State
from modelsync.worker.progress.throughput import Meter
from modelsync.worker.sources import credentials as creds
from modelsync.worker.sources import factory

DRAW_SECONDS = 0.1
PATIENCE_SECONDS = 4.0
"""How long an orderly end may take after Ctrl-C; a call that waits for an origin cannot be interrupted."""


def _spelled(choices: Iterable[str]) -> str:
    """The choices as the API and the pages spell them; click prints them in lower case."""
    return f"[{'|'.join(choices)}]"


@click.command("pull")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "--to", "target", required=True, type=click.Path(path_type=Path), help="Directory for the files."
)
@click.option("--revision", help="Branch, tag or commit of a Hub repository.  [default: main]")
@click.option("--dataset", is_flag=True, help="The Hub repository is a dataset.")
@click.option(
    "--allow", multiple=True, metavar="PATTERN", help="Download only matching files, such as '*.safetensors'."
)
@click.option("--ignore", multiple=True, metavar="PATTERN", help="Skip matching files; wins over --allow.")
@click.option(
    "--preset", metavar="NAME", help="Download only the files of one format: safetensors, gguf-q4-k-m, …"
)
@click.option(
    "--expected-digest", metavar="DIGEST", help="Fail unless the source has this manifest digest (sha256:…)."
)
@click.option(
    "--layout",
    type=click.Choice([str(each) for each in Layout], case_sensitive=False),
    metavar=_spelled(Layout),
    default=str(Layout.DIRECTORY),
    show_default=True,
    help="HuggingFaceCache makes --to a cache for HF_HOME.",
)
@click.option(
    "--engine",
    type=click.Choice([str(each) for each in Engine], case_sensitive=False),
    metavar=_spelled(Engine),
    default=str(Engine.NATIVE),
    show_default=True,
    help="Program that downloads the files.",
)
@click.option("--endpoint", metavar="URL", help="Another Hub [HF_ENDPOINT] or S3 server [AWS_ENDPOINT_URL].")
@click.option("--region", help="Region of the bucket [AWS_REGION].  [default: us-east-1]")
@click.option(
    "--addressing-style",
    type=click.Choice([str(each) for each in AddressingStyle], case_sensitive=False),
    metavar=_spelled(AddressingStyle),
    default=str(AddressingStyle.AUTO),
    show_default=True,
    help="Name the bucket in the path or in the host name of S3 requests.",
)
@click.option(
    "--requester-pays", is_flag=True, help="Confirm that you pay for requests to a Requester Pays bucket."
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the token for the Hub [HF_TOKEN] or for an https:// server.",
)
@click.option("--sha256", metavar="DIGEST", help="Expected SHA-256 of an https:// file.")
@click.option(
    "--name",
    metavar="PATH",
    help="Path below --to for an https:// file.  [default: the server's Content-Disposition, else the last"
    " part of the URL]",
)
@click.option("--limit-rate", metavar="QUANTITY", help="Maximum bytes per second, such as 500k or 50M.")
@click.option(
    "--allow-address",
    "allowed",
    multiple=True,
    metavar="BLOCK",
    help="Private CIDR block that a public URL may redirect to.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Maximum parallel connections.",
)
@click.option("--no-verify", is_flag=True, help="Compare only sizes, not checksums.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output, one document per line.")
def command(sources: tuple[str, ...], target: Path, **flags: Any) -> None:
    """Download a model without a cluster: resumable and verified.

    SOURCE is hf://org/name[@revision], s3://bucket/prefix, or one or more https:// URLs of files. Credentials
    for S3 are read from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. Ctrl-C keeps the
    downloaded data; the same command continues. Exit code 0 is success, 2 a wrong command line; all others:
    docs/reference/exit-codes.md.
    """
    environment.checked()
    surroundings = environment.worker_environment()
    variables = environment.pull_environment()
    source = _source(sources, flags, variables)
    tuning = protocol.Tuning(
        connections=flags["connections"],
        max_retries=variables.max_retries,
        timeout_seconds=variables.timeout_seconds,
    )
    request = _request(source, target, tuning, flags)
    network = Network(
        timeout_seconds=request.tuning.timeout_seconds,
        connections=request.tuning.connections,
        ca_file=surroundings.ca_file,
        proxies=surroundings.proxies,
        reach=Reach(allowed=choices.blocks(flags["allowed"])),
    )
    stop = threading.Event()
    if surroundings.downloads_disabled:
        outcome = Outcome(Reason.DOWNLOADS_DISABLED, _DISABLED, State(Meter()), 0.0)
        _show_result(outcome, target, as_json=flags["as_json"])
        sys.exit(outcome.exit_code)
    screen = screens.screen_for(as_json=flags["as_json"], out=sys.stdout, err=sys.stderr)
    state = State(Meter())
    context = Context(
        request=request,
        source=factory.open_source(
            source,
            _credentials(source, flags["token_file"], variables),
            network,
            stop=stop,
            stages=state.stages,
            named_by_origin=flags["name"] is None,
        ),
        network=network,
        state=state,
        limiter=Limiter(request.bandwidth_limit),
        stop=stop,
        volume=target,
        lock_wait_seconds=0.0,
        is_new_sync=True,
    )
    with _warnings_to(screen), _stopped_by_signals(stop):
        outcome = Pull(context).follow(screen)
    _show_result(outcome, target, as_json=flags["as_json"])
    sys.stdout.flush()
    os._exit(outcome.exit_code)  # a connection that still waits for an origin must not hold the terminal


def _source(
    sources: tuple[str, ...], flags: dict[str, Any], variables: environment.PullEnvironment
) -> Source:
    on_hub = sources[0].startswith("hf://")
    endpoint = variables.hub_endpoint if on_hub else variables.s3_endpoint
    options = addresses.Options(
        revision=flags["revision"],
        dataset=flags["dataset"],
        endpoint=flags["endpoint"] or endpoint,
        region=flags["region"] or variables.region,
        style=AddressingStyle(flags["addressing_style"]),
        requester_pays=flags["requester_pays"],
        sha256=flags["sha256"],
        name=flags["name"],
        hubs=tuple(hub for hub in (variables.hub_endpoint, flags["endpoint"]) if hub),
    )
    return addresses.source_of(sources, options)


def _request(
    source: Source, target: Path, tuning: protocol.Tuning, flags: dict[str, Any]
) -> protocol.WorkRequest:
    """The same document that an operator would write; the uid names the source, so that a later pull
    resumes."""
    choices.check(source, flags)
    preset = choices.preset(flags["preset"])
    allow, ignore = preset.joined(
        choices.patterns("--allow", flags["allow"]), choices.patterns("--ignore", flags["ignore"])
    )
    try:
        return protocol.WorkRequest(
            uid=_uid(source),
            namespace="",
            name=target.resolve().name,
            attempt=1,
            source=source,
            allow_patterns=allow,
            ignore_patterns=ignore,
            needs=preset.needs(flags["preset"], len(flags["allow"])),
            expected_digest=choices.digest(flags["expected_digest"]),
            layout=Layout(flags["layout"]),
            engine=Engine(flags["engine"]),
            verification=Verification.SIZE if flags["no_verify"] else Verification.CHECKSUM,
            bandwidth_limit=choices.rate(flags["limit_rate"]),
            tuning=tuning,
        )
    except pydantic.ValidationError as error:
        raise UsageError(error.errors()[0]["msg"]) from None


def _uid(source: Source) -> str:
    """A name of the source, for later pulls of it: a list's summary is only its length. No query, which may
    hold a signature that changes."""
    listed = source.http.files if source.http is not None else ()
    text = "\n".join(f"{file.url.partition('?')[0]} {file.path}" for file in listed) or source.summary
    return "pull-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def _credentials(
    source: Source, token_file: Path | None, variables: environment.PullEnvironment
) -> creds.Credentials:
    """Only what fits the source; a Hub's token is never offered to a web server."""
    if source.s3 is not None:
        keys = {name: creds.Hidden(value) for name, value in variables.s3_keys.items()}
        if variables.s3_profile and not keys:
            raise UsageError(
                "AWS_PROFILE: profiles are not read; put the keys into the environment, as"
                " `aws configure export-credentials --format env` prints them; unset it for a public bucket"
            )
        if source.s3.requester_pays and not keys:
            raise UsageError(
                "--requester-pays: put your keys into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        return creds.Given(where="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", values=keys)
    token = choices.token(token_file) if token_file else None
    where = "the file of --token-file"
    if source.hugging_face is not None and token is None:
        token, where = variables.hub_token, "HF_TOKEN or --token-file"
    return creds.Given(where=where, values={creds.TOKEN: creds.Hidden(token)} if token is not None else {})


class Outcome:
    """How a pull ended."""

    def __init__(self, reason: Reason, message: str, state: State, seconds: float) -> None:
        self.reason, self.message, self.state, self.seconds = reason, message, state, seconds

    @property
    def exit_code(self) -> int:
        """The worker's exit code."""
        return exitcodes.DONE if self.reason is Reason.SYNCED else exitcodes.BY_REASON[self.reason]


class Pull:
    """One run of the engine in a thread, followed by the main thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ended = threading.Event()
        self._reason, self._message = Reason.INTERRUPTED, _STOPPED

    def _give_up(self, failure: Failure) -> None:
        """The engine hangs; the process ends without it."""
        if not self._ended.is_set():
            self._reason, self._message = failure.reason, wording.for_terminal(failure.message)
            self._ended.set()

    def follow(self, screen: screens.Screen) -> Outcome:
        """Run to the end, showing progress; after a stop, not longer than the patience lasts."""
        started = time.monotonic()
        threading.Thread(target=self._work, name="pull", daemon=True).start()
        state, stopped = self._context.state, None
        while not self._ended.wait(DRAW_SECONDS):
            screen.show(
                screens.Reading(
                    stage=state.stage,
                    progress=state.progress(),
                    files=state.active(),
                    retries=state.retries,
                    stage_progress=state.stages.figures(),
                    retrying=state.stages.retrying(state.idle_seconds()),
                )
            )
            if self._context.stop.is_set():
                stopped = stopped or time.monotonic()
                if time.monotonic() - stopped > PATIENCE_SECONDS:
                    break
        screen.close()
        return Outcome(self._reason, self._message, state, time.monotonic() - started)

    def _work(self) -> None:
        try:
            with volume_errors.guarded("making the directory of --to"):
                self._context.volume.mkdir(parents=True, exist_ok=True)
            run(dataclasses.replace(self._context, give_up=self._give_up))
            self._reason, self._message = Reason.SYNCED, ""
        except Interrupted:
            pass
        except Failure as failure:
            self._reason, self._message = failure.reason, wording.for_terminal(failure.message)
        except OSError as error:
            known = volume_errors.failure(error, "work in the directory of --to")
            self._reason, self._message = known.reason, wording.for_terminal(known.message)
        except Exception as error:
            logging.getLogger(__name__).exception("internal error")
            self._reason, self._message = Reason.INTERNAL_ERROR, f"modelsync failed: {type(error).__name__}."
        finally:
            self._ended.set()


_DISABLED = "Downloads are disabled here: DISABLE_MODEL_DOWNLOADS is set. Unset it to pull."
_STOPPED = "Stopped. Downloaded data is kept; run the same command again to continue."


def _show_result(outcome: Outcome, target: Path, *, as_json: bool) -> None:
    """The result: a document on standard output, or one line for people."""
    progress = outcome.state.progress()
    resolved = outcome.state.resolved
    if as_json:
        document: dict[str, Any] = {"reason": outcome.reason, "progress": progress.dump()}
        document |= {"resolved": resolved.dump()} if resolved else {}
        document |= {"message": outcome.message} if outcome.message else {}
        print(json.dumps(document))
    elif outcome.reason is Reason.SYNCED:
        reused = f", {display.size(progress.bytes_reused)} reused" if progress.bytes_reused else ""
        revision = f", revision {resolved.revision}" if resolved else ""
        digest = f"\n{resolved.manifest_digest}" if resolved else ""
        noun = "file" if progress.files_done == 1 else "files"
        print(
            f"{progress.files_done} {noun}, {display.size(progress.bytes_done)} in {target}"
            f" ({display.duration(outcome.seconds)}{reused}){revision}{digest}"
        )
    else:
        print(f"modelsync: {outcome.message}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C ends in order, a second one at once."""

    def handle(_number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(exitcodes.INTERRUPTED)
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _warnings_to(screen: screens.Screen) -> Iterator[None]:
    """Warnings of the engine as lines on the screen; libraries say nothing, since they log whole URLs."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            screen.say(f"Warning: {wording.for_terminal(untrusted.clean(self.format(record)))}")

    handler = Handler(logging.WARNING)
    handler.addFilter(lambda record: record.name.startswith("modelsync"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
