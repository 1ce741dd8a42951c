"""What `modelsync dashboard` and `modelsync web` share: TLS to the API server, and running until a signal."""

import asyncio
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping

import click

import modelsync
from modelsync.errors import UsageError
from modelsync.runtime.cluster.api_client import Access
from modelsync.settings import parsers
from modelsync.web import app, server
from modelsync.web.config import WebConfig
from modelsync.web.upstream import Upstream

AGENT = f"modelsync-web/{modelsync.__version__}"


def namespaces(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """The values of --namespace; raises UsageError."""
    try:
        return tuple(dict.fromkeys(parsers.namespace(each) for each in given))
    except ValueError as error:
        raise UsageError(f"--namespace: {error}") from None


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
) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    upstream = Upstream(api_server, tls, agent=AGENT)
    with listening:
        await server.serve(app.application(config, upstream, own=own), listening, config.limits, stop)
