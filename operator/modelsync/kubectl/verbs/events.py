"""`kubectl modelsync events` and `logs`: what was said about a ModelSync, and by its worker."""

from typing import Any

import click

from modelsync import errors
from modelsync.api import naming
from modelsync.api.common import untrusted
from modelsync.kubectl import client, options
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError
from modelsync.kubectl.verbs import status

_MOST_LINE = 4096


@click.command("events")
@options.one_name
@options.on_cluster
def events(cluster: Cluster, name: str) -> None:
    """List the Events of a ModelSync."""
    found = status.of_sync(cluster, cluster.namespace, name)
    if not found:
        options.warn(f"No Events of {cluster.namespace}/{name}: they are kept for an hour by default.")
    for line in status.event_table(found, options.now()):
        options.say(line)


@click.command("logs")
@options.one_name
@click.option("-f", "--follow", is_flag=True, help="Go on as lines come.")
@click.option("--tail", type=click.IntRange(min=0), help="Only so many of the last lines.")
@options.on_cluster
def logs(cluster: Cluster, name: str, follow: bool, tail: int | None) -> None:
    """Print the log of the newest worker of a ModelSync."""
    namespace = cluster.namespace
    sync = cluster.client.get(client.syncs(namespace, name), f"modelsync {namespace}/{name}")
    pod = newest_pod(cluster, namespace, str(sync["metadata"]["uid"]))
    if pod is None:
        raise CommandError(
            f"no worker of {namespace}/{name} is there: none has started, or it was removed since"
        )
    path = client.core("pods", namespace, pod) + "/log"
    query = {"container": naming.WORKER_CONTAINER, "tailLines": tail, "follow": "true" if follow else None}
    for line in cluster.client.lines(path, f"log of pod {namespace}/{pod}", **query):
        options.say(untrusted.clean(line.decode("utf-8", "replace"), _MOST_LINE))


def newest_pod(cluster: Cluster, namespace: str, uid: str) -> str | None:
    """The name of the newest worker of a ModelSync."""
    if not uid:
        raise errors.UsageError("the ModelSync has no uid")
    label = f"{naming.UID_LABEL}={uid}"
    found = cluster.client.list(client.core("pods", namespace), "pods", labelSelector=label)["items"]
    return max(((_created(pod), str(pod["metadata"]["name"])) for pod in found), default=("", None))[1]


def _created(pod: dict[str, Any]) -> str:
    return str(pod["metadata"].get("creationTimestamp") or "")
