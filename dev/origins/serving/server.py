"""What all origins of our own share: listeners, threads, TLS, the log, faults, rate, quota and a clean stop.

A thread for each connection and blocking sockets, because a fault is a matter of single bytes. An origin
derives from `Server` and says what it answers when nothing goes wrong.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.origins.faults.fault import Fault, refuse
from dev.origins.faults.rules import ANY, Rule, Rules, parse
from dev.origins.serving.connection import Connection
from dev.origins.serving.log import Entry, Log
from dev.origins.serving.messages import Answer, Request, Role
from dev.origins.serving.pacing import Pacer
from dev.origins.serving.quota import Quota

STOP_SECONDS = 2.0
"""How long the end waits for a connection's thread."""
Reply = tuple[Role, str, Answer]
"""What a request is for, the path of its file ("" for none), and the answer without a fault."""


class Server:
    """An origin at some ports, to use in a `with`; faults, rate and quota may change as it runs."""

    def __init__(
        self,
        ports: Mapping[str, int],
        *,
        host: str = "127.0.0.1",
        certificate: tuple[Path, Path] | None = None,
        rate: float | None = None,
    ) -> None:
        """Bind a port for each listener, 0 for a free one; raises OSError where one is in use.

        `certificate` names the PEM files of a chain and its key; `rate` is in bytes per second.
        """
        self.log, self.rules = Log(), Rules()
        self.closing = threading.Event()
        self.pacer = Pacer(rate, sleep=self.closing.wait)
        self.quota: Quota | None = None
        """Of the first listener; a CDN answers every caller."""
        self.most_connections: int | None = None
        """Connections beyond so many to one listener are reset."""
        self.accepted = 0
        """Connections so far."""
        self._lock = threading.Lock()
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
        with contextlib.ExitStack() as stack:
            self._listeners = [
                stack.enter_context(Listener(self, name, (host, port), context))
                for name, port in ports.items()
            ]
            self._bound = stack.pop_all()
        self._first = next(iter(ports))

    def answer(self, request: Request) -> Reply:
        """The answer to a request when nothing goes wrong."""
        raise NotImplementedError

    def urls(self) -> dict[str, str]:
        """The address of each listener."""
        return {each.name: each.url for each in self._listeners}

    @property
    def rate(self) -> float | None:
        """Bytes per second of all connections together; None is as fast as it goes."""
        return self.pacer.rate

    @rate.setter
    def rate(self, value: float | None) -> None:
        self.pacer.rate = value

    def strike(
        self,
        path: str,
        *faults: str | Fault,
        role: Role | None = Role.DATA,
        listener: str | None = ANY,
        at: int | None = None,
        since: int = 0,
        first: int = 1,
        times: int = 1,
    ) -> list[Rule]:
        """Put faults in force for a path; see `Rule` for which requests they strike.

        Each text is a rule of its own and says itself whom it strikes; the values share one rule.
        """
        made = [parse(each, path) for each in faults if isinstance(each, str)]
        values = tuple(each for each in faults if isinstance(each, Fault))
        if values:
            rule = Rule(
                faults=values,
                path=path,
                role=role,
                listener=listener,
                position=at,
                since=since,
                first=first,
                times=times,
            )
            made.append(rule)
        self.rules.add(*made)
        return made

    def clear(self) -> None:
        """End all faults; answers that one of them holds go on."""
        self.rules.clear()

    def change(self, answer: Answer, request: Request, role: Role, path: str) -> Entry:
        """Record a request, and let the faults that strike it change the answer."""
        entry = self.log.add(request, role, path, self.asked(request))
        refusal = self.quota.refusal() if self.quota is not None and request.listener == self._first else None
        if refusal is not None:
            refuse(answer, *refusal)
        else:
            self.rules.change(answer, request, entry)
        return entry

    def asked(self, request: Request) -> str:
        """Which server of the origin a request is for, where one listener serves several."""
        return request.listener

    def joined(self, listener: "Listener", by: int) -> bool:
        """One connection more or less; returns whether there are not too many."""
        with self._lock:
            self.accepted += by > 0
            listener.count += by
            return self.most_connections is None or listener.count <= self.most_connections

    def __enter__(self) -> Self:
        """Begin to answer."""
        for each in self._listeners:
            each.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop at once, running answers included."""
        self.closing.set()
        self._bound.close()

    def close(self) -> None:
        """Give the ports back, where nobody entered."""
        self.__exit__(None, None, None)


class Listener:
    """One port of an origin, and the connections to it."""

    def __init__(
        self, server: Server, name: str, address: tuple[str, int], context: ssl.SSLContext | None
    ) -> None:
        self.server, self.name, self.context, self.count = server, name, context, 0
        self._socket = socket.create_server(address, backlog=512)
        host, port = self._socket.getsockname()[:2]
        self.url = f"{'http' if context is None else 'https'}://{host}:{port}"
        self._threads: dict[threading.Thread, socket.socket] = {}
        self._accepting = threading.Thread(target=self._accept, name=f"{name}:{port}", daemon=True)

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Accept connections."""
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._socket.accept()
            except OSError:
                if self.server.closing.is_set():
                    return
                continue
            thread = threading.Thread(target=self._serve, args=(accepted,), daemon=True)
            self._threads[thread] = accepted
            thread.start()

    def _serve(self, accepted: socket.socket) -> None:
        try:
            Connection(self.server, self, accepted).serve()
        finally:
            self._threads.pop(threading.current_thread(), None)

    def __exit__(self, *_: object) -> None:
        _shut((self._socket,))
        if self._accepting.ident is not None:
            self._accepting.join()
        self._socket.close()
        running = dict(self._threads)
        _shut(running.values())
        for thread in running:
            thread.join(STOP_SECONDS)


def _shut(sockets: Iterable[socket.socket]) -> None:
    """Wake those that wait for these sockets; below TLS, whose state belongs to its thread."""
    for each in sockets:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(each, socket.SHUT_RDWR)
