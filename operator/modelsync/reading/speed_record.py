"""Whose speeds they were: a history by namespace, so that an answer holds what its caller may list.

Every key but two kinds begins with a namespace, and a question names the namespaces that it is about. A
ModelSync is known by its uid: one that was deleted and created again under its name begins a record of its
own. A namespace's record ends with its last ModelSync, since the next namespace of that name may belong to
somebody else. `total` and `queue/NAME` are over all namespaces, and are read for who may list them all.

A clock that goes forward leaves a gap. One that is set back by more than a minute begins the record again,
since figures of two times would are in one step.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from modelsync.api.common.base import Value
from modelsync.reading.history import MOST_STEPS, TOTAL, CutReason, History, Keeper, Series

INTERVAL = timedelta(seconds=5)
_SET_BACK = timedelta(seconds=60)
_COARSEST = timedelta(seconds=60)
"""The longest step: so long a sum that has become 0 is recorded as such, and its step is an average."""
_MOST_STEPS = {Keeper.OPERATOR: MOST_STEPS, Keeper.WEB_SERVER: MOST_STEPS // 6}
"""The page's server has a record for each caller: 2 MB of figures, 230 downloads at once for a day."""
_NEVER = datetime.max.replace(tzinfo=UTC)
_Steps = tuple[int | None, ...]
_Name = Annotated[str, Field(pattern=r"^[^/]{1,253}$")]
"""Part of a key, which has its slashes from here alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A ModelSync at one moment."""

    namespace: str
    uid: str
    queue: str
    bytes_per_second: float | None
    """None while no byte comes, or nobody knows."""
    sent_per_second: float | None = None
    """Bytes that its worker's network devices send; None where nobody knows."""


class Question(Value):
    """Which speeds: of a ModelSync, of a queue, or of all, within some namespaces."""

    span: str
    """`5m`, `1h` or `24h`."""
    namespaces: tuple[_Name, ...] | None = None
    """None is all of the cluster's, for who may list them."""
    queue: _Name | None = None
    sync: _Name | None = None
    """Uid of a ModelSync of the one namespace that is named."""


