"""Why a Job has no Pod, or a Pod does not start: asked of the Events, only when it is not known otherwise.

A quota or an admission policy that refuses a Pod, or a Secret that cannot be mounted, stands in Events alone.
Watching all Events of a cluster for that would cost more than everything else together, so the Events of one
blocked object are listed, a few seconds after it should have moved on, and rarer the longer it stays.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from modelsync.api.common import untrusted
from modelsync.api.common.backoff import Backoff
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import api_client, cache, parsing
from modelsync.runtime.cluster.resources import EVENTS

_log = logging.getLogger(__name__)
_PATIENCE = timedelta(seconds=2)
_SHORT = timedelta(seconds=1)
"""Where Events alone say what a person must fix: a Job without a Pod, a Pod that mounts a Secret."""
_IN_FLIGHT = 8
EXPLAINING = frozenset(
    {"FailedCreate", "FailedMount", "FailedAttachVolume", "FailedBinding", "FailedCreatePodSandBox"}
)


class Diagnosis:
    """Looks for the Warning Events of blocked Jobs and Pods."""

    def __init__(
        self,
        api: api_client.Kube,
        known: cache.Store,
        *,
        may_act: Callable[[], bool],
        interval: float = 0.5,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = api
        self._store = known
        self._may_act = may_act
        self._interval = interval
        self._clock = clock
        self._backoff = Backoff(first=2 * interval, cap=30.0, jitter=0.1)
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        self._due: dict[str, float] = {}
        self._asked: dict[str, int] = {}

    async def run(self) -> None:
        """Look forever."""
        while True:
            await asyncio.sleep(self._interval)
            if self._may_act():
                await self.look(self._clock())

    async def look(self, now: datetime) -> None:
        """Ask once about each object that is blocked and whose turn it is."""
        blocked = dict(self.blocked(now))
        for uid in self._asked.keys() - blocked.keys():
            self._due.pop(uid, None)
            self._asked.pop(uid)
            self._store.clear_problem(uid)
        asked = []
        clock = asyncio.get_running_loop().time()
        for uid, namespace in blocked.items():
            if clock < self._due.get(uid, 0.0):
                continue
            self._asked[uid] = self._asked.get(uid, 0) + 1
            self._due[uid] = clock + self._backoff.wait(self._asked[uid], random=random.random())
            asked.append(self._ask(uid, namespace))
        await asyncio.gather(*asked)  # one that does not answer keeps no other one waiting

    def blocked(self, now: datetime) -> Iterator[tuple[str, str]]:
        """Uid and namespace of each Job without a Pod and each Pod that does not start, after a while."""
        with_pod = {pod.job_uid for pod in self._store.pods.values()}
        for job in filter(self._store.believes, self._store.jobs.values()):
            active = job.state is snapshot.JobState.ACTIVE and not job.deleting and not job.suspended
            if active and job.uid not in with_pod and now - job.created >= _SHORT:
                yield job.uid, job.namespace
        for pod in self._store.pods.values():
            waits = pod.phase == "Pending" and pod.running_since is None and not pod.unschedulable
            sync = self._store.works_for(pod) if waits and not pod.deleting else None
            if sync is None:
                continue
            mounts_secret = bool(pod.node) and sync.spec.source.secret_name is not None
            if now - pod.created >= (_SHORT if mounts_secret else _PATIENCE):
                yield pod.uid, pod.namespace

    async def _ask(self, uid: str, namespace: str) -> None:
        last: list[api_client.Object] = []

        def take(event: api_client.Object, whole: bool) -> None:
            if _is_informative(event):  # one is kept at a time: anybody can make many Events
                last[:] = [max((*last, event), key=_at)]

        try:
            selector = f"involvedObject.uid={uid},type=Warning"
            async with self._slots:
                await self._api.read_list(EVENTS, namespace, take, field_selector=selector, limit=50)
        except api_client.ApiError as error:
            _log.warning("cannot list the Events of a blocked object: %s", error)
            return
        problem = newest(last)
        if problem is not None:
            self._store.set_problem(uid, problem)


def newest(events: list[api_client.Object]) -> snapshot.StartProblem | None:
    """The last Event that says why an object is blocked."""
    last = max(filter(_is_informative, events), key=_at, default=None)
    if last is None:
        return None
    return snapshot.StartProblem(message=untrusted.clean(last["message"], 1024), reason=str(last["reason"]))


def _is_informative(event: api_client.Object) -> bool:
    reason = event.get("reason")
    return isinstance(reason, str) and reason in EXPLAINING and isinstance(event.get("message"), str)


def _at(event: api_client.Object) -> datetime:
    """When an Event was last seen."""
    meta = event.get("metadata")
    made = meta.get("creationTimestamp") if isinstance(meta, dict) else None
    for text in (event.get("lastTimestamp"), event.get("eventTime"), made):
        found = parsing.timestamp(text)
        if found is not None:
            return found
    return datetime.min.replace(tzinfo=UTC)
