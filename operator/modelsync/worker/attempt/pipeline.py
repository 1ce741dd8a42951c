"""One attempt from beginning to end: resolve, plan, fetch, verify, publish.

The same function serves the worker's Pod and `modelsync pull`: it knows nothing of Kubernetes, is given all
it works with as one `Context`, and either returns the manifest it wrote or raises Failure or Interrupted.
"""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from modelsync.api.protocol import Manifest, ManifestFile
from modelsync.api.reasons import Stage
from modelsync.api.source.transfer import Engine
from modelsync.worker.attempt import already_published, planning
from modelsync.worker.attempt.minimum_rate import Slowness
from modelsync.worker.attempt.supervisor import transfer
from modelsync.worker.attempt.watchdog import Watchdog, watching
from modelsync.worker.checksums import file_digest
from modelsync.worker.common import volume_errors
from modelsync.worker.common.model import Fetched, RemoteFile
from modelsync.worker.context import Context
from modelsync.worker.engines.factory import clear, kept
from modelsync.worker.progress.stages import Stages
from modelsync.worker.publishing import existing, manifests, outdated, publisher
from modelsync.worker.publishing.layouts.base import TargetLayout
from modelsync.worker.publishing.layouts.factory import layout_of
from modelsync.worker.storage import filesystem, name_folding
from modelsync.worker.storage.safe_directory import Tree
from modelsync.worker.storage.staging import Staging

_log = logging.getLogger(__name__)


def run(context: Context) -> Manifest:
    """Bring the source's files to the target; raises Failure or Interrupted.

    Without progress for the request's deadline, it ends: by a Failure if it can, else by `context.give_up`.
    """
    request, limiter = context.request, context.limiter
    deadline, rate = request.progress_deadline_seconds, request.minimum_rate
    slowness = Slowness(rate, deadline, lambda: limiter.rate) if rate is not None else None
    watchdog = Watchdog(context.state, deadline, slowness)
    with watching(watchdog, context.overdue, context.stop, context.give_up):
        return _run(context)


