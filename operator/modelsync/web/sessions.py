"""Who a request is from: a bearer token, one that a proxy forwards, or a cookie in which one is sealed.

The server stores no token. The cookie holds it encrypted (AES-GCM) with its own end, under a key that lives
in this process, or in a file in memory beside it, so a stolen disk has nothing and logging out is forgetting
the cookie. Tokens are known by a keyed hash, by which watches are shared and failed logins are counted.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
_PURPOSE = b"modelsync session"
MOST_COOKIE = 3_900
"""Characters that browsers keep of a cookie, less its name and attributes."""
_MOST_TOKEN = 16_384


_KEY = 32
KEY_BYTES = 2 * _KEY
"""Of AES-256, and of the hash by which tokens are known."""


class TooLong(ValueError):
    """The token does not fit into a cookie."""


def is_token(text: str) -> bool:
    """Whether a text may be a bearer token: printable ASCII without blanks, of a sane length."""
    return 0 < len(text) <= _MOST_TOKEN and text.isascii() and text.isprintable() and " " not in text


def kept_key(path: Path) -> bytes:
    """The key in a file that only its owner may read, made if it is absent; raises OSError, ValueError."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise ValueError("others may read it; remove it, and a new one is made")
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise ValueError(f"it does not hold {KEY_BYTES} bytes; remove it, and a new one is made")
    return key


class Seal:
    """Puts a token into a cookie and takes it out again."""

    def __init__(self, *, seconds: int, clock: Callable[[], float], key: bytes | None = None) -> None:
        """`key` has KEY_BYTES; None makes one that nobody else has."""
        key = secrets.token_bytes(KEY_BYTES) if key is None else key
        self._cipher = AESGCM(key[:_KEY])
        self._hash_key = key[_KEY:]
        self._seconds = seconds
        self._clock = clock

    def close(self, token: str) -> str:
        """The cookie's value; raises TooLong."""
        end = int(self._clock()) + self._seconds
        nonce = secrets.token_bytes(_NONCE)
        packed = zlib.compress(token.encode("ascii"), 9)
        sealed = nonce + self._cipher.encrypt(nonce, end.to_bytes(8, "big") + packed, _PURPOSE)
        text = base64.urlsafe_b64encode(sealed).decode("ascii").rstrip("=")
        if len(text) > MOST_COOKIE:
            raise TooLong
        return text

    def open(self, text: str) -> str | None:
        """The token; None for a cookie that is not ours, was changed, or is too old."""
        if len(text) > MOST_COOKIE:
            return None
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            inside = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _PURPOSE)
        except (InvalidTag, ValueError, binascii.Error):
            return None
        if int.from_bytes(inside[:8], "big") <= self._clock():
            return None
        return zlib.decompress(inside[8:]).decode("ascii")

    def key_of(self, token: str) -> str:
        """A name for the token that gives nothing away."""
        return hmac.new(self._hash_key, token.encode(), hashlib.sha256).hexdigest()[:32]


class Buckets:
    """Token buckets by key; the number of keys is bounded, and the one that was used longest ago gives
    way."""

    def __init__(
        self, rate: float, burst: float, *, clock: Callable[[], float], most_keys: int = 10_000
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._most_keys = most_keys
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def _level(self, key: str) -> float:
        level, seen = self._levels.get(key, (self._burst, self._clock()))
        return min(self._burst, level + (self._clock() - seen) * self._rate)

    def wait(self, key: str) -> float:
        """Seconds until the key may take one; 0 when it may now."""
        level = self._level(key)
        return 0.0 if level >= 1 else (1 - level) / self._rate

    def take(self, key: str) -> float:
        """Take one, and return 0; or seconds to wait, and take none."""
        wait = self.wait(key)
        if wait == 0:
            self._levels[key] = (self._level(key) - 1, self._clock())
            self._levels.move_to_end(key)
            if len(self._levels) > self._most_keys:
                self._levels.popitem(last=False)
        return wait


_EVERYBODY = "*"
_REMEMBERED = 1_000


class Logins:
    """Bounds failed logins of an address and in all.

    A token that the API server has taken lately is not bounded: behind a proxy all callers share an address,
    and one who guesses tokens there must not shut the others out.
    """

    def __init__(self, per_minute: float, *, clock: Callable[[], float]) -> None:
        self._of_address = Buckets(per_minute / 60, per_minute, clock=clock)
        self._in_all = Buckets(per_minute / 6, per_minute * 10, clock=clock)
        self._clock = clock
        self._good: OrderedDict[str, float] = OrderedDict()

    def wait(self, address: str, key: str) -> float:
        """Seconds until this address may try this token; 0 when it may now."""
        if self._clock() - self._good.get(key, -1e9) < 600:
            return 0.0
        return max(self._of_address.wait(address), self._in_all.wait(_EVERYBODY))

    def succeeded(self, key: str) -> None:
        """The API server took the token."""
        self._good[key] = self._clock()
        self._good.move_to_end(key)
        if len(self._good) > _REMEMBERED:
            self._good.popitem(last=False)

    def failed(self, address: str, key: str) -> None:
        """The API server did not take it, or it was none."""
        self._good.pop(key, None)
        self._of_address.take(address)
        self._in_all.take(_EVERYBODY)
