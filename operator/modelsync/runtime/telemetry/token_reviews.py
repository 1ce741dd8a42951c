"""Whether a token is that of the page's server, by a TokenReview, which is the API server's word.

The token is a projected one for the audience of this port alone: the API server itself refuses it, so who
reads it on its way can ask for speeds until it expires, and for nothing else. Tokens are remembered as
digests, and never logged.

Anybody may be able to send tokens here, and each is a question to the API server. So at most a few are under
way at once, and a place is kept for a token that was right before: it is reviewed again each half minute,
also while somebody sends wrong ones.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modelsync import errors
from modelsync.api import naming
from modelsync.runtime.cluster import api_client
from modelsync.runtime.cluster.resources import TOKEN_REVIEWS
from modelsync.runtime.common import token_bucket

_log = logging.getLogger(__name__)
GOOD_SECONDS = 30.0
"""A token of a Pod that is gone is refused after so long."""
_BAD_SECONDS = 10.0
_REMEMBERED = 64
_UNDER_WAY = 4
_LONGEST_TOKEN = 8 * 1024


@dataclass(frozen=True, slots=True)
class _Verdict:
    good: bool
    until: float


class TokenReviews:
    """Reviews tokens of one user; `monotonic` is a clock in seconds."""

    def __init__(self, api: api_client.Kube, *, reader: str, monotonic: Callable[[], float]) -> None:
        self._api = api
        self._reader = reader
        self._monotonic = monotonic
        self._verdicts: OrderedDict[bytes, _Verdict] = OrderedDict()
        self._good: bytes | None = None
        """Digest of the last token that was right."""
        self._under_way: dict[bytes, asyncio.Task[bool | None]] = {}
        self._rate = token_bucket.Bucket(rate=5.0, burst=10.0)

    async def is_reader(self, token: str) -> bool | None:
        """Whether the token is the reader's; None where that cannot be found out now."""
        if not 0 < len(token) <= _LONGEST_TOKEN:
            return False
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verdicts.get(digest)
        if known is not None and self._monotonic() < known.until:
            return known.good
        task = self._under_way.get(digest)
        if task is None:
            if not self._has_room(digest):
                return None
            task = self._under_way[digest] = asyncio.ensure_future(self._ask(digest, token))
            task.add_done_callback(lambda _: self._under_way.pop(digest, None))
        # Who asked may go; others wait for the same answer.
        return await asyncio.shield(task)

    def _has_room(self, digest: bytes) -> bool:
        if digest == self._good:
            return True
        now = self._monotonic()
        if len(self._under_way) >= _UNDER_WAY or self._rate.wait(now, urgent=True) > 0:
            return False
        self._rate.take(now)
        return True

    async def _ask(self, digest: bytes, token: str) -> bool | None:
        try:
            good = self._is_good(await self._api.create(TOKEN_REVIEWS, None, _review(token)))
        except errors.KubeError as error:
            _log.warning("the page's server cannot be recognised: %s", error)
            return None
        self._remember(digest, good)
        return good

    def _remember(self, digest: bytes, good: bool) -> None:
        if good:
            self._good = digest
        elif digest == self._good:
            self._good = None
        seconds = GOOD_SECONDS if good else _BAD_SECONDS
        self._verdicts.pop(digest, None)
        self._verdicts[digest] = _Verdict(good, self._monotonic() + seconds)
        while len(self._verdicts) > _REMEMBERED:
            self._verdicts.popitem(last=False)

    def _is_good(self, answer: Any) -> bool:
        status = answer.get("status") or {}
        return (
            status.get("authenticated") is True
            and naming.HISTORY_AUDIENCE in (status.get("audiences") or ())
            and (status.get("user") or {}).get("username") == self._reader
        )


def _review(token: str) -> dict[str, Any]:
    return {
        "apiVersion": TOKEN_REVIEWS.api_version,
        "kind": TOKEN_REVIEWS.kind,
        "spec": {"token": token, "audiences": [naming.HISTORY_AUDIENCE]},
    }
