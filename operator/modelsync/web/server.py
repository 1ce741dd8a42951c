"""The HTTP server around the application: one process, one event loop, bounded connections and times.

uvicorn's h11 protocol is the stricter of its two, but waits without end for a request's headers, and for a
client to take an answer; here each connection has deadlines for both.
"""

import asyncio
import contextlib
import logging
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from modelsync.web.config import Limits
from modelsync.web.guard import Application, Gone

_LOG = logging.getLogger(__name__)
_MOST_HEADERS = 32 * 1024


def protocol(limits: Limits) -> type[H11Protocol]:
    """The protocol with a deadline for the headers of each request."""

    class Bounded(H11Protocol):
        """One connection."""

        waiting: asyncio.TimerHandle | None = None
        taking: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.abort()
                return
            self._expect()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop_expecting()
            elif self.waiting is None and not self.transport.is_closing():
                self._expect()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_expecting()
            if self.taking is not None:
                self.taking.cancel()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            self._stop_expecting()
            super().on_response_complete()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._watch_buffer(self.transport.get_write_buffer_size())

        def _watch_buffer(self, before: int) -> None:
            """Cut a client that has taken nothing meanwhile; a slow one goes on."""
            left = self.transport.get_write_buffer_size()
            if self.taking is not None and left >= before:
                self.transport.abort()
            elif self.flow.write_paused:
                self.taking = self.loop.call_later(limits.send_seconds, self._watch_buffer, left)

        def resume_writing(self) -> None:
            if self.taking is not None:
                self.taking.cancel()
                self.taking = None
            super().resume_writing()

        def _expect(self) -> None:
            self.waiting = self.loop.call_later(limits.header_seconds, self.transport.abort)

        def _stop_expecting(self) -> None:
            if self.waiting is not None:
                self.waiting.cancel()
                self.waiting = None

    return Bounded


class _CutOffIsNoError(logging.Filter):
    """A client that was cut has been dealt with; it is not worth a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the record."""
        return not (record.exc_info and isinstance(record.exc_info[1], Gone))


class Server(uvicorn.Server):
    """uvicorn, stopped by an event in place of signals."""

    def capture_signals(self) -> Any:
        """Leave the signals to the command."""
        return contextlib.nullcontext()


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # What a client that takes nothing may hold of the kernel; inherited by each connection.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
    listening.bind((host, port))
    listening.listen(1024)
    listening.setblocking(False)
    return listening


async def serve(app: Application, listening: socket.socket, limits: Limits, stop: asyncio.Event) -> None:
    """Serve until the event is set; streams are cut then."""
    settings = uvicorn.Config(
        app,
        http=protocol(limits),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=limits.keep_alive_seconds,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=_MOST_HEADERS,
    )
    logging.getLogger("uvicorn.error").addFilter(_CutOffIsNoError())
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    server = Server(settings)

    async def watch() -> None:
        await stop.wait()
        server.should_exit = True

    watching = asyncio.create_task(watch())
    try:
        await server.serve(sockets=[listening])
    finally:
        watching.cancel()
