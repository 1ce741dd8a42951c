"""Notices an origin that trickles: one byte now and then keeps any timeout from striking.

Only the time spent waiting for the origin counts, so neither our own bandwidth limit nor a slow volume can
make an origin look slow.
"""

from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.retry import Transient

FLOOR = 256
"""Bytes per second and connection below which another connection is tried; even a saturated
link is faster, and a terabyte would take a century."""
TIMEOUTS = 3
"""Length of the window in timeouts."""


class Trickle(Transient):
    """The origin sends, but next to nothing. Bytes that come so slowly do not renew the budget of retries."""


class Pace:
    """Watches one answer's body."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        self._path = path
        self._window = TIMEOUTS * timeout_seconds
        self._waited = 0.0
        self._count = 0

    def check(self, seconds: float, count: int) -> None:
        """Count bytes and the seconds waited for them; raises Trickle after a window below the floor."""
        self._waited += seconds
        self._count += count
        if self._waited < self._window:
            return
        if self._count < FLOOR * self._waited:
            text = f"The origin sends less than {FLOOR} bytes per second of {self._path}."
            raise Trickle(Failure(Reason.NETWORK_ERROR, text))
        self._waited, self._count = 0.0, 0
