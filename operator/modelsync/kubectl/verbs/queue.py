"""`kubectl modelsync queue`: slots, who runs, who waits for what."""

from typing import Any

import click

from modelsync.kubectl import client, options, tables
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError
from modelsync.reading import picture
from modelsync.reading.values import Picture, Queue

_HEAD = ("QUEUE", "STATE", "SLOTS", "WAITING", "COMPLETE", "FAILED", "CANCELLED", "OLDEST", "RUNNING")
_FORBIDDEN = 403


@click.command("queue")
@options.everywhere
@options.on_cluster
def command(cluster: Cluster) -> None:
    """Show the queues: slots, who runs, who waits for what."""
    found = read(cluster)
    if not found.queues:
        options.warn("No SyncQueues found.")
        return
    for line in queue_lines(found.queues):
        options.say(line)
    waiting = [row for row in found.rows if row.place is not None]
    if waiting:
        options.say()
    for row in waiting:
        if row.place is not None:
            options.say(f"{row.namespace}/{row.name}: {row.place.text}")


def read(cluster: Cluster) -> Picture:
    """All that the caller may see."""
    syncs = cluster.client.list(client.syncs(cluster.scope), "modelsyncs")["items"]
    return picture.read(syncs, queues_of(cluster), options.now())


def queues_of(cluster: Cluster) -> list[dict[str, Any]]:
    """The queues that the caller may see, with a word on standard error where that is none."""
    found = readable(cluster)
    if found is None:
        options.warn("You may not list SyncQueues: figures are those of the ModelSyncs that you may see.")
    return found or []


def readable(cluster: Cluster) -> list[dict[str, Any]] | None:
    """All queues; those of the namespace where the caller may not see all, None where not even these."""
    for namespace in (None, cluster.namespace):
        try:
            found: list[dict[str, Any]] = cluster.client.list(client.queues(namespace), "syncqueues")["items"]
            return found
        except CommandError as problem:
            if problem.status != _FORBIDDEN:
                raise
    return None


def queue_lines(queues: tuple[Queue, ...]) -> list[str]:
    """The queues as a table, and why one admits nothing."""
    rows = [
        (
            queue.name,
            queue.state.word,
            f"{queue.slots_used}/{queue.slots}" if queue.slots is not None else "",
            str(queue.counts.waiting),
            str(queue.counts.complete),
            str(queue.counts.failed),
            str(queue.counts.cancelled),
            tables.age(queue.oldest_wait_seconds),
            queue.running_text or "",
        )
        for queue in queues
    ]
    colours = [(None, queue.state.colour) for queue in queues]
    found = tables.lines(_HEAD, rows, colours)
    return found + [f"{queue.name}: {queue.message}" for queue in queues if queue.message]
