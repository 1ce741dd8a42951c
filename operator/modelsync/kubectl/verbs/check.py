"""`kubectl modelsync check`: what a download needs, looked at from the user's side, each with a remedy."""

from collections.abc import Iterator
from typing import Any

import click

from modelsync.api import naming
from modelsync.kubectl import client, options, tables
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError
from modelsync.kubectl.verbs import installation, queue
from modelsync.kubectl.verbs.installation import Finding
from modelsync.reading.fields import Fields
from modelsync.reading.values import Colour

_VERBS = ("list", "get", "create", "patch", "delete")
_OLDEST_RENEWAL = 60


@click.command("check")
@options.on_cluster
def command(cluster: Cluster) -> None:
    """Check what downloads need: API, versions, rights, operator, image, queues, claims."""
    bad = False
    for check in (_api, _definitions, _rights, _operator, _queues, _claims):
        for finding in _guarded(check.__name__.strip("_"), check(cluster)):
            sign, colour = _SIGNS[finding.well]
            options.say(f"{tables.paint(sign, colour)} {finding.what}: {finding.text}")
            bad = bad or finding.well is False
    if bad:
        raise SystemExit(1)


_SIGNS = {True: ("ok  ", Colour.GREEN), False: ("FAIL", Colour.RED), None: ("?   ", Colour.AMBER)}


def _guarded(what: str, found: Iterator[Finding]) -> Iterator[Finding]:
    """The findings of a check, one of which is that it could not look; few may look everywhere."""
    try:
        yield from found
    except CommandError as problem:
        well = None if problem.status == 403 else False
        yield Finding(what=what, well=well, text=str(problem))


def _api(cluster: Cluster) -> Iterator[Finding]:
    server = cluster.client.get("/version", "the cluster's version")
    yield Finding(what="Kubernetes", well=True, text=str(server.get("gitVersion")))
    cluster.client.get(client.syncs(cluster.namespace), "modelsyncs", limit=1)
    yield Finding(what="API", well=True, text=f"{naming.API_VERSION} is served")


def _definitions(cluster: Cluster) -> Iterator[Finding]:
    from modelsync.api import crd  # the models of the API take half of a second

    ours = {one["metadata"]["name"]: one for one in crd.all_crds()}
    for name, own in ours.items():
        path = client.path_of("customresourcedefinitions", None, name, root="/apis/apiextensions.k8s.io/v1")
        served = cluster.client.get(path, f"CRD {name}")
        yield installation.schema_finding(served, own, own["spec"]["names"]["kind"])


def _rights(cluster: Cluster) -> Iterator[Finding]:
    missing = [verb for verb in _VERBS if not _may(cluster, verb)]
    where = f"in namespace {cluster.namespace}"
    if missing:
        fix = "ask for the role edit (view for reading only)"
        yield Finding(what="rights", well=False, text=f"you may not {', '.join(missing)} {where}; {fix}")
    else:
        yield Finding(what="rights", well=True, text=f"you may {', '.join(_VERBS)} ModelSyncs {where}")


def _may(cluster: Cluster, verb: str) -> bool:
    asked = {
        "namespace": cluster.namespace,
        "verb": verb,
        "group": naming.GROUP,
        "resource": naming.SYNC_PLURAL,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return Fields(cluster.client.create(path, "your rights", body)).of("status").flag("allowed")


def _operator(cluster: Cluster) -> Iterator[Finding]:
    path = client.path_of("leases", None, root="/apis/coordination.k8s.io/v1")
    query = {"fieldSelector": f"metadata.name={naming.LEASE_NAME}"}
    leases = cluster.client.list(path, "leases", **query)["items"]
    for lease in leases:
        yield lease_finding(lease, options.now())
        namespace = str(lease["metadata"]["namespace"])
        yield from _guarded("versions, image", _installation(cluster, namespace))
    if not leases:
        yield Finding(what="operator", well=False, text="no Lease of an operator is there: install the chart")


def _installation(cluster: Cluster, namespace: str) -> Iterator[Finding]:
    path = client.path_of("deployments", namespace, root="/apis/apps/v1")
    found = cluster.client.list(path, "deployments")["items"]
    for deployment in filter(installation.is_operator, found):
        yield from installation.deployment_findings(deployment, _config(cluster, namespace, deployment))


def _config(cluster: Cluster, namespace: str, deployment: dict[str, Any]) -> str | None:
    name = installation.config_map_of(deployment)
    if name is None:
        return None
    try:
        path = client.core("configmaps", namespace, name)
        return installation.config_text(cluster.client.get(path, f"configmap {namespace}/{name}"))
    except CommandError as problem:
        if problem.status not in (403, 404):
            raise
        return None


def lease_finding(lease: dict[str, Any], now: Any) -> Finding:
    """Whether an operator holds its Lease."""
    fields = Fields(lease)
    where = fields.of("metadata").text("namespace") or ""
    renewed, holder = fields.of("spec").time("renewTime"), fields.of("spec").text("holderIdentity")
    age = None if renewed is None else (now - renewed).total_seconds()
    if not holder or age is None or age > _OLDEST_RENEWAL:
        fix = f"look at its Pods: kubectl get pods -n {where}"
        return Finding(what="operator", well=False, text=f"none acts in namespace {where}; {fix}")
    return Finding(what="operator", well=True, text=f"{holder} acts in namespace {where}")


def _queues(cluster: Cluster) -> Iterator[Finding]:
    found = queue.read(cluster).queues
    for one in found:
        well = one.exists and one.admits
        text = one.message or f"admits, {one.slots_used} of {one.slots} slots in use"
        yield Finding(what=f"queue {one.name}", well=well, text=text)
    if not found:
        yield Finding(what="queues", well=None, text="none that you may see")


def _claims(cluster: Cluster) -> Iterator[Finding]:
    found = cluster.client.list(client.core("persistentvolumeclaims", cluster.namespace), "claims")["items"]
    for claim in found:
        fields = Fields(claim)
        name, phase = fields.of("metadata").text("name"), fields.of("status").text("phase")
        modes = ", ".join(fields.of("spec").texts("accessModes"))
        class_ = fields.of("spec").text("storageClassName") or "no storage class"
        text = f"{phase}, {class_}, {modes}" + ("; its storage class was lost" if phase == "Lost" else "")
        yield Finding(what=f"claim {name}", well=phase != "Lost", text=text)
    if not found:
        fix = "a ModelSync writes into a claim of its own namespace: create one"
        yield Finding(what="claims", well=None, text=f"none in namespace {cluster.namespace}; {fix}")
