"""Carries out what a plan wants of Jobs, such that doing it twice is harmless and not knowing is safe.

Everything runs beside the planner's loop, as an assumption in the store: a creation under way counts as a Job
that runs, so that no plan makes it twice, a deletion under way as one that was accepted. A creation that got
no answer stays assumed until its Job is seen or known not to exist, so an unlucky timeout can cost a moment
and never a second worker. One object's trouble is that object's alone: it is reported as a StartProblem with
the time of the next try, until which the planner asks for nothing, so it takes no place from what can be
created.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from modelsync.api import naming
from modelsync.api.common.backoff import Backoff
from modelsync.api.reasons import Reason
from modelsync.core import actions
from modelsync.core.cluster import snapshot
from modelsync.core.queueing import admission
from modelsync.runtime.cluster import api_client, cache, parsing
from modelsync.runtime.cluster.job_signatures import Made
from modelsync.runtime.cluster.resources import JOBS, SYNCS

_log = logging.getLogger(__name__)
_IN_FLIGHT = 64
"""Requests at once; of the client's 100 connections some are left for the lease and the statuses."""
_PASSING = Backoff(first=0.5, cap=300.0, jitter=0.1)
_REFUSED = Backoff(first=5.0, cap=300.0, jitter=0.1)
"""Who has fixed the cause ends the wait by any change of the ModelSync."""
_ASKING = Backoff(first=0.5, cap=30.0, jitter=0.1)
_UNKNOWN = 60.0
"""Seconds after which a Job that cannot be asked for counts as not made; its name shows later if it is."""

Render = Callable[[snapshot.SyncRecord, int, str], api_client.Object]
"""Makes a Job's manifest for a ModelSync, an attempt and the attempt's key."""


@dataclass(slots=True)
class Wait:
    """When a failed deletion may be tried again."""

    due: float
    failures: int


