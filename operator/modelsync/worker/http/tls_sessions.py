"""TLS for many connections to few hosts: a later one resumes the session of an earlier one.

Resuming spares the certificate's check and a signature (RFC 8446, section 2.2). Python keeps sessions with
their sockets, so each socket is asked for its session when its first exchange is over: sooner there may be
none, and a socket that another thread reads from must not be asked at all.
"""

import contextlib
import functools
import socket
import ssl
import threading
from typing import Any

_ONCE = threading.Lock()


class ResumingContext(ssl.SSLContext):
    """A client's context whose sockets resume sessions of the same host. Thread-safe."""

    def __init__(self, _protocol: int) -> None:
        self._sessions: dict[Any, ssl.SSLSession | None] = {}

    def wrap_socket(self, sock: socket.socket, *args: Any, **settings: Any) -> ssl.SSLSocket:
        """As SSLContext's, with a session where one is known."""
        settings.setdefault("session", self._sessions.get(settings.get("server_hostname")))
        return super().wrap_socket(sock, *args, **settings)

    def remember(self, connected: ssl.SSLSocket) -> None:
        """Keep a socket's session for later ones; only its own thread may call this."""
        with contextlib.suppress(ValueError):
            self._sessions[connected.server_hostname] = connected.session


def client_context(ca_file: str | None) -> ResumingContext:
    """A context that checks certificates and host names, by the system's authorities or a bundle's.

    Made once, when it is needed, as loading the authorities takes 20 to 50 ms.
    """
    with _ONCE:
        return _loaded(ca_file)


@functools.cache
def _loaded(ca_file: str | None) -> ResumingContext:
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile=ca_file)
    return context
