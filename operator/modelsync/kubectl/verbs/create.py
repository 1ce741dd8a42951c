"""`kubectl modelsync create`: a ModelSync from the address of a model and the name of a claim."""

import re
from typing import Any

import click

from modelsync import errors
from modelsync.api import naming
from modelsync.kubectl import client, options
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.verbs import wait

_OTHERS = (
    ("--queue", "queue", "SyncQueue that admits it."),
    ("--group", "group", "Name under which lists show it together with others."),
    ("--preset", "preset", "Only the files of a family of models, such as safetensors."),
    ("--limit", "bandwidthLimit", "Bytes per second, such as 50M."),
    ("--engine", "engine", "Native, HFTransfer or HuggingFaceHub."),
    ("--layout", "layout", "Directory or HuggingFaceCache."),
)


def _with_fields(function: Any) -> Any:
    for flag, field, text in reversed(_OTHERS):
        complete = options.complete_queues if field == "queue" else None
        function = click.option(flag, field.lower(), help=text, shell_complete=complete)(function)
    return function


@click.command("create")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("--to", "target", required=True, help="pvc/CLAIM, or pvc/CLAIM/DIRECTORY.")
@click.option("--name", help="Name of the ModelSync [default: that of the model].")
@click.option("--secret", help="Secret with the credentials of the source.")
@click.option("--endpoint", help="Base URL of a Hub's mirror, or of an S3 server.")
@click.option("--allow", multiple=True, help="Only files of this pattern; may be given several times.")
@click.option("--ignore", multiple=True, help="No files of this pattern; may be given several times.")
@click.option("--priority", type=click.IntRange(-1000, 1000), help="Higher goes first.")
@_with_fields
@click.option("--dry-run", type=click.Choice(["client", "server"]), help="Print it; server also checks it.")
@click.option("--wait", "waits", is_flag=True, help="Wait for its end; exit codes are those of wait.")
@options.on_cluster
def command(
    cluster: Cluster,
    addresses: tuple[str, ...],
    target: str,
    name: str | None,
    dry_run: str | None,
    waits: bool,
    **fields: Any,
) -> None:
    """Create a ModelSync from hf://org/name[@revision], s3://bucket/prefix or https://host/file."""
    body = document(addresses, target, name, cluster.namespace, fields)
    if dry_run == "client":
        _print(body)
        return
    about = f"modelsync {cluster.namespace}/{body['metadata']['name']}"
    query = {"dryRun": "All" if dry_run else None, "fieldValidation": "Strict"}
    made = cluster.client.create(client.syncs(cluster.namespace), about, body, **query)
    if dry_run:
        made["metadata"].pop("managedFields", None)
        _print(made)
        return
    found = str(made["metadata"]["name"])
    options.say(f"{naming.SYNC_KIND.lower()}.{naming.GROUP}/{found} created")
    if waits:
        raise SystemExit(wait.until_over(cluster, [found], 0))


def document(
    addresses: tuple[str, ...], target: str, name: str | None, namespace: str, fields: dict[str, Any]
) -> dict[str, Any]:
    """The ModelSync; raises UsageError for what no ModelSync can say."""
    from modelsync.cli import addresses as reading  # the models of the API take half of a second

    source = reading.source_of(addresses, reading.Options(endpoint=fields.get("endpoint")))
    said = source.dump()
    (kind,) = said
    if fields.get("secret"):
        said[kind]["secretRef"] = {"name": fields["secret"]}
    spec: dict[str, Any] = {"source": said, "target": _target(target)}
    if fields.get("layout"):
        spec["target"]["layout"] = fields["layout"]
    spec |= {"allowPatterns": list(fields["allow"])} if fields.get("allow") else {}
    spec |= {"ignorePatterns": list(fields["ignore"])} if fields.get("ignore") else {}
    spec |= {} if fields.get("priority") is None else {"priority": fields["priority"]}
    given = {field: fields.get(field.lower()) for _, field, _ in _OTHERS if field != "layout"}
    spec |= {field: value for field, value in given.items() if value}
    return {
        "apiVersion": naming.API_VERSION,
        "kind": naming.SYNC_KIND,
        "metadata": {"name": name or name_of(addresses[0]), "namespace": namespace},
        "spec": spec,
    }


def name_of(address: str) -> str:
    """A name from an address: the model's, as an object may be called."""
    path = address.partition("?")[0].partition("://")[2].partition("@")[0].rstrip("/")
    made = re.sub("[^a-z0-9]+", "-", path.rpartition("/")[2].lower()).strip("-")[:63].strip("-")
    if not made:
        raise errors.UsageError("--name: the address gives no name; choose one")
    return made


def _target(text: str) -> dict[str, Any]:
    kind, _, rest = text.partition("/")
    claim, _, path = rest.partition("/")
    if kind != "pvc" or not claim:
        raise errors.UsageError(f"--to: {text!r} must be pvc/CLAIM or pvc/CLAIM/DIRECTORY")
    path = path.strip("/")
    return {"persistentVolumeClaim": {"claimName": claim} | ({"subPath": path} if path else {})}


def _print(body: dict[str, Any]) -> None:
    import yaml

    options.say(yaml.safe_dump(body, sort_keys=False).rstrip())
