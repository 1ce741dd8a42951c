"""`kubectl modelsync watch`: a table over the whole terminal that lives, and that acts; lines elsewhere."""

import sys
from typing import Any

import click

from modelsync.kubectl import options, tables
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.verbs import get
from modelsync.settings import environment

LEFT = "Left the screen; the downloads go on. See them again with kubectl modelsync watch."


@click.command("watch")
@options.names(required=False)
@options.everywhere
@options.selectors
@options.on_cluster
def command(
    cluster: Cluster, names: tuple[str, ...], selector: str | None, field_selector: str | None
) -> None:
    """Watch ModelSyncs on a live screen, with keys that pause, cancel or retry them.

    Leaving it stops no download. Where no terminal is, it prints lines as get --watch does.
    """
    query: dict[str, Any] = {"labelSelector": selector, "fieldSelector": field_selector}
    if not _is_screen():
        get.show(cluster, names, query, watch=True)
        return
    from modelsync.kubectl.watch import program  # it loads what draws: 0.1 s
    from modelsync.kubectl.watch.feed import Chosen

    code = program.run(cluster, Chosen(names=frozenset(names), query=query))
    options.say(LEFT)
    raise SystemExit(code)


def _is_screen() -> bool:
    """Whether a terminal is there that can move its cursor, with a keyboard."""
    return (
        tables.on_terminal() and sys.stdin.isatty() and sys.platform != "win32" and not environment.is_dumb()
    )
