"""What `status` shows: each daemon, each node, DNS; healthy only if all of them are."""

import json

from dev.cluster import commands, daemons, layout, lifecycle


def table(cluster: layout.Cluster) -> list[tuple[str, str, bool]]:
    """Return rows of name, state and whether that is well."""
    if not cluster.folder.exists():
        return [(f"cluster {cluster.name}", "not started", False)]
    rows = [
        (component, "running" if alive else f"DEAD, see `logs {component}`", alive)
        for component, alive in daemons.running(cluster).items()
    ]
    if not cluster.ready_file.exists():
        return [*rows, ("start", "never finished; run `start` again", False)]
    answers = lifecycle.dns_answers(cluster)
    rows.append(("dns", "answering" if answers else "NOT ANSWERING", answers))
    return rows + _nodes(cluster)


def _nodes(cluster: layout.Cluster) -> list[tuple[str, str, bool]]:
    try:
        listed = commands.kubectl(cluster, "get", "nodes", "--output=json", "--request-timeout=5s")
    except layout.ClusterError:
        return [("nodes", "the API server does not answer", False)]
    return [_node_row(item) for item in json.loads(listed)["items"]]


def _node_row(item: dict[str, dict[str, list[dict[str, str]]]]) -> tuple[str, str, bool]:
    conditions = item["status"]["conditions"]
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return str(item["metadata"]["name"]), "Ready" if ready else "NOT READY", ready
