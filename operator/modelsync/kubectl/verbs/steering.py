"""The verbs that act: each is a change of a ModelSync and nothing else, made by the code of all doors."""

from collections.abc import Sequence
from typing import Any

import click

from modelsync import errors
from modelsync.api import naming
from modelsync.kubectl import client, options
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError
from modelsync.reading import acts
from modelsync.reading.acts import Act

DONE = {Act(word.act): word.done for word in acts.words()} | {Act.RETRY: "will be retried"}
"""What was done, in a word; a retry is asked for here and made by the operator."""


@click.command("pause")
@options.names()
@options.on_cluster
def pause(cluster: Cluster, names: tuple[str, ...]) -> None:
    """Stop downloads and keep what they have."""
    _act(cluster, Act.PAUSE, names)


@click.command("resume")
@options.names()
@options.on_cluster
def resume(cluster: Cluster, names: tuple[str, ...]) -> None:
    """Go on with what was paused or cancelled."""
    _act(cluster, Act.RESUME, names)


@click.command("cancel")
@options.names()
@options.on_cluster
def cancel(cluster: Cluster, names: tuple[str, ...]) -> None:
    """End downloads for good; what they have stays on the volume."""
    _act(cluster, Act.CANCEL, names)


@click.command("retry")
@options.names(required=False)
@click.option("--all-failed", is_flag=True, help="All that are Failed, and none that was cancelled.")
@options.everywhere
@options.on_cluster
def retry(cluster: Cluster, names: tuple[str, ...], all_failed: bool) -> None:
    """Try again what failed, at once; of a complete one, check its files."""
    if bool(names) == all_failed:
        raise errors.UsageError("name ModelSyncs, or give --all-failed")
    if not all_failed:
        _act(cluster, Act.RETRY, names)
        return
    query = {"fieldSelector": "status.phase=Failed"}
    found = cluster.client.list(client.syncs(cluster.scope), "modelsyncs", **query)["items"]
    if not found:
        options.warn("No ModelSync has failed.")
    _each(cluster, Act.RETRY, [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in found])


@click.command("prioritize")
@options.one_name
@click.argument("priority", metavar="NUMBER")
@options.on_cluster
def prioritize(cluster: Cluster, name: str, priority: str) -> None:
    """Set the priority within the queue, from -1000 to 1000; higher goes first.

    A negative one comes after --.
    """
    _act(cluster, Act.PRIORITY, (name,), priority)


@click.command("limit")
@options.one_name
@click.argument("rate")
@options.on_cluster
def limit(cluster: Cluster, name: str, rate: str) -> None:
    """Limit the speed to RATE bytes per second, such as 50M; none lifts the limit."""
    _act(cluster, Act.LIMIT, (name,), rate)


def _act(cluster: Cluster, act: Act, names: Sequence[str], value: str | None = None) -> None:
    _each(cluster, act, [(cluster.namespace, name) for name in names], value)


def _each(cluster: Cluster, act: Act, found: Sequence[tuple[str, str]], value: str | None = None) -> None:
    """Act on each; one that refuses stops no other, and makes the exit code 1."""
    failed = False
    for namespace, name in found:
        try:
            change(cluster, act, namespace, name, value)
        except (CommandError, acts.NotPossible) as error:
            options.warn(f"error: {namespace}/{name}: {error}")
            failed = True
            continue
        options.say(f"{naming.SYNC_KIND.lower()}.{naming.GROUP}/{name} {DONE[act]}")
    if failed:
        raise SystemExit(1)


def change(
    cluster: Cluster, act: Act, namespace: str, name: str, value: str | None = None, uid: str | None = None
) -> dict[str, Any]:
    """Read a ModelSync and patch it, only the one of this uid if one is given; raises NotPossible and
    CommandError."""
    path, about = client.syncs(namespace, name), f"modelsync {namespace}/{name}"
    found = cluster.client.get(path, about)
    if uid is not None and found["metadata"].get("uid") != uid:
        raise CommandError(f"{about} was deleted and created again in the meantime: nothing was changed", 409)
    done: dict[str, Any] = cluster.client.patch(path, about, acts.patch(act, found, options.now(), value))
    return done
