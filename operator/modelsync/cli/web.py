"""`modelsync web`: web page and REST API in a cluster, with the rights of each caller and none of its own."""

import asyncio
import ssl
from pathlib import Path

import click

from modelsync.api import naming
from modelsync.cli import web_server
from modelsync.errors import UsageError
from modelsync.runtime.telemetry import log_setup
from modelsync.web import server, sessions
from modelsync.web.config import Mode, WebConfig

_LEVELS = ("debug", "info", "warning", "error")


@click.command("web")
@click.option(
    "--listen", default="0.0.0.0", show_default=True, metavar="ADDRESS", help="Address to listen on."
)
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option(
    "--allowed-host",
    "hosts",
    multiple=True,
    required=True,
    metavar="NAME",
    help="Name by which browsers and programs reach it; may be repeated. Others are refused (DNS rebinding).",
)
@click.option(
    "--token-header",
    metavar="NAME",
    help="Header in which a proxy in front forwards the caller's token, such as X-Forwarded-Access-Token.",
)
@click.option(
    "--session-key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Key of the sessions, made where it is absent, so that they outlive a restart. Keep it in memory.",
)
@click.option("--api-server", default="https://kubernetes.default.svc", show_default=True, metavar="URL")
@click.option("--ca-file", metavar="FILE", help="CA certificate of the API server.")
@click.option("--namespace", "namespaces", multiple=True, metavar="NAME", callback=web_server.namespaces)
@click.option("--operator-namespace", default="modelsync-system", show_default=True, metavar="NAME")
@click.option(
    "--operator-history",
    metavar="HOST:PORT",
    callback=web_server.host_and_port,
    help="Service of the operator at which speeds of the past are read; kept here while somebody looks by"
    " default.",
)
@click.option(
    "--operator-token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"Token for it, of the audience {naming.HISTORY_AUDIENCE}.",
)
@click.option("--read-only", is_flag=True, help="Refuse acts, whatever the caller's rights are.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="json", show_default=True)
@click.option("--log-level", type=click.Choice(_LEVELS), default="info", show_default=True)
def command(
    listen: str,
    port: int,
    hosts: tuple[str, ...],
    token_header: str | None,
    session_key_file: Path | None,
    api_server: str,
    ca_file: str | None,
    namespaces: tuple[str, ...],
    operator_namespace: str,
    operator_history: tuple[str, int] | None,
    operator_token_file: Path | None,
    read_only: bool,
    log_format: str,
    log_level: str,
) -> None:
    """Serve the web page and the REST API to callers who bring their own token of the cluster.

    --namespace names where to look for a caller who may not list ModelSyncs of all; it may be repeated.
    """
    log_setup.configure(log_format, log_level)
    if not api_server.startswith("https://"):
        raise UsageError("--api-server: must begin with https://, since callers' tokens are sent to it")
    if (operator_history is None) != (operator_token_file is None):
        raise UsageError("--operator-history and --operator-token-file: give both or none")
    try:
        tls = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise UsageError(f"--ca-file: {ca_file!r} holds no certificate ({error.strerror})") from None
    try:
        key = None if session_key_file is None else sessions.kept_key(session_key_file)
    except (OSError, ValueError) as error:
        raise UsageError(f"--session-key-file: {str(session_key_file)!r}: {error}") from None
    try:
        listening = server.bound(listen, port)
    except OSError as error:
        raise UsageError(f"--port: cannot listen on {listen}:{port} ({error.strerror})") from None
    config = WebConfig(
        mode=Mode.CLUSTER,
        hosts=hosts,
        token_header=token_header,
        session_key=key,
        read_only=read_only,
        namespaces=namespaces,
        operator_namespace=operator_namespace,
    )
    keeping = (*operator_history, operator_token_file) if operator_history and operator_token_file else None
    asyncio.run(web_server.run(config, api_server, tls, listening, None, keeping))
