"""TLS for many connections to few hosts: a later one resumes the session of an earlier one.

Resuming spares the certificate's check and a signature (RFC 8446, section 2.2). Python keeps sessions with
their sockets; here the last socket of each host is asked for its session when the next one is made.
"""

import socket
import ssl
import weakref
from typing import Any


class ResumingContext(ssl.SSLContext):
    """A client's context whose sockets resume sessions of the same host. Thread-safe."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **settings: Any) -> ssl.SSLSocket:
        """As SSLContext's, with a session where one is known."""
        host = settings.get("server_hostname")
        settings.setdefault("session", self._session(host))
        wrapped = super().wrap_socket(sock, *args, **settings)
        self._sockets()[host] = weakref.ref(wrapped)
        return wrapped

    def _session(self, host: Any) -> ssl.SSLSession | None:
        last = self._sockets().get(host)
        earlier = last() if last is not None else None
        return earlier.session if earlier is not None else None

    def _sockets(self) -> dict[Any, "weakref.ref[ssl.SSLSocket]"]:
        sockets: dict[Any, weakref.ref[ssl.SSLSocket]] = self.__dict__.setdefault("sockets", {})
        return sockets


def client_context(ca_file: str | None) -> ssl.SSLContext:
    """A context that checks certificates and host names, by the system's authorities or a bundle's."""
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile=ca_file)
    return context
