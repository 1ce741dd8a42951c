"""Carries out what a plan wants of Jobs, such that doing it twice is harmless and not knowing is safe.

A creation that got no answer leaves an assumption behind: the Job counts as running until it is seen or known
not to be, so an unlucky timeout can cost a moment and never a second worker. One object's trouble is that
object's alone: it is told as a Problem, tried again later, and never stops the others.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from modelsync.api import naming
from modelsync.api.backoff import Backoff
from modelsync.api.reasons import Reason
from modelsync.core import actions, snapshot
from modelsync.runtime import kube, store
from modelsync.runtime.resources import JOBS

_log = logging.getLogger(__name__)
_IN_FLIGHT = 16
_PASSING = Backoff(first=0.5, cap=60.0, jitter=0.1)
_REFUSED = Backoff(first=5.0, cap=60.0, jitter=0.1)

Render = Callable[[snapshot.SyncRecord, int, str], kube.Object]
"""Makes a Job's manifest for a ModelSync, an attempt and the attempt's key."""


@dataclass(slots=True)
class Wait:
    """When a failed action may be tried again."""

    due: float
    failures: int


class Executor:
    """Creates and deletes Jobs; see the module."""

    def __init__(
        self,
        api: kube.Kube,
        known: store.Store,
        render: Render,
        *,
        may_act: Callable[[], bool],
        on_created: Callable[[snapshot.SyncRecord, datetime], None] = lambda sync, now: None,
    ) -> None:
        self._api = api
        self._store = known
        self._render = render
        self._may_act = may_act
        self._on_created = on_created
        self._waits: dict[str, Wait] = {}
        self._slots = asyncio.Semaphore(_IN_FLIGHT)

    async def carry_out(
        self, creations: Iterable[actions.CreateJob], deletions: Iterable[actions.DeleteJob]
    ) -> float | None:
        """Do it all; returns the seconds after which a failed action may be tried again, if there is one."""
        now = asyncio.get_running_loop().time()
        work = [
            self._guarded(wish.job.uid, self._delete(wish))
            for wish in deletions
            if self._is_due(wish.job.uid)
        ]
        work += [
            self._guarded(wish.sync.uid, self._create(wish))
            for wish in creations
            if self._is_due(wish.sync.uid)
        ]
        await asyncio.gather(*work)
        later = [wait.due for wait in self._waits.values() if wait.due > now]
        return max(0.05, min(later) - asyncio.get_running_loop().time()) if later else None

    async def settle(self) -> None:
        """Find out about assumed Jobs: each is seen now, or known not to exist, or stays assumed."""
        for job in self._store.assumed:
            try:
                self._store.observe(JOBS, "ADDED", await self._api.get(JOBS, job.namespace, job.name))
            except kube.NotFound:
                self._store.refute(job.namespace, job.name)
            except kube.ApiError as error:
                _log.warning("it is not known whether Job %s/%s exists: %s", job.namespace, job.name, error)

    def forget_missing(self) -> None:
        """Drop the waits of objects that are gone."""
        for uid in self._waits.keys() - self._store.syncs.keys() - self._store.jobs.keys():
            del self._waits[uid]

    def _is_due(self, uid: str) -> bool:
        wait = self._waits.get(uid)
        return wait is None or wait.due <= asyncio.get_running_loop().time()

    async def _guarded(self, uid: str, action: Awaitable[None]) -> None:
        try:
            async with self._slots:
                await action
        except kube.ApiError as error:
            self._again(uid, error)
        except Exception:
            # A manifest that cannot be made must not stop the other ModelSyncs.
            _log.exception("an action for %s failed", uid)
            self._again(uid, None)
        else:
            self._waits.pop(uid, None)

    def _again(self, uid: str, error: kube.ApiError | None) -> None:
        known = self._waits.get(uid)
        failures = known.failures + 1 if known else 1
        backoff = _PASSING if error is not None and error.is_passing else _REFUSED
        asked = error.retry_after if error is not None else None
        wait = backoff.wait(failures, random=random.random(), asked=asked)
        self._waits[uid] = Wait(asyncio.get_running_loop().time() + wait, failures)

    async def _create(self, wish: actions.CreateJob) -> None:
        if not self._may_act():
            return
        sync = wish.sync
        name = naming.job_name(sync.name, sync.uid, wish.attempt)
        manifest = self._render(sync, wish.attempt, secrets.token_urlsafe(24))
        try:
            made = await self._api.create(JOBS, sync.namespace, manifest)
        except kube.Conflict:
            made = await self._existing(sync, name)
        except kube.ApiError as error:
            self._not_made(wish, name, error)
            raise
        self._store.observe(JOBS, "ADDED", made)
        self._store.absolve(sync.uid)
        _log.info("started Job %s/%s", sync.namespace, name)
        self._on_created(sync, datetime.now(UTC))

    async def _existing(self, sync: snapshot.SyncRecord, name: str) -> kube.Object:
        """The Job that has our name already: ours from an earlier try, or a stranger's."""
        found = await self._api.get(JOBS, sync.namespace, name)
        owners = (found.get("metadata") or {}).get("ownerReferences") or []
        if any(owner.get("uid") == sync.uid for owner in owners):
            return found
        message = f"a Job named {name} exists and does not belong to this ModelSync; delete or rename it"
        self._blame(sync, message, Reason.NAME_CONFLICT)
        raise kube.ApiError(403, Reason.NAME_CONFLICT, message)

    def _not_made(self, wish: actions.CreateJob, name: str, error: kube.ApiError) -> None:
        if error.is_uncertain:
            self._store.assume(wish.sync, name, wish.attempt)
        if not error.is_passing:
            self._blame(wish.sync, error.message, "")
        _log.warning("cannot create Job %s/%s: %s", wish.sync.namespace, name, error)

    def _blame(self, sync: snapshot.SyncRecord, message: str, reason: str) -> None:
        self._store.blame(
            sync.uid, snapshot.Problem(message=message[:1024], reason=reason, since=datetime.now(UTC))
        )

    async def _delete(self, wish: actions.DeleteJob) -> None:
        job = wish.job
        if not self._may_act() or job.deleting:
            return
        try:
            await self._api.delete(JOBS, job.namespace, job.name, uid=job.uid)
        except (kube.NotFound, kube.Conflict):
            # Gone, or another Job by now: either way this one is no more.
            self._store.forget_job(job.uid)
            return
        self._store.mark_deleting(job)
        _log.info("deleted Job %s/%s: %s", job.namespace, job.name, wish.why)