class SpeedRecord:
    """A history that is sampled each INTERVAL; no clock of its own."""

    def __init__(self, now: datetime, keeper: Keeper) -> None:
        self._keeper = keeper
        self._because = CutReason.OPERATOR_STARTED if keeper is Keeper.OPERATOR else CutReason.PAGE_OPENED
        self._begin(now)

    def _begin(self, now: datetime) -> None:
        self.history = History(now, most_steps=_MOST_STEPS[self._keeper])
        self._sampled = now - INTERVAL
        self._namespaces: dict[str, datetime] = {}
        """Since when each namespace is seen."""
        self._ran: dict[str, datetime] = {}
        """When bytes last came, of the sums that were not 0 a moment ago."""

    def is_due(self, now: datetime) -> bool:
        """Whether it is time for a sample."""
        return now < self._sampled - _SET_BACK or _step(now) > _step(self._sampled)

    def sample(self, now: datetime, flows: Collection[Flow]) -> None:
        """Take in all ModelSyncs that there are; what came sooner than the interval is left out."""
        if now < self._sampled - _SET_BACK:
            self._begin(now)
            self._because = CutReason.CLOCK_SET_BACK
        if not self.is_due(now):
            return
        self._sampled = now
        self._forget_missing(now, flows)
        of_syncs, sums = _speeds(flows)
        self._ran = {key: at for key, at in self._ran.items() if now - at < _COARSEST}
        self._ran |= dict.fromkeys(sums, now)
        stopped = dict.fromkeys(self._ran.keys() - sums.keys(), 0.0)
        # The sums last: beyond the bound, what was recorded longest ago is dropped.
        self.history.record(now, {**of_syncs, **stopped, **sums, TOTAL: sums.get(TOTAL, 0.0)}, _sent(flows))

    def _forget_missing(self, now: datetime, flows: Iterable[Flow]) -> None:
        there = {f"sync/{flow.namespace}/{flow.uid}": flow.namespace for flow in flows}
        namespaces = set(there.values())
        gone = self._namespaces.keys() - namespaces
        self._namespaces = {each: self._namespaces.get(each, now) for each in namespaces}
        for key in tuple(self.history.keys()):
            kind, *name = key.split("/")
            if (kind == "sync" and key not in there) or (len(name) == 2 and name[0] in gone):
                self._drop(key)
        for namespace in gone:
            self._drop(f"namespace/{namespace}")
            self._drop(f"sent/{namespace}")

    def _drop(self, key: str) -> None:
        self.history.forget(key)
        self._ran.pop(key, None)

    def answer(self, question: Question, now: datetime) -> Series:
        """The speeds; raises ValueError where the question is none."""
        if question.sync is not None and (question.queue or len(question.namespaces or ()) != 1):
            raise ValueError("sync: name its one namespace and no queue")
        found = self._found(question, now)
        return found.replace(kept_by=self._keeper, cut_reason=self._because if found.cut else None)

    def _found(self, question: Question, now: datetime) -> Series:
        namespaces, whole = question.namespaces, self.history.series(TOTAL, question.span, now)
        if namespaces is None and question.queue is None:
            return whole
        if namespaces is None:
            parts = self._parts([f"queue/{question.queue}"], question, now)
            return whole.replace(down=_sums(parts, whole, whole.down), up=())
        if question.sync is not None:
            return self.history.series(f"sync/{namespaces[0]}/{question.sync}", question.span, now)
        kind = "namespace" if question.queue is None else "queue"
        last = "" if question.queue is None else f"/{question.queue}"
        each_once = dict.fromkeys(namespaces)
        since = min(
            (self._namespaces[each] for each in each_once if each in self._namespaces), default=_NEVER
        )
        down = self._parts([f"{kind}/{each}{last}" for each in each_once], question, now)
        found = whole.replace(down=_sums(down, whole, whole.down, since), up=())
        if question.queue is not None:
            return found
        sent = self._parts([f"sent/{each}" for each in each_once], question, now)
        return found.replace(up=_sums(sent, whole, whole.up, since))

    def _parts(self, keys: Iterable[str], question: Question, now: datetime) -> list[_Steps]:
        recorded = set(self.history.keys())
        return [self.history.series(key, question.span, now).down for key in keys if key in recorded]


def _step(now: datetime) -> int:
    """Number of a step of the history: each of them takes one sample, or there would be holes."""
    return int(now.timestamp() // INTERVAL.total_seconds())


def _sums(parts: Sequence[_Steps], whole: Series, sampled: _Steps, since: datetime | None = None) -> _Steps:
    """Sums, step by step: 0 where the whole was sampled and nothing of it ran, unknown before `since`."""
    sums: list[int | None] = []
    for step, figure in enumerate(sampled):
        figures = [part[step] for part in parts if part[step] is not None]
        end = whole.start + timedelta(seconds=whole.step_seconds * (step + 1))
        idle = 0 if figure is not None and (since is None or end > since) else None
        sums.append(sum(filter(None, figures)) if figures else idle)
    return tuple(sums)


def _speeds(flows: Iterable[Flow]) -> tuple[dict[str, float], dict[str, float]]:
    """Of every ModelSync that downloads, and of the sums that they make."""
    of_syncs: dict[str, float] = {}
    sums: defaultdict[str, float] = defaultdict(float)
    for flow in flows:
        if flow.bytes_per_second is None:
            continue
        of_syncs[f"sync/{flow.namespace}/{flow.uid}"] = flow.bytes_per_second
        if flow.sent_per_second is not None:
            sums[f"sent/{flow.namespace}"] += flow.sent_per_second
        for key in (
            f"namespace/{flow.namespace}",
            f"queue/{flow.namespace}/{flow.queue}",
            f"queue/{flow.queue}",
            TOTAL,
        ):
            sums[key] += flow.bytes_per_second
    return of_syncs, dict(sums)


def _sent(flows: Iterable[Flow]) -> float | None:
    """What all send: of those that say it, where some run; None where none of these does."""
    running = [flow.sent_per_second for flow in flows if flow.bytes_per_second is not None]
    known = [sent for sent in running if sent is not None]
    return sum(known) if known or not running else None
