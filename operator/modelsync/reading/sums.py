"""Several rows as one: counts, bytes, speed, time left, and a colour."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from modelsync.api.reasons import Phase
from modelsync.reading import amounts, badges, forecast
from modelsync.reading.forecast import Forecasts
from modelsync.reading.values import Bytes, Colour, Counts, Eta, Rate, Row, Speed, State


def counts(rows: Sequence[Row]) -> Counts:
    """The rows, counted; the parts sum up to the total."""
    found = Counter(row.counted for row in rows)
    return Counts(total=len(rows), **found)


def complete_text(counted: Counts) -> str:
    """`12 of 30 models`: those that are complete, of all that are not cancelled."""
    wanted = counted.total - counted.cancelled
    return f"{counted.complete} of {wanted} model{'' if wanted == 1 else 's'}"


def share(rows: Sequence[Row]) -> Bytes:
    """Bytes done of all: of those that are not cancelled and whose size is known."""
    return amounts.total(row.bytes for row in rows if row.phase != Phase.CANCELLED)


def speed(rows: Sequence[Row]) -> Speed | None:
    """The sum of the rows' speeds; None where none has one."""
    known = [row.speed.bytes_per_second for row in rows if row.speed is not None]
    return amounts.speed(sum(known)) if known else None


def network(rows: Sequence[Row]) -> Rate | None:
    """The sum of what the rows' workers carry; None where none says it."""
    known = [row.network for row in rows if row.network is not None]
    if not known:
        return None
    return amounts.rate(
        sum(rate.down.bytes_per_second for rate in known), sum(rate.up.bytes_per_second for rate in known)
    )


def eta(rows: Sequence[Row], memory: Forecasts | None, key: str, now: datetime) -> Eta | None:
    """Time until all that run or wait are there, at the speed of those that run.

    None while none runs: a queue that waits for something else has no end that could be reckoned. Where the
    size of some is not known yet, it is the least.
    """
    ahead = [row for row in rows if row.counted in ("active", "waiting")]
    sizes = [row.bytes.total - (row.bytes.done or 0) for row in ahead if row.bytes.total is not None]
    runs = any(row.speed is not None or row.eta is not None for row in rows)
    pace = speed(rows)
    return forecast.eta(
        memory,
        key,
        now,
        remaining=sum(sizes) if runs and sizes else None,
        speed=None if pace is None else pace.bytes_per_second,
        at_least=len(sizes) < len(ahead),
    )


def state(rows: Sequence[Row], counted: Counts | None = None, *, admits: bool = True) -> State:
    """The colour and word of several: failures first, then what stands still, then what runs.

    `counted` are the figures of a queue's status, which may hold more than the rows that a caller may see.
    """
    found = counts(rows) if counted is None else counted
    checks: tuple[tuple[bool, str, Colour], ...] = (
        (found.failed > 0, "Failed", Colour.RED),
        (_any(rows, _stands), "Stalled", Colour.AMBER),
        (_any(rows, lambda row: row.badge == badges.RETRYING), "Retrying", Colour.AMBER),
        (found.waiting > 0 and not admits, "Waiting", Colour.AMBER),
        (found.active > 0, "Active", Colour.BLUE),
        (found.waiting > 0, "Waiting", Colour.AMBER),
        (found.paused > 0, "Paused", Colour.GREY),
        (found.complete > 0, "Complete", Colour.GREEN),
    )
    for holds, word, colour in checks:
        if holds:
            return State(word=word, colour=colour)
    return State(word="Idle", colour=Colour.GREY)


def _stands(row: Row) -> bool:
    return row.badge in (badges.STALLED, badges.WAITING, badges.BLOCKED)


def _any(rows: Sequence[Row], holds: Callable[[Row], bool]) -> bool:
    return any(holds(row) for row in rows)