def _run(context: Context) -> Manifest:
    request, state = context.request, context.state
    state.stages.enter(Stage.RESOLVING)
    if (there := already_published.complete(context)) is not None:
        return there
    state.stages.enter(Stage.RESOLVING)
    listing = context.source.resolve(request.resolved)
    plan = planning.make_plan(listing, request)
    state.plan(plan.resolved, len(plan.files))
    _log.info("Resolved %s to %s: %d files", request.source.summary, plan.resolved.revision, len(plan.files))
    context.check_stop()
    layout = layout_of(request, plan.resolved)
    state.stages.enter(Stage.CHECKING, files=len(plan.files), size=plan.resolved.bytes)
    lock_wait = min(context.lock_wait_seconds, request.progress_deadline_seconds / 2)
    with Tree.open(context.volume, layout.directory) as target:
        staging = Staging(
            target, request.uid, stop=context.stop, wait_seconds=lock_wait, fresh=context.is_new_sync
        )
        try:
            state.account(staging.accounts)
            return _sync(context, plan, Destination(layout=layout, target=target, staging=staging))
        finally:
            staging.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where the files go: the target directory, its layout, and the staging directory in it."""

    layout: TargetLayout
    target: Tree
    staging: Staging


def _sync(context: Context, plan: planning.SyncPlan, destination: Destination) -> Manifest:
    request, state = context.request, context.state
    target, staging, layout = destination.target, destination.staging, destination.layout
    name_folding.check(staging.directory, plan.alike, state.stages.advance)
    published = existing.read_manifest(target, staging.owner)
    published.files.update(
        publisher.left_behind(target, staging, plan.files, published, layout, state.stages)
    )
    layout.prepare(target, plan.files, published, state.stages.advance)
    found = _sorted_out(context, plan.files, destination, published)
    with volume_errors.guarded("removing outdated staging files"):
        staging.prune(found.missing)
    clear(staging, request.engine)
    _account(staging, found, request.engine)
    if found.missing and layout.links:
        filesystem.check_links(staging.directory.descriptor)
    _check_space(staging, found.missing)
    fetched = transfer(context, staging, plan.resolved, found.missing)
    state.stages.enter(Stage.PUBLISHING, files=len(fetched))
    staging.check_owned()
    fetched = publisher.durable(staging, fetched, state.stages)
    old = outdated.Outdated(
        target=target, request=request, layout=layout, stages=state.stages, check_stop=context.check_stop
    )
    old.gather(published, {name for file in plan.files for name in layout.names(file)})
    entries = [publisher.entry(each, each.file.path) for each in fetched]
    old.note(fetched, entries)
    publisher.publish(target, staging, fetched, published, layout, state.stages)
    entries += found.right + _twins(context, layout, fetched, found.twins)
    publisher.sync_parents(target, map(layout.place, plan.files), state.stages.advance)
    layout.finish(target, staging, plan.files, state.stages.advance)
    manifest = planning.manifest(request, plan.resolved, entries, published)
    publisher.write_manifest(target, manifest)
    old.remove()
    with volume_errors.guarded("removing staging files"):
        staging.sweep()
    state.stages.enter(Stage.DONE)
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
    places: dict[str, int] = field(default_factory=dict)
    """Bytes of the right ones by their place: paths with the same content may share one."""


def _sorted_out(
    context: Context, files: tuple[RemoteFile, ...], destination: Destination, published: manifests.Published
) -> Found:
    found, checksum = Found(), context.verifies_checksums
    awaited: set[str] = set()
    for file in files:
        context.check_stop()
        where = destination.layout.place(file)
        if where in awaited:
            context.state.postpone(file.size or 0)
            context.state.stages.advance(files=1, size=file.size or 0)
            found.twins.append(file)
            continue
        with _looked_at(context.state.stages, file) as read:
            entry = destination.layout.find(destination.target, file, published, checksum=checksum, read=read)
        if entry is None:
            awaited.add(where)
            found.missing.append(file)
        else:
            found.places[where] = entry.size
            context.state.settle(entry.size)
            found.right.append(entry)
    return found


@contextlib.contextmanager
def _looked_at(stages: Stages, file: RemoteFile) -> Iterator[file_digest.Read]:
    """Count a file that is looked at: its bytes as they are read, and in the end all of it."""
    left = file.size or 0

    def read(count: int) -> None:
        nonlocal left
        known = min(count, left)  # a layout may look at more than one place
        left -= known
        stages.advance(size=known)

    yield read
    stages.advance(files=1, size=left)


def _account(staging: Staging, found: Found, engine: Engine) -> None:
    """What is used without being fetched: decided by the first attempt that has looked at all files, since
    what a later one finds may come from the earlier ones."""
    accounts, left = staging.accounts, kept(staging, engine, found.missing)
    there = sum(found.places.values()) + sum(left.values())
    if accounts.reused is None:
        staging.journal.found(left)
        accounts.reuse(there)
    else:
        accounts.reuse(min(accounts.reused, there))


def _twins(
    context: Context, layout: TargetLayout, fetched: list[Fetched], twins: list[RemoteFile]
) -> list[ManifestFile]:
    """The manifest's entries of files that came with another."""
    came = {layout.place(each.file): each for each in fetched} if twins else {}
    entries = []
    for file in twins:
        each = came[layout.place(file)]
        context.state.settle(each.size, postponed=True)
        entries.append(publisher.entry(each, file.path))
    return entries


def _check_space(staging: Staging, missing: list[RemoteFile]) -> None:
    with volume_errors.guarded("looking at staging files"):
        there = staging.allocated()
        count = len(staging.directory.names())
    needed = sum(file.size or 0 for file in missing)
    filesystem.check_space(staging.directory.descriptor, max(0, needed - there), max(0, len(missing) - count))
