"""What the web server can be set to, and the limits that it keeps whatever is set."""

from dataclasses import dataclass, field
from enum import StrEnum


class Mode(StrEnum):
    """Whose rights a request has."""

    LAPTOP = "laptop"
    """`modelsync dashboard`: those of the kubeconfig, for anyone who has the session token of the URL."""
    CLUSTER = "cluster"
    """`modelsync web`: those of the bearer token that the caller brings; the server has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds against callers that take too much; tests make them small."""

    body_bytes: int = 256 * 1024
    """A ModelSync with 256 URLs of 2,000 characters does not fit; no ordinary one comes near."""
    header_seconds: float = 10.0
    """From connecting, or from the first byte of a further request, to the end of its headers."""
    body_seconds: float = 15.0
    send_seconds: float = 15.0
    """A client that takes nothing for so long is cut."""
    keep_alive_seconds: int = 15
    connections: int = 1_500
    streams: int = 1_000
    streams_per_caller: int = 250
    feeds: int = 200
    """Sets of watches at the API server, one for each caller and choice of namespaces."""
    requests_per_second: float = 50.0
    """Of one caller, with a burst of four times as many."""
    failed_logins_per_minute: float = 10.0
    """Of one address, and ten times as many in all."""
    session_seconds: int = 8 * 3600
    heartbeat_seconds: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """Settings of one server."""

    mode: Mode
    hosts: tuple[str, ...]
    """What a request's Host may be: names, with any port, or name:port."""
    token_header: str | None = None
    """Header in which a proxy in front (oauth2-proxy) forwards the caller's token; CLUSTER only."""
    session_token: str | None = None
    """The token of the URL; LAPTOP only."""
    session_key: bytes | None = field(default=None, repr=False)
    """By which sessions are encrypted (sessions.KEY_BYTES); with None they end with the process."""
    secure_cookie: bool = True
    """False on a laptop's loopback, which has no TLS."""
    read_only: bool = False
    namespaces: tuple[str, ...] = ()
    """Namespaces to try for a caller who may not list ModelSyncs of all."""
    operator_namespace: str = "modelsync-system"
    """Where the SyncQueues are."""
    limits: Limits = Limits()
