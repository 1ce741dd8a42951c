"""`kubectl modelsync top`: what is downloaded how fast, and what the workers' network devices carry."""

from collections.abc import Iterator

import click

from modelsync.kubectl import options, tables
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.verbs import queue
from modelsync.reading import picture
from modelsync.reading.values import Picture, Rate


@click.command("top")
@options.everywhere
@options.on_cluster
def command(cluster: Cluster) -> None:
    """Show the speed of each download, and the network of each node."""
    for line in screen(queue.read(cluster)):
        options.say(line)


def screen(found: Picture) -> Iterator[str]:
    """The lines: downloads, the fastest first, then nodes."""
    running = [row for row in found.rows if row.speed is not None]
    running.sort(key=lambda row: -(row.speed.bytes_per_second if row.speed is not None else 0))
    cells = [
        (
            f"{row.namespace}/{row.name}",
            row.speed.text if row.speed is not None else "",
            row.bytes.percent_text or "",
            row.eta.text if row.eta is not None else "",
            row.node or "",
        )
        for row in running
    ]
    yield from tables.lines(("MODELSYNC", "SPEED", "PROGRESS", "ETA", "NODE"), cells)
    if found.whole.speed is not None:
        yield f"{len(running)} download{'' if len(running) == 1 else 's'}, {found.whole.speed.text} in all"
    nodes = [(node.name, str(node.syncs), *_cells(node.network)) for node in picture.nodes(found.rows)]
    if nodes:
        yield ""
        whole = ("all nodes", str(found.whole.counts.active), *_cells(found.whole.network))
        yield from tables.lines(("NODE", "MODELSYNCS", "DOWN", "UP"), [*nodes, whole])


def _cells(network: Rate | None) -> tuple[str, str]:
    return ("", "") if network is None else (f"↓ {network.down.text}", f"↑ {network.up.text}")
