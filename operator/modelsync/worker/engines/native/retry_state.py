"""How often a file has started over from zero, and whether it may once more."""

from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure


class RetryState:
    """Of one file, over all its copies. Not thread-safe: its part's lock guards it."""

    __slots__ = ("_furthest", "_reasons", "_rewinds")

    def __init__(self) -> None:
        self._reasons: set[Reason] = set()
        self._rewinds = 0
        self._furthest = -1
        """Bytes at the last rewind."""

    def restart(self, failure: Failure) -> None:
        """Count a start for a reason; raises the failure the second time."""
        if failure.reason in self._reasons:
            raise failure
        self._reasons.add(failure.reason)

    def rewind(self, furthest: int, most: int) -> None:
        """Count a start because the origin sends whole files only, at most `most` in a row that got no
        further than the one before; raises Failure."""
        self._rewinds = 1 if furthest > self._furthest else self._rewinds + 1
        self._furthest = furthest
        if self._rewinds > most:
            text = "The origin serves no ranges and cuts the connection before the end of the file."
            raise Failure(Reason.ORIGIN_ERROR, text)
