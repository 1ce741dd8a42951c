"""`kubectl modelsync report`: what somebody who helps needs to see, without secrets.

Nothing is taken that is secret by its kind (no Secret is read), and all else goes through `redacted`.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterator
from typing import Any

import click

import modelsync
from modelsync.api import naming
from modelsync.kubectl import client, options
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError

_HIDDEN = "REDACTED"
_SECRET_KEY = re.compile(
    r"token|passw|secret(?!ref|name)|credential|authorization|api-?key|access-?key|proof|progress-key", re.I
)
_QUERY = re.compile(r"(https?://[^\s\"'?]+)\?[^\s\"']+")
_USER = re.compile(r"(https?://)[^/\s\"'@]+@")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_TOKEN = re.compile(r"\b(hf_[A-Za-z0-9]{8,}|AKIA[A-Z0-9]{12,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)")
_MOST_LOG_LINES = 2000


@click.command("report")
@options.everywhere
@click.option("-o", "--output", default="modelsync-report.tar.gz", show_default=True, help="File to write.")
@options.on_cluster
def command(cluster: Cluster, output: str) -> None:
    """Write a file with objects, Events and logs for a report of a problem, without secrets."""
    with tarfile.open(output, "w:gz") as archive:
        for name, text in contents(cluster):
            data = text.encode()
            entry = tarfile.TarInfo(f"modelsync-report/{name}")
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))
            options.warn(f"  {name}")
    options.say(f"{output} written; look at it before you send it to anybody")


def contents(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Name and text of each file; what could not be read says why."""
    yield "version.txt", f"modelsync {modelsync.__version__}, {naming.API_VERSION}\n"
    ours = f"{naming.MANAGED_BY_LABEL}={naming.MANAGED_BY}"
    jobs = client.path_of("jobs", cluster.scope, root="/apis/batch/v1")
    resources: dict[str, tuple[str, dict[str, str]]] = {
        "modelsyncs": (client.syncs(cluster.scope), {}),
        "syncqueues": (client.queues(None), {}),
        "events": (client.core("events", cluster.scope), {"fieldSelector": "involvedObject.kind=ModelSync"}),
        "jobs": (jobs, {"labelSelector": ours}),
        "pods": (client.core("pods", cluster.scope), {"labelSelector": ours}),
        "claims": (client.core("persistentvolumeclaims", cluster.scope), {}),
    }
    for name, (path, query) in resources.items():
        try:
            found = cluster.client.list(path, name, **query)
        except CommandError as problem:
            yield f"{name}.error.txt", f"{problem}\n"
            continue
        yield f"{name}.json", json.dumps(redacted(found), indent=2) + "\n"
        if name == "pods":
            yield from _logs(cluster, found["items"])


def _logs(cluster: Cluster, pods: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for pod in pods[:50]:
        meta = pod["metadata"]
        path = client.core("pods", str(meta["namespace"]), str(meta["name"])) + "/log"
        query = {"container": naming.WORKER_CONTAINER, "tailLines": _MOST_LOG_LINES}
        try:
            text = cluster.client.text(path, "log", **query)
        except CommandError as problem:
            text = f"{problem}\n"
        yield f"logs/{meta['namespace']}.{meta['name']}.txt", clean(text)


def redacted(value: Any, key: str = "") -> Any:
    """JSON data without what may be secret: values of such names, annotations of tools, queries."""
    if isinstance(value, dict):
        kept = {name: one for name, one in value.items() if name not in ("managedFields",)}
        if isinstance(kept.get("value"), str) and _SECRET_KEY.search(str(kept.get("name"))):
            kept["value"] = _HIDDEN  # a variable of a container
        return {name: _one(name, one) for name, one in kept.items()}
    if isinstance(value, list):
        return [redacted(one, key) for one in value]
    return clean(value) if isinstance(value, str) else value


def _one(name: str, value: Any) -> Any:
    hides = _SECRET_KEY.search(name) or name in (
        naming.REQUEST_ANNOTATION,
        "kubectl.kubernetes.io/last-applied-configuration",
    )
    return _HIDDEN if hides and isinstance(value, str) else redacted(value, name)


def clean(text: str) -> str:
    """A text without queries, passwords and tokens."""
    text = _USER.sub(rf"\1{_HIDDEN}@", _QUERY.sub(rf"\1?{_HIDDEN}", text))
    return _TOKEN.sub(_HIDDEN, _BEARER.sub(rf"\1 {_HIDDEN}", text))
