"""`kubectl modelsync prune`: takes finished ModelSyncs out of the list; files are never touched."""

from typing import Any

import click

from modelsync.api import naming
from modelsync.kubectl import client, options, tables
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError
from modelsync.reading import rows
from modelsync.reading.fields import seconds_since
from modelsync.reading.values import Row

_PHASES = ("Complete", "Failed", "Cancelled")


@click.command("prune")
@options.everywhere
@options.selectors
@click.option("--older-than", default="7d", show_default=True, help="Finished at least so long ago.")
@click.option(
    "--phase",
    "phases",
    multiple=True,
    type=click.Choice(_PHASES, case_sensitive=False),
    default=("Complete", "Cancelled"),
    show_default=True,
    help="Which ones; may be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Only say which.")
@options.on_cluster
def command(
    cluster: Cluster,
    selector: str | None,
    field_selector: str | None,
    older_than: str,
    phases: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Delete ModelSyncs that are over; published files stay where they are."""
    least = options.seconds(older_than, "--older-than")
    query = {"labelSelector": selector, "fieldSelector": field_selector}
    now, failed = options.now(), False
    for one in cluster.client.list(client.syncs(cluster.scope), "modelsyncs", **query)["items"]:
        row = rows.read(one, now)
        age = seconds_since(row.completed or row.since, now)
        if not is_due(row, age, least, phases):
            continue
        said = f"{naming.SYNC_KIND.lower()}.{naming.GROUP}/{row.name} ({row.phase} for {tables.age(age)})"
        try:
            options.say(said + (" would be deleted" if dry_run else _deleted(cluster, row)))
        except CommandError as problem:
            options.warn(f"error: {row.namespace}/{row.name}: {problem}")
            failed = True
    if failed:
        raise SystemExit(1)


def is_due(row: Row, age: int | None, least: float, phases: tuple[str, ...]) -> bool:
    """Whether a row is over for long enough, as far as anybody knows."""
    return row.finished and row.phase in phases and age is not None and age >= least


def _deleted(cluster: Cluster, row: Row) -> str:
    found: dict[str, Any] = cluster.client.delete(
        client.syncs(row.namespace, row.name), f"modelsync {row.namespace}/{row.name}", row.uid
    )
    return " deleted" if found else ""
