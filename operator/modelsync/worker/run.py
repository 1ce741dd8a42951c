"""One attempt from beginning to end: resolve, plan, fetch, verify, publish.

The same function serves the worker's Pod and `modelsync pull`: it knows nothing of Kubernetes, takes its
tools as arguments, and either returns the manifest it wrote or raises Failure or Interrupted.
"""

import datetime
import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from modelsync.api.modelsync import Verification
from modelsync.api.reasons import Reason, Stage
from modelsync.api.wire import Manifest, ManifestFile, WorkRequest
from modelsync.worker import planning, publish, volume
from modelsync.worker.failures import Failure, Interrupted
from modelsync.worker.fetch import Engine, Fetched
from modelsync.worker.layouts.base import Layout
from modelsync.worker.layouts.factory import layout_of
from modelsync.worker.limiter import Limiter
from modelsync.worker.model import RemoteFile, Source
from modelsync.worker.progress import LogLines, State
from modelsync.worker.staging import Staging, key_of
from modelsync.worker.transport import Network, Transport
from modelsync.worker.tree import Tree

_log = logging.getLogger(__name__)

_TICK_SECONDS = 0.1
_OWNER_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What an attempt works with."""

    source: Source
    network: Network
    state: State
    limiter: Limiter
    stop: threading.Event
    """Set from outside to end the attempt in order."""
    volume: Path
    """Root of the volume; the request's subPath lies below it."""
    lock_wait_seconds: float = 15.0


def run(request: WorkRequest, tools: Tools) -> Manifest:
    """Bring the source's files to the target; raises Failure or Interrupted."""
    state = tools.state
    state.stage = Stage.RESOLVING
    listing = tools.source.resolve(request.resolved)
    plan = planning.make_plan(listing, request)
    state.plan(plan.resolved, len(plan.files))
    _log.info("Resolved %s to %s: %d files", request.source.summary, plan.resolved.revision, len(plan.files))
    _check_stop(tools)
    layout = layout_of(request, plan.resolved)
    with Tree.open(tools.volume, layout.directory) as target:
        staging = Staging(target, request.uid, stop=tools.stop, wait_seconds=tools.lock_wait_seconds)
        try:
            return _sync(request, tools, plan, Place(layout=layout, target=target, staging=staging))
        finally:
            staging.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the files go."""

    layout: Layout
    target: Tree
    staging: Staging


def _sync(request: WorkRequest, tools: Tools, plan: planning.Plan, place: Place) -> Manifest:
    state, target, staging, layout = tools.state, place.target, place.staging, place.layout
    checksum = request.verification is Verification.CHECKSUM
    published = planning.read_manifest(target)
    layout.prepare(target, plan.files, published)
    state.stage = Stage.DOWNLOADING
    found = _sorted_out(tools, plan.files, place, published, checksum=checksum)
    staging.prune({key_of(file) for file in found.missing})
    _check_space(staging, found.missing)
    engine = _fetch(request, tools, staging, found.missing, checksum=checksum)
    state.stage = Stage.PUBLISHING
    staging.check_owned()
    entries = publish.publish(target, staging, engine.results, published, layout)
    entries += found.right + _twins(tools, layout, engine.results, found.twins)
    layout.finish(target, staging, plan.files)
    manifest = Manifest(
        uid=request.uid,
        namespace=request.namespace,
        name=request.name,
        source=request.source.summary,
        revision=plan.resolved.revision,
        digest=plan.resolved.manifest_digest or "",
        layout=request.layout,
        files=tuple(sorted(entries, key=lambda entry: entry.path)),
        completed_at=datetime.datetime.now(datetime.UTC),
    )
    publish.write_manifest(target, manifest)
    with volume.guarded("removing staging files"):
        staging.sweep()
    state.stage = Stage.DONE
    return manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The files of a plan, by what is to be done about them."""

    right: list[ManifestFile] = field(default_factory=list)
    """On the volume already."""
    missing: list[RemoteFile] = field(default_factory=list)
    """To be fetched."""
    twins: list[RemoteFile] = field(default_factory=list)
    """With the same place as a missing one: there as soon as that is."""


def _sorted_out(
    tools: Tools,
    files: tuple[RemoteFile, ...],
    place: Place,
    published: dict[str, ManifestFile],
    *,
    checksum: bool,
) -> Found:
    found = Found()
    awaited: set[str] = set()
    for file in files:
        _check_stop(tools)
        where = place.layout.place(file)
        if where in awaited:
            tools.state.postpone(file.size or 0)
            found.twins.append(file)
            continue
        entry = place.layout.find(place.target, file, published, checksum=checksum)
        if entry is None:
            awaited.add(where)
            found.missing.append(file)
        else:
            tools.state.settle(entry.size)
            found.right.append(entry)
    return found


def _twins(
    tools: Tools, layout: Layout, fetched: list[Fetched], twins: list[RemoteFile]
) -> list[ManifestFile]:
    """The manifest's entries of files that came with another."""
    came = {layout.place(each.file): each for each in fetched} if twins else {}
    entries = []
    for file in twins:
        each = came[layout.place(file)]
        tools.state.settle(each.size, postponed=True)
        entries.append(publish.entry(each, file.path))
    return entries


def _check_space(staging: Staging, missing: list[RemoteFile]) -> None:
    with volume.guarded("looking at staging files"):
        there = staging.allocated()
        count = len(staging.directory.names())
    needed = sum(file.size or 0 for file in missing)
    volume.check_space(staging.directory.descriptor, max(0, needed - there), max(0, len(missing) - count))


def _fetch(
    request: WorkRequest, tools: Tools, staging: Staging, missing: list[RemoteFile], *, checksum: bool
) -> Engine:
    network = Transport(tools.network)
    engine = Engine(
        source=tools.source,
        network=network,
        staging=staging,
        files=missing,
        tuning=request.tuning,
        checksum=checksum,
        state=tools.state,
        limiter=tools.limiter,
    )
    engine.start()
    try:
        _watch(request, tools, staging, engine)
    finally:
        engine.end()
        network.close()
    if engine.failure is not None:
        raise engine.failure
    if missing:
        LogLines(tools.state).last()
    return engine


def _watch(request: WorkRequest, tools: Tools, staging: Staging, engine: Engine) -> None:
    """Until the engine is done: log, and look for a stop, a lost directory and a stall without end."""
    lines = LogLines(tools.state)
    owner_checked = started = time.monotonic()
    while not engine.done.wait(_TICK_SECONDS):
        _check_stop(tools)
        now = time.monotonic()
        lines.tick()
        if engine.fetching():
            tools.state.stage = Stage.DOWNLOADING
            idle = min(tools.state.meter.idle_seconds(), now - started)
            if idle >= request.progress_deadline_seconds:
                raise Failure(Reason.PROGRESS_DEADLINE_EXCEEDED, _deadline_text(request))
        else:
            tools.state.stage = Stage.VERIFYING
        if now - owner_checked >= _OWNER_SECONDS:
            owner_checked = now
            staging.check_owned()


def _deadline_text(request: WorkRequest) -> str:
    return (
        f"No byte came for {request.progress_deadline_seconds} seconds (spec.progressDeadlineSeconds)."
        " Check the origin and the network between it and the worker."
    )


def _check_stop(tools: Tools) -> None:
    if tools.stop.is_set():
        raise Interrupted
