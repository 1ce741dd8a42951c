"""How long to wait before the next try: one value for every retry of the product.

It is in `api` because the planner, the worker and the runtime all wait, and `api` is the one layer that all
of them may import; like a quantity it is a value without clock, chance or I/O. The caller draws the random
number, so that a planner can take it from a hash and find the same time whenever it plans.
"""

import datetime
import email.utils
import re
from dataclasses import dataclass

_MOST_STEPS = 100
"""Growth ends here at the latest: beyond any cap for every factor in use, and far from a float's end."""
_SPREAD_OF_ASKED = 0.1
"""Of an origin's own figure: it gives all its clients the same one, and they must not come back together."""
_SECONDS = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Capped exponential backoff with jitter."""

    first: float
    """Seconds after the first failure, before jitter."""
    factor: float = 2.0
    """What each further failure multiplies the wait by; at least 1."""
    cap: float
    """Most seconds before jitter."""
    jitter: float
    """How far a wait is spread to either side, as a share of itself: 0.1 is ±10 %, 1 is from 0 to double."""

    def wait(self, failures: int, *, random: float, asked: float | None = None) -> float:
        """Seconds to wait after `failures` failures in a row (less than one counts as one).

        `random` is a number from 0 to 1. `asked` is what the other side asked for, in seconds: the wait is
        the greater of that and our own, and jitter only ever adds to it, so nobody is asked too early.
        """
        grown = min(self.cap, self.first * self.factor ** min(max(failures - 1, 0), _MOST_STEPS))
        own = grown * (1 + self.jitter * (2 * random - 1))
        if asked is None:
            return own
        spread = self.jitter * max(grown, _SPREAD_OF_ASKED * asked)
        return max(own, asked + random * spread)


def retry_after(value: str | None, *, now: float, longest: float) -> float | None:
    """Seconds that a Retry-After header asks for, from 0 to `longest`; None where it makes no sense.

    A number (of whole seconds by RFC 9110; some origins send fractions) or an HTTP date, which is compared
    with `now`, in seconds since the epoch. A negative number makes none; a date that has passed is 0.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), longest)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.UTC)
    return min(max(0.0, when.timestamp() - now), longest)
