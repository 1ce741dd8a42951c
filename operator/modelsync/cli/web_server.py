"""What `modelsync dashboard` and `modelsync web` share: TLS to the API server, and running until a signal."""

import asyncio
import re
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import click

import modelsync
from modelsync.errors import UsageError
from modelsync.runtime.cluster.api_client import Access
from modelsync.settings import parsers
from modelsync.web import app, server
from modelsync.web.config import WebConfig
from modelsync.web.operator_history import OperatorHistory
from modelsync.web.upstream import Upstream

AGENT = f"modelsync-web/{modelsync.__version__}"


def namespaces(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """The values of --namespace; raises UsageError."""
    try:
        return tuple(dict.fromkeys(parsers.namespace(each) for each in given))
    except ValueError as error:
        raise UsageError(f"--namespace: {error}") from None


def host_and_port(
    _context: click.Context, option: click.Parameter, given: str | None
) -> tuple[str, int] | None:
    """The value of an option HOST:PORT; raises UsageError."""
    if given is None:
        return None
    host, _, port = given.rpartition(":")
    if not re.fullmatch(r"[a-z0-9.-]{1,253}", host) or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise UsageError(
            f"{option.opts[0]}: {given!r} must be HOST:PORT, such as modelsync-history.ns.svc:8083"
        )
    return host, int(port)


def tls_of(access: Access) -> ssl.SSLContext | None:
    """TLS as a kubeconfig wants it; None for a server without TLS."""
    if not access.server.startswith("https://"):
        return None
    tls = ssl.create_default_context(cafile=access.ca_path, cadata=access.ca_data)
    if access.insecure:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if access.certificate_path is not None:
        tls.load_cert_chain(access.certificate_path, access.private_key_path)
    return tls


async def run(
    config: WebConfig,
    api_server: str,
    tls: ssl.SSLContext | None,
    listening: socket.socket,
    own: Callable[[], Awaitable[Mapping[str, str]]] | None,
    keeping: tuple[str, int, Path] | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; `keeping` is where the operator keeps speeds of the past."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    upstream = Upstream(api_server, tls, agent=AGENT)
    kept = None if keeping is None else OperatorHistory(*keeping)
    served = app.application(config, upstream, own=own, operator_history=kept)
    with listening:
        await server.serve(served, listening, config.limits, stop)
