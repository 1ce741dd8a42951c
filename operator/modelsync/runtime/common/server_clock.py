"""The cluster's time: the API server's, by the Date of its answers.

Objects carry times of the cluster's clocks, so deadlines and waits are measured by the same clock; this
machine's own may be wrong by an hour. A Date has whole seconds and an answer takes time, so each one only
says between which bounds the difference of the two clocks is: it is changed when they contradict it, and by
as little as they allow. Where both clocks are right it stays 0.
"""

import email.utils
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_log = logging.getLogger(__name__)
_NEWS = timedelta(seconds=5)
"""A change of the difference that an administrator should know of."""


def system() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


class ClusterClock:
    """The API server's time; see the module."""

    def __init__(self, own: Callable[[], datetime] = system) -> None:
        self._own = own
        self._ahead = timedelta()
        """How far the API server's clock is ahead of ours."""

    def now(self) -> datetime:
        """The API server's time, as far as is known; a second off at most."""
        return self._own() + self._ahead

    def hear(self, date: str | None, sent: datetime) -> None:
        """Take the Date of an answer whose request was sent at `sent` by `read`; nonsense is ignored."""
        try:
            server_time = email.utils.parsedate_to_datetime(date or "")
        except ValueError:
            return
        if server_time.tzinfo is None:
            return
        least, most = server_time - self._own(), server_time + timedelta(seconds=1) - sent
        before, self._ahead = self._ahead, min(max(self._ahead, least), most)
        if abs(self._ahead - before) > _NEWS:
            seconds = self._ahead.total_seconds()
            _log.warning("the API server's clock is %+.0f s from ours; its time counts", seconds)

    def read(self) -> datetime:
        """This machine's own time, for `hear`."""
        return self._own()
