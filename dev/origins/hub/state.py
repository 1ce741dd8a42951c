"""What a Hub knows: repositories, accounts and signed URLs."""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from dev.origins.hub.repository import File, Kind, Repository
from dev.origins.serving.messages import Object


@dataclass
class Signer:
    """Makes and checks the query of a CDN URL: who holds it may read that path until it expires."""

    lifetime: float = 3600.0
    """Seconds; may be changed while the server runs, for the URLs signed from then on."""
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def query(self, path: str) -> str:
        """A query that is valid for a path from now on."""
        expires = f"{time.time() + self.lifetime:.3f}"
        return urlencode({"Expires": expires, "Signature": self._signature(path, expires)})

    def valid(self, path: str, expires: str, signature: str) -> bool:
        """Whether a query fits its path and has not expired."""
        if not hmac.compare_digest(signature.encode(), self._signature(path, expires).encode()):
            return False
        return float(expires) > time.time()

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._key, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()


@dataclass
class State:
    """A Hub's whole state; tests change it from their own thread between requests."""

    repositories: dict[tuple[Kind, str], Repository] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    """By the old name of a repository: its new one."""
    tokens: dict[str, frozenset[str] | None] = field(default_factory=dict)
    """By token: the gated and private repositories that it opens; None for all of them."""
    page_size: int = 50
    """Entries of a tree in one page."""
    signer: Signer = field(default_factory=Signer)
    cdn_port: int | None = None
    """Port of the CDN's own listener; None where the Hub's serves it."""
    cas_port: int | None = None
    """Port of the listener of Xet's CAS; None where the Hub's serves it."""
    _objects: dict[tuple[str, str], Object] = field(default_factory=dict)

    def object(self, file: File) -> Object:
        """A file as it is served; a fault may replace it for good."""
        made = Object(content=file.content, etag=f'"{file.etag}"')
        return self._objects.setdefault((file.path, file.sha256), made)
