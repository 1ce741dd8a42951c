"""How many requests an origin answers in a window, and the words with which it refuses the others."""

import email.utils
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce</Message></Error>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A refusal, by the seconds until the next window."""

    headers: Callable[[float], Mapping[str, str]] = lambda _: {}
    status: int = 429
    body: bytes = b"no"


THE_HUB = Words(
    headers=lambda left: {
        "RateLimit": f'"api";r=0;t={math.ceil(left)}',
        "RateLimit-Policy": '"fixed window";"api";q=8;w=300',
    }
)
RETRY_AFTER = Words(headers=lambda left: {"Retry-After": str(math.ceil(left))}, status=503)
DATE = Words(
    headers=lambda left: {"Retry-After": email.utils.formatdate(time.time() + left + 1, usegmt=True)}
)
BY_THE_CLOCK = Words(
    headers=lambda left: {
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(math.ceil(time.time() + left)),
    },
    status=403,
)
S3 = Words(status=503, body=SLOW_DOWN)


@dataclass(slots=True, kw_only=True)
class Quota:
    """So many requests in each window of so many seconds, which begins with a request. Thread-safe."""

    requests: int
    seconds: float
    words: Words = THE_HUB
    refused: list[float] = field(default_factory=list)
    """When requests were refused, by the monotonic clock."""
    windows: int = 0
    _began: float = float("-inf")
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refusal(self) -> tuple[int, Mapping[str, str], bytes] | None:
        """Status, headers and body of the refusal of one more request; None when it is answered."""
        with self._lock:
            now = time.monotonic()
            if now - self._began >= self.seconds:
                self._began, self._count, self.windows = now, 0, self.windows + 1
            self._count += 1
            if self._count <= self.requests:
                return None
            self.refused.append(now)
            return self.words.status, self.words.headers(self._began + self.seconds - now), self.words.body
