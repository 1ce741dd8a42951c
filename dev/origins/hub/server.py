"""The server in a thread of its own: what tests and the command line both start.

The sockets are bound by the caller's thread, so a port in use is an ordinary exception there, and the
URLs are known before the first request.
"""

import asyncio
import socket
import ssl
import threading
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

from aiohttp import web
from aiohttp.typedefs import Handler

from dev.origins.hub import admin, api, cas, files
from dev.origins.hub.faults import Faults
from dev.origins.hub.pacing import Pacer
from dev.origins.hub.recording import recorded, request_id
from dev.origins.hub.repository import Repository
from dev.origins.hub.requestlog import RequestLog
from dev.origins.hub.state import SERVER, STATE, State

Listener = tuple[web.Application, socket.socket]

START_SECONDS = 10
STOP_SECONDS = 0.05
"""How long running answers may go on at the end; aiohttp takes 0 for ever."""
LARGEST_UPLOAD = 8 * 1024 * 1024
"""Bytes of a request's body, for paths-info with many paths."""


class HubServer:
    """A Hub-compatible server, to use in a `with`; repositories, faults and rate may change as it runs."""

    def __init__(
        self,
        *repositories: Repository,
        host: str = "127.0.0.1",
        port: int = 0,
        cdn_port: int | None = 0,
        cas_port: int | None = 0,
        rate: float | None = None,
        tokens: Mapping[str, Iterable[str] | None] | None = None,
        page_size: int = 50,
        link_lifetime: float = 3600.0,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        """Prepare a server; port 0 takes a free one, None serves the CDN or Xet's CAS on the Hub's own port.

        `tokens` gives for each valid token the gated and private repositories that it opens, None for all.
        `rate` is in bytes per second, `link_lifetime` in seconds; `certificate` names the PEM files of a
        chain and its key.
        """
        opened = {token: None if ids is None else frozenset(ids) for token, ids in (tokens or {}).items()}
        self.state = State(tokens=opened, page_size=page_size, pacer=Pacer(rate))
        self.state.signer.lifetime = link_lifetime
        self.host, self._certificate = host, certificate
        self._ports = {"hub": port, "cdn": cdn_port, "cas": cas_port}
        self.url = self.cdn_url = self.cas_url = ""
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._transports: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()
        for repository in repositories:
            self.add(repository)

    @property
    def log(self) -> RequestLog:
        """The record of requests."""
        return self.state.log

    @property
    def faults(self) -> Faults:
        """The faults in force."""
        return self.state.faults

    @property
    def rate(self) -> float | None:
        """Bytes per second of all files together; None is as fast as it goes."""
        return self.state.pacer.rate

    @rate.setter
    def rate(self, value: float | None) -> None:
        self.state.pacer.rate = value

    def add(self, repository: Repository) -> Repository:
        """Serve a repository, in place of one of the same kind and name."""
        self.state.repositories[repository.kind, repository.id] = repository
        return repository

    def bytes_sent(self, path: str | None = None) -> int:
        """Bytes of content sent so far, of one file of a repository or of all."""
        return self.log.bytes_sent(path)

    def __enter__(self) -> "HubServer":
        """Start; returns when all listeners accept connections."""
        scheme = "http" if self._certificate is None else "https"
        routes = {"hub": api.routes() + files.routes() + cas.routes() + admin.routes()}
        routes |= {"cdn": files.cdn_routes(), "cas": cas.cas_routes()}
        own = {name: port for name, port in self._ports.items() if port is not None}
        for name in routes.keys() - own.keys():
            routes["hub"] += routes[name]
        listeners = {name: self._listen(port, routes[name], name) for name, port in own.items()}
        addresses = {name: _address(listener) for name, (_, listener) in listeners.items()}
        self.url, self.cdn_url, self.cas_url = (
            f"{scheme}://{addresses.get(name, addresses['hub'])}" for name in self._ports
        )
        self.state.cdn_port, self.state.cas_port = (
            listeners[name][1].getsockname()[1] if name in listeners else None for name in ("cdn", "cas")
        )
        self._thread = threading.Thread(
            target=self._run, args=(list(listeners.values()),), name="hub", daemon=True
        )
        self._thread.start()
        if not self._ready.wait(START_SECONDS) or self._failure:
            raise RuntimeError("the Hub server did not start") from self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop at once, running downloads included."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _listen(self, port: int, routes: list[web.RouteDef], name: str) -> Listener:
        application = web.Application(middlewares=[self._noted, recorded], client_max_size=LARGEST_UPLOAD)
        application[STATE], application[SERVER] = self.state, name
        application.add_routes(routes)
        application.on_response_prepare.append(request_id)
        return application, socket.create_server((self.host, port), backlog=512)

    @web.middleware
    async def _noted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.transport is not None:
            self._transports.add(request.transport)
        return await handler(request)

    def _run(self, listeners: list[Listener]) -> None:
        try:
            asyncio.run(self._serve(listeners))
        except BaseException as error:
            self._failure = error
            self._ready.set()

    async def _serve(self, listeners: list[Listener]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runners = []
        for application, listener in listeners:
            runner = web.AppRunner(
                application, access_log=None, shutdown_timeout=STOP_SECONDS, handle_signals=False
            )
            await runner.setup()
            await web.SockSite(runner, listener, ssl_context=_tls(self._certificate)).start()
            runners.append(runner)
        self._ready.set()
        await self._stop.wait()
        for runner in runners:
            await runner.cleanup()
        # A connection with unsent bytes waits for its client to take them, also after this loop has ended.
        for transport in list(self._transports):
            transport.abort()
        await asyncio.sleep(0)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"{host}:{port}"


def _tls(certificate: tuple[Path, Path] | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context
