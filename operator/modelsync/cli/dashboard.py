"""`modelsync dashboard`: web page and REST API on this machine, with the rights of its kubeconfig."""

import asyncio
import secrets

import click

from modelsync.cli import web_server
from modelsync.errors import UsageError
from modelsync.runtime.cluster import api_client
from modelsync.web import server
from modelsync.web.config import Mode, WebConfig


@click.command("dashboard")
@click.option("--kubeconfig", metavar="FILE", help="kubeconfig file; the usual one when absent.")
@click.option("--context", metavar="NAME", help="Context of the kubeconfig.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; a free one when 0."
)
@click.option("--namespace", "namespaces", multiple=True, metavar="NAME", callback=web_server.namespaces)
@click.option("--operator-namespace", default="modelsync-system", show_default=True, metavar="NAME")
@click.option("--read-only", is_flag=True, help="Refuse acts, whatever your rights are.")
def command(
    kubeconfig: str | None,
    context: str | None,
    port: int,
    namespaces: tuple[str, ...],
    operator_namespace: str,
    read_only: bool,
) -> None:
    """Serve the web page and the REST API with your own rights.

    It listens on loopback only and prints the URL to open; Ctrl-C ends it.
    --namespace names where to look if you may not list ModelSyncs of all namespaces; it may be repeated.
    """
    token = secrets.token_urlsafe(32)
    try:
        listening = server.bound("127.0.0.1", port)
    except OSError as error:
        raise UsageError(f"--port: cannot listen on {port} ({error.strerror}); choose another") from None
    port = listening.getsockname()[1]
    config = WebConfig(
        mode=Mode.LAPTOP,
        hosts=(f"127.0.0.1:{port}", f"localhost:{port}"),
        session_token=token,
        secure_cookie=False,
        read_only=read_only,
        namespaces=namespaces,
        operator_namespace=operator_namespace,
    )

    async def run() -> None:
        kube = await api_client.connect(
            in_cluster=False, kubeconfig=kubeconfig, context=context, observer=None, agent=web_server.AGENT
        )
        try:
            access = await kube.access()

            async def own() -> dict[str, str]:
                found = await kube.access()  # a login program's token is renewed here
                return {} if found.token is None else {"Authorization": f"Bearer {found.token}"}

            click.echo(f"http://127.0.0.1:{port}/login?token={token}")
            click.echo(
                "Anyone with this URL acts with your rights, while this runs. Ctrl-C ends it.", err=True
            )
            await web_server.run(config, access.server, web_server.tls_of(access), listening, own)
        finally:
            await kube.close()

    asyncio.run(run())
