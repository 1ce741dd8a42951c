"""`kubectl modelsync get`: ModelSyncs as a table, as YAML, JSON or names, and as they change."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from modelsync.api import naming
from modelsync.kubectl import client, options, tables
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError
from modelsync.reading import forecast, picture
from modelsync.reading import rows as reading
from modelsync.reading.values import Colour, Row

_HEAD = ("NAME", "STATUS", "PROGRESS", "AMOUNT", "SPEED", "ETA", "AGE")
_WIDE = ("FILES", "QUEUE", "PLACE", "ATTEMPT", "NODE", "SOURCE", "TARGET", "REASON")
OUTPUTS = click.Choice(["wide", "json", "yaml", "name"])
GONE = 410


@click.command("get")
@options.names(required=False)
@options.everywhere
@options.selectors
@click.option("-w", "--watch", is_flag=True, help="Go on with a line for each change, until Ctrl-C.")
@click.option(
    "--phase", help="Only those of this phase, such as Failed.", shell_complete=options.complete_phases
)
@click.option("-o", "--output", type=OUTPUTS, help="Another form than the table.")
@options.on_cluster
def command(
    cluster: Cluster,
    names: tuple[str, ...],
    selector: str | None,
    field_selector: str | None,
    watch: bool,
    phase: str | None,
    output: str | None,
) -> None:
    """List ModelSyncs with their progress."""
    query = {"labelSelector": selector, "fieldSelector": field_selector}
    show(cluster, names, query, watch=watch, phase=phase, output=output)


def show(
    cluster: Cluster,
    names: Sequence[str],
    query: dict[str, Any],
    *,
    watch: bool,
    phase: str | None = None,
    output: str | None = None,
) -> None:
    """Print what is there, and with `watch` a line for each change after that."""
    found = _listed(cluster, names, query)
    items = [one for one in found["items"] if _has_phase(one, phase)]
    if output in ("json", "yaml", "name"):
        _print(items, output, single=len(names) == 1)
        return
    memory, now = forecast.Forecasts(), options.now()
    rows = sorted((reading.read(one, now, memory) for one in items), key=picture.attention)
    if not rows and not watch:
        where = "" if cluster.everywhere else f" in namespace {cluster.namespace}"
        options.warn(f"No ModelSyncs found{where}.")
        return
    table = Table(rows, wide=output == "wide", everywhere=cluster.everywhere)
    for line in table.lines():
        options.say(line)
    if watch:
        version = str((found.get("metadata") or {}).get("resourceVersion") or "0")
        for one in changes(cluster, version, names, query):
            if _has_phase(one, phase):
                options.say(table.line(reading.read(one, options.now(), memory)))


class Table:
    """Rows as lines of the same columns, also those that come later."""

    def __init__(self, rows: Sequence[Row], *, wide: bool, everywhere: bool) -> None:
        self._rows, self._wide, self._everywhere = rows, wide, everywhere
        self._plain = not tables.on_terminal()
        head = (("NAMESPACE",) if everywhere else ()) + _HEAD + (_WIDE if wide else ())
        self._head = head
        self._widths = tables.widths(head, [self.cells(row) for row in rows])

    def lines(self) -> list[str]:
        """The head and all rows."""
        return [tables.line(self._head, self._widths)] + [self.line(row) for row in self._rows]

    def line(self, row: Row) -> str:
        """One row; later ones keep the columns of the first."""
        status = 2 if self._everywhere else 1
        colours: list[Colour | None] = [None] * status + [row.badge.colour]
        return tables.line(self.cells(row), self._widths, colours)

    def cells(self, row: Row) -> tuple[str, ...]:
        """The cells of a row."""
        found: tuple[str, ...] = (
            row.name,
            tables.badge(row.badge, plain=self._plain),
            row.bytes.percent_text or "",
            row.bytes.text or "",
            row.speed.text if row.speed is not None else "",
            row.eta.text if row.eta is not None else "",
            tables.age(row.age_seconds),
        )
        if self._everywhere:
            found = (row.namespace, *found)
        if not self._wide:
            return found
        place = row.place.position if row.place is not None else None
        return (
            *found,
            row.files.text or "",
            row.queue,
            str(place or ""),
            f"{row.attempt.number}/{row.attempt.most}" if row.attempt is not None else "",
            row.node or "",
            row.source,
            row.target,
            row.reason or "",
        )


def changes(
    cluster: Cluster, version: str, names: Sequence[str], query: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Objects as they change; a new list where the server has forgotten what came since."""
    while True:
        try:
            path = client.syncs(cluster.scope)
            for kind, found in cluster.client.watch(path, "modelsyncs", version, **query):
                version = str((found.get("metadata") or {}).get("resourceVersion") or version)
                chosen = not names or (found.get("metadata") or {}).get("name") in names
                if kind in ("ADDED", "MODIFIED") and chosen:
                    yield found
        except CommandError as problem:
            if problem.status != GONE:
                raise
            listed = _listed(cluster, (), query)
            version = str(listed["metadata"]["resourceVersion"])
            yield from (one for one in listed["items"] if not names or one["metadata"]["name"] in names)


def _listed(cluster: Cluster, names: Sequence[str], query: dict[str, Any]) -> dict[str, Any]:
    if not names:
        found: dict[str, Any] = cluster.client.list(client.syncs(cluster.scope), "modelsyncs", **query)
        return found
    items = [
        cluster.client.get(client.syncs(cluster.namespace, name), f"modelsync {cluster.namespace}/{name}")
        for name in names
    ]
    last = cluster.client.get(client.syncs(cluster.namespace), "modelsyncs", limit=1)
    return {"metadata": last.get("metadata") or {}, "items": items}


def _has_phase(one: dict[str, Any], phase: str | None) -> bool:
    found = (one.get("status") or {}).get("phase")
    return phase is None or str(found or "").lower() == phase.lower()


def _print(items: list[dict[str, Any]], output: str, *, single: bool) -> None:
    if output == "name":
        for one in items:
            options.say(f"{naming.SYNC_KIND.lower()}.{naming.GROUP}/{one['metadata']['name']}")
        return
    typed = [{"apiVersion": naming.API_VERSION, "kind": naming.SYNC_KIND, **one} for one in items]
    document = typed[0] if single else {"apiVersion": "v1", "kind": "List", "items": typed}
    if output == "json":
        options.say(json.dumps(document, indent=4))
        return
    import yaml

    options.say(yaml.safe_dump(document, sort_keys=False).rstrip())