class Executor:
    """Creates and deletes Jobs; see the module."""

    def __init__(
        self,
        api: api_client.Kube,
        known: cache.Store,
        render: Render,
        *,
        may_act: Callable[[], bool],
        on_created: Callable[[snapshot.SyncRecord, datetime], None] = lambda sync, now: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = api
        self._store = known
        self._render = render
        self._may_act = may_act
        self._on_created = on_created
        self._clock = clock
        self._waits: dict[str, Wait] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_IN_FLIGHT)

    def start(
        self, creations: Iterable[actions.CreateJob], deletions: Iterable[actions.DeleteJob]
    ) -> float | None:
        """Begin all of it; returns the seconds until a failed deletion is due again, if there is one."""
        now = asyncio.get_running_loop().time()
        for gone in deletions:
            wait = self._waits.get(gone.job.uid)
            if gone.job.uid not in self._tasks and (wait is None or wait.due <= now):
                self._store.expect_deletion(gone.job.uid)
                self._begin(gone.job.uid, self._delete(gone))
        for new in creations:
            if new.sync.uid not in self._tasks:
                name = naming.job_name(new.sync.name, new.sync.uid, new.attempt)
                self._store.assume(new.sync, name, new.attempt)
                self._begin(new.sync.uid, self._create(new, name))
        later = [wait.due for wait in self._waits.values() if wait.due > now]
        return max(0.05, min(later) - now) if later else None

    async def finish(self) -> None:
        """Wait for all that is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def close(self) -> None:
        """Give up what is under way: the next leader finds what came of it by the Jobs' names."""
        for task in self._tasks.values():
            task.cancel()
        await self.finish()

    def forget_missing(self) -> None:
        """Drop what is remembered of objects that are gone."""
        for uid in self._waits.keys() - self._store.jobs.keys():
            del self._waits[uid]
        if self._store.troubles:
            groups = {admission.group(sync) for sync in self._store.syncs.values()}
            for group in self._store.troubles.keys() - groups:
                self._store.clear_group_problem(group)

    def _begin(self, uid: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks[uid] = task
        task.add_done_callback(lambda done: self._ended(uid, done))

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        del self._tasks[uid]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("an action for %s failed", uid, exc_info=error)

    async def _create(self, action: actions.CreateJob, name: str) -> None:
        sync, loop = action.sync, asyncio.get_running_loop()
        began = loop.time()
        try:
            async with self._slots:
                if self._may_act():  # asked here: the lease may be lost while this waits for its turn
                    began = loop.time()
                    await self._make(action, name)
        except api_client.ApiError as error:
            _log.warning("cannot create Job %s/%s: %s", sync.namespace, name, error)
            self._set_problem(sync, error, loop.time() - began)
            if error.is_uncertain:
                await self._find_out(sync, name)
        except Exception as error:
            # A manifest that cannot be made must not stop the other ModelSyncs.
            _log.exception("cannot make Job %s/%s", sync.namespace, name)
            self._set_problem(sync, api_client.ApiError(400, "", f"{type(error).__name__}: {error}"), 0.0)
        finally:
            # Only now: a Job that exists was observed before, so that no plan sees its slot free in between.
            self._store.forget_assumed(sync.namespace, name)

    async def _make(self, action: actions.CreateJob, name: str) -> None:
        sync = action.sync
        # The last attempt first: two workers of one ModelSync would write to one target.
        await self._end_unseen(sync)
        whole = await self._whole(sync)
        if whole is None:
            return
        manifest = self._render(whole, action.attempt, secrets.token_urlsafe(24))
        made_for = Made(sync_uid=sync.uid, attempt=action.attempt, queue=sync.spec.queue)
        self._store.proofs.sign(manifest, made_for, self._clock())
        try:
            made = await self._api.create(JOBS, sync.namespace, manifest)
        except api_client.Conflict:
            made = await self._existing(sync, name)
        self._store.observe(JOBS, "ADDED", made)
        self._store.clear_problem(sync.uid)
        self._store.clear_group_problem(admission.group(sync))
        _log.info("started Job %s/%s", sync.namespace, name)
        self._on_created(sync, self._clock())

    async def _whole(self, sync: snapshot.SyncRecord) -> snapshot.SyncRecord | None:
        """The ModelSync with its whole spec; None when it has changed, and is planned again."""
        mark = self._store.mark()
        found = await self._api.get(SYNCS, sync.namespace, sync.name)
        record = parsing.whole_sync(found)
        if record.uid != sync.uid:
            raise api_client.NotFound(
                404, "NotFound", "the ModelSync was replaced by another one of the same name"
            )
        if record.generation != sync.generation:
            self._store.observe(SYNCS, "MODIFIED", found, mark=mark)
            return None
        if record.invalid is not None:
            raise api_client.ApiError(422, "", f"invalid object: {record.invalid}")
        return replace(sync, spec=record.spec)

    async def _existing(self, sync: snapshot.SyncRecord, name: str) -> api_client.Object:
        """The Job that has our name already: ours from an earlier try, or a stranger's."""
        found = await self._api.get(JOBS, sync.namespace, name)
        try:
            record = parsing.job_record(found, self._store.proofs)
        except parsing.NotOurs:
            record = None
        if record is not None and record.sync_uid == sync.uid and not record.unproven:
            return found
        message = f"a Job named {name} exists that the operator did not make for this ModelSync; delete it"
        raise api_client.ApiError(403, Reason.NAME_CONFLICT, message)

    async def _end_unseen(self, sync: snapshot.SyncRecord) -> None:
        """End the last attempt's Job where it runs on unseen: somebody has taken our label off it."""
        last = sync.status.job
        if last is None or last.uid in self._store.jobs:
            return
        try:
            found = await self._api.get(JOBS, sync.namespace, last.name)
        except api_client.NotFound:
            return
        if (found.get("metadata") or {}).get("uid") != last.uid or parsing.end_of(found):
            return
        await self._api.delete(JOBS, sync.namespace, last.name, uid=last.uid, wait=True)
        message = f"Job {last.name} of the last attempt runs on without our labels; it is ended first"
        raise api_client.ApiError(409, "", message)

    async def _find_out(self, sync: snapshot.SyncRecord, name: str) -> None:
        """Whether a Job exists that was asked for without an answer: until this is known, or too long."""
        loop = asyncio.get_running_loop()
        end, failures = loop.time() + _UNKNOWN, 0
        while self._store.is_assumed(sync.namespace, name) and loop.time() < end:
            try:
                async with self._slots:
                    found = await self._api.get(JOBS, sync.namespace, name)
            except api_client.NotFound:
                return
            except api_client.ApiError as error:
                _log.warning("it is not known whether Job %s/%s exists: %s", sync.namespace, name, error)
                failures += 1
                await asyncio.sleep(_ASKING.wait(failures, random=random.random()))
            else:
                self._store.observe(JOBS, "ADDED", found)
                return

    def _set_problem(self, sync: snapshot.SyncRecord, error: api_client.ApiError, took: float) -> None:
        """Remember what was said of a creation, and when it is tried again."""
        now, group = self._clock(), admission.group(sync)
        reason = Reason.NAME_CONFLICT if error.reason == Reason.NAME_CONFLICT else ""
        known = self._store.problems.get(sync.uid)
        tries = known.tries + 1 if known is not None and known.due is not None else 1
        problem = snapshot.StartProblem(
            message=error.message[:1024],
            reason=reason,
            due=now + timedelta(seconds=wait_after(error, tries, took)),
            tries=tries,
        )
        self._store.set_problem(sync.uid, problem)
        if not error.is_uncertain:
            self._store.clear_group_problem(group)
            return
        trouble = self._store.troubles.get(group)
        if trouble is None or trouble.due is None or trouble.due <= now:  # else one more of the same round
            tries = trouble.tries + 1 if trouble is not None else 1
            due = now + timedelta(seconds=wait_after(error, tries, took))
            self._store.set_group_problem(
                group, snapshot.StartProblem(message=problem.message, due=due, tries=tries)
            )

    async def _delete(self, action: actions.DeleteJob) -> None:
        job = action.job
        try:
            async with self._slots:
                if not self._may_act():
                    return self._store.deletion_failed(job.uid)
                await self._api.delete(JOBS, job.namespace, job.name, uid=job.uid)
        except (api_client.NotFound, api_client.Conflict):
            # Gone, or another Job by now: either way this one is no more.
            self._store.forget_job(job.uid)
        except api_client.ApiError as error:
            _log.warning("cannot delete Job %s/%s: %s", job.namespace, job.name, error)
            known = self._waits.get(job.uid)
            failures = known.failures + 1 if known else 1
            due = asyncio.get_running_loop().time() + wait_after(error, failures, 0.0)
            self._waits[job.uid] = Wait(due, failures)
            self._store.deletion_failed(job.uid)
        else:
            _log.info("deleted Job %s/%s: %s", job.namespace, job.name, action.why)


def wait_after(error: api_client.ApiError, tries: int, took: float) -> float:
    """Seconds until a failed action is tried again, after so many failures, the last of which took so long.

    Doubled with each, as much as the server asks for, and such that what hangs comes to hold a slot for a
    twentieth of the time: a dead webhook takes 10 s of each try.
    """
    backoff = _PASSING if error.is_passing else _REFUSED
    doubled = backoff.wait(tries, random=random.random(), asked=error.retry_after)
    return max(doubled, min(took * 2.0 ** (tries - 1), 19 * took))
