"""`kubectl modelsync version` and `completion`: about the program itself."""

from typing import Any

import click

import modelsync
from modelsync.api import naming
from modelsync.cli import shells
from modelsync.kubectl import options
from modelsync.kubectl.options import Cluster


@click.command("version")
@options.on_cluster
def version(cluster: Cluster) -> None:
    """Print the version of this program, of the API and of the cluster."""
    options.say(f"modelsync {modelsync.__version__}, speaks {naming.API_VERSION}")
    found = cluster.client.get(f"/apis/{naming.GROUP}", f"API group {naming.GROUP}")
    served = ", ".join(one["groupVersion"] for one in found.get("versions") or ())
    options.say(f"the cluster serves {served}")
    server: dict[str, Any] = cluster.client.get("/version", "the cluster's version")
    options.say(f"Kubernetes {server.get('gitVersion')}")


@click.command("completion")
@click.argument("shell", type=click.Choice(list(shells.ALL)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script for the shell that completes verbs, options and names.

    For this session of bash: source <(modelsync completion bash)

    Of zsh, after its compinit: source <(modelsync completion zsh)

    Of fish: modelsync completion fish | source
    """
    made = shells.ALL[shell](context.find_root().command, {}, "modelsync", "_MODELSYNC_COMPLETE")
    click.echo(made.source())
