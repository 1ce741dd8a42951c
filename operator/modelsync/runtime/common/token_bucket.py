"""How many writes a second the API server gets from us: one token bucket, transitions first.

Pure arithmetic on times that are handed in, so that a test can play an hour in a millisecond.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from modelsync.runtime.common import fair_shares


@dataclass(slots=True, kw_only=True)
class Bucket:
    """A token bucket of `rate` a second with room for `burst`; half of it is kept for transitions.

    A class needs one token above what is kept from it, so `burst` has to be 2 at least: see `burst`.
    """

    rate: float
    burst: float
    _tokens: float = -1.0
    _at: float = 0.0

    def wait(self, now: float, *, urgent: bool) -> float:
        """Seconds until a write may go; 0 when it may go now. Takes nothing."""
        self._refill(now)
        missing = self._floor(urgent) + 1 - self._tokens
        return 0.0 if missing <= 1e-9 else missing / self.rate

    def take(self, now: float) -> None:
        """A write goes."""
        self._refill(now)
        self._tokens -= 1

    def _floor(self, urgent: bool) -> float:
        return 0.0 if urgent else self.burst / 2

    def _refill(self, now: float) -> None:
        if self._tokens < 0 and self._at == 0.0:
            self._tokens, self._at = self.burst, now
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._at) * self.rate)
        self._at = max(self._at, now)


def burst(rate: float) -> float:
    """Room for a rate: what comes in two seconds, and always a token for each class of writes."""
    return max(2.0, 2 * rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distances:
    """Seconds between two progress writes of one object: 1 Hz for few, and all fit into 3/4 of the rate.

    Namespaces share that: one with many objects gets what those with few leave.
    """

    active: Mapping[str, int]
    """Objects that report progress, by namespace."""
    level: float
    """Writes a second that a namespace may have."""

    def of(self, namespace: str) -> float:
        """The distance in a namespace."""
        return max(1.0, self.active.get(namespace, 0) / self.level)


def distances(active: Mapping[str, int], rate: float) -> Distances:
    """The distances at a rate of writes a second."""
    return Distances(active=active, level=fair_shares.level(active.values(), 0.75 * rate))
