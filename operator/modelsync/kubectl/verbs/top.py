"""`kubectl modelsync top`: what is downloaded how fast, and what the workers' network devices carry."""

import re
import time
from collections import defaultdict
from collections.abc import Mapping

import click

from modelsync.api import naming
from modelsync.kubectl import client, options, tables
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError
from modelsync.kubectl.verbs import queue
from modelsync.reading import amounts

_SAMPLE = re.compile(r"modelsync_network_(receive|transmit)_bytes_total\{([^}]*)\} ([0-9.eE+]+)")
_NODE = re.compile(r'node="([^"]*)"')
_SECONDS = 3.0
Counters = Mapping[str, tuple[float, float]]


@click.command("top")
@options.everywhere
@options.on_cluster
def command(cluster: Cluster) -> None:
    """Show the speed of each download, and the network of each node."""
    found = queue.read(cluster)
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
    for line in tables.lines(("MODELSYNC", "SPEED", "PROGRESS", "ETA", "NODE"), cells):
        options.say(line)
    whole = found.whole
    if whole.speed is not None:
        options.say(f"{len(running)} downloads, {whole.speed.text} in all")
    options.say()
    _say_network(cluster)


def _say_network(cluster: Cluster) -> None:
    try:
        path = metrics_path(cluster)
        before, started = counters(cluster.client.text(path, "the operator's metrics")), time.monotonic()
        time.sleep(_SECONDS)
        after = counters(cluster.client.text(path, "the operator's metrics"))
        seconds = time.monotonic() - started
    except CommandError as problem:
        options.warn(f"The network of the nodes is not shown: {problem}")
        return
    for line in network_lines(before, after, seconds):
        options.say(line)


def metrics_path(cluster: Cluster) -> str:
    """The metrics of the Pod that holds the operator's Lease, through the API server's proxy."""
    path = client.path_of("leases", None, root="/apis/coordination.k8s.io/v1")
    query = {"fieldSelector": f"metadata.name={naming.LEASE_NAME}"}
    for lease in cluster.client.list(path, "leases", **query)["items"]:
        holder = str((lease.get("spec") or {}).get("holderIdentity") or "")
        pod = f"{holder.partition('_')[0]}:{naming.METRICS_PORT}"
        return client.core("pods", str(lease["metadata"]["namespace"]), pod) + "/proxy/metrics"
    raise CommandError("no operator holds a Lease")


def counters(text: str) -> Counters:
    """Bytes received and sent by node, from a page of metrics."""
    found: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for direction, labels, figure in _SAMPLE.findall(text):
        node = _NODE.search(labels)
        if node is not None:
            found[node[1]][direction == "transmit"] += float(figure)
    return {node: (down, up) for node, (down, up) in found.items()}


def rates(before: Counters, after: Counters, seconds: float) -> dict[str, tuple[int, int]]:
    """Bytes per second down and up by node; a counter that fell began again at zero."""
    found = {}
    for node in sorted(after):
        old = before.get(node, after[node])
        down, up = (int(max(0.0, new - was) / seconds) for new, was in zip(after[node], old, strict=True))
        found[node] = (down, up)
    return found


def network_lines(before: Counters, after: Counters, seconds: float) -> list[str]:
    """Rates by node and in total."""
    found = rates(before, after, seconds)
    total = (sum(down for down, _ in found.values()), sum(up for _, up in found.values()))
    rows = []
    for name, rate in [*found.items(), ("all nodes", total)]:
        shown = amounts.rate(*rate)
        rows.append((name, f"↓ {shown.down.text}", f"↑ {shown.up.text}"))
    return tables.lines(("NODE", "DOWN", "UP"), rows)
