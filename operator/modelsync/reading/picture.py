"""Everything at one moment: rows, groups, queues and the whole."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from modelsync.reading import queues, rows, sums
from modelsync.reading.forecast import Forecasts
from modelsync.reading.values import Group, Node, Picture, Queue, Row, Whole

_TITLE = "modelsync"


def read(
    syncs: Iterable[Mapping[str, Any]],
    syncqueues: Iterable[Mapping[str, Any]],
    now: datetime,
    memory: Forecasts | None = None,
) -> Picture:
    """The picture of objects as the API server returned them."""
    return of_rows([rows.read(sync, now, memory) for sync in syncs], syncqueues, now, memory)


def of_rows(
    read_rows: Iterable[Row],
    syncqueues: Iterable[Mapping[str, Any]],
    now: datetime,
    memory: Forecasts | None = None,
) -> Picture:
    """The picture of rows that were read already."""
    found = sorted(read_rows, key=attention)
    return Picture(
        time=now,
        rows=tuple(found),
        groups=_groups(found, memory, now),
        queues=_queues(found, syncqueues, now),
        whole=whole(found, now, memory),
    )


def attention(row: Row) -> tuple[int, str, str]:
    """Sorts rows: what needs somebody first, then what runs, then what waits in its order."""
    return (row.attention, row.namespace, row.name)


def whole(
    found: Sequence[Row],
    now: datetime,
    memory: Forecasts | None = None,
) -> Whole:
    """All rows as one."""
    counted, share = sums.counts(found), sums.share(found)
    busy = counted.active + counted.waiting > 0 and share.percent is not None
    return Whole(
        counts=counted,
        state=sums.state(found),
        bytes=share,
        speed=sums.speed(found),
        eta=sums.eta(found, memory, "total", now),
        complete_text=sums.complete_text(counted),
        network=sums.network(found),
        title=f"({int(share.percent or 0)}%) {_TITLE}" if busy else _TITLE,
    )


def nodes(found: Sequence[Row]) -> tuple[Node, ...]:
    """What the active rows do on each node, by name."""
    members: defaultdict[str, list[Row]] = defaultdict(list)
    for row in found:
        if row.badge.active and row.node is not None:
            members[row.node].append(row)
    return tuple(
        Node(name=name, syncs=len(on_it), speed=sums.speed(on_it), network=sums.network(on_it))
        for name, on_it in sorted(members.items())
    )


def _groups(found: Sequence[Row], memory: Forecasts | None, now: datetime) -> tuple[Group, ...]:
    members: defaultdict[str, list[Row]] = defaultdict(list)
    for row in found:
        members[row.group or row.namespace].append(row)
    return tuple(_group(name, members[name], memory, now) for name in sorted(members))


def _group(name: str, members: Sequence[Row], memory: Forecasts | None, now: datetime) -> Group:
    return Group(
        name=name,
        namespaces=tuple(sorted({row.namespace for row in members})),
        counts=sums.counts(members),
        state=sums.state(members),
        bytes=sums.share(members),
        speed=sums.speed(members),
        eta=sums.eta(members, memory, f"group/{name}", now),
        rows=tuple(f"{row.namespace}/{row.name}" for row in members),
    )


def _queues(
    found: Sequence[Row], syncqueues: Iterable[Mapping[str, Any]], now: datetime
) -> tuple[Queue, ...]:
    members: defaultdict[str, list[Row]] = defaultdict(list)
    for row in found:
        members[row.queue].append(row)
    there = {name: queue for queue in syncqueues if (name := queues.name_of(queue))}
    read_ = [queues.read(queue, members.get(name, ()), now) for name, queue in there.items()]
    read_ += [queues.missing(name, members[name], now) for name in members.keys() - there.keys()]
    return tuple(sorted(read_, key=lambda queue: queue.name))
