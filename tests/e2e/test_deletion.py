"""Deletion always completes: in any order, with the operator up or down, nothing hangs."""

import itertools
import time

import pytest

from dev import kube, kube_api
from dev.origins.hub import HubServer
from tests import counts
from tests.e2e import release
from tests.e2e.sources import hub_source

NAMES = ("sync", "namespace", "crd", "release")
ALL_ORDERS: list[tuple[str, ...]] = list(itertools.permutations(NAMES))
# The definition goes before all that depends on it, and the operator before all that it would clean up;
# `make chaos` runs all 24 orders, up and down.
CHOSEN: list[tuple[str, ...]] = [
    ("crd", "namespace", "sync", "release"),
    ("release", "sync", "namespace", "crd"),
]
CASES = [
    (order, up)
    for index, order in enumerate(counts.chosen(short=CHOSEN, full=ALL_ORDERS))
    for up in counts.chosen(short=[index % 2 == 0], full=[True, False])
]
LIMIT_SECONDS = 30


def delete(what: str, namespace: str) -> None:
    """Delete one thing without waiting for it."""
    if what == "sync" and _defined():
        names = ("delete", "modelsync", "live", "-n", namespace)
        kube.kubectl(*names, "--ignore-not-found", "--wait=false")
    elif what == "namespace":
        kube.kubectl("delete", "namespace", namespace, "--wait=false")
    elif what == "crd":
        kube.kubectl("delete", "crd", "modelsyncs.modelsync.dev", "--wait=false")
    elif what == "release":
        release.helm("uninstall", release.RELEASE, "-n", release.SYSTEM, "--ignore-not-found")


def leftovers(namespace: str) -> list[str]:
    """What is still there of all that was deleted."""
    ours = "app.kubernetes.io/managed-by=modelsync"
    found = [one for kind in ("jobs", "pods") for one in kube_api.items(kind, None, labels=ours)]
    found += kube_api.items("namespaces", None, fields=f"metadata.name={namespace}")
    return [f"{one['kind']} {one['metadata']['name']}" for one in [*found, *_defined()]]


def _defined() -> list[kube.Object]:
    """The definition of ModelSyncs, while it is there."""
    return kube_api.items("crds", None, fields="metadata.name=modelsyncs.modelsync.dev", only_metadata=True)


@pytest.mark.alone
@pytest.mark.parametrize(
    ("order", "up"), CASES, ids=[f"{'-'.join(o)}-{'up' if up else 'down'}" for o, up in CASES]
)
def test_everything_goes_away_in_any_order(
    operator: None, hub: HubServer, order: tuple[str, ...], up: bool
) -> None:
    namespace = f"gone-{'-'.join(name[0] for name in order)}-{'up' if up else 'down'}"
    with kube.namespace(namespace):
        source = hub_source(hub, "org/slow", size=20_000_000, rate=200_000)
        kube.apply(kube.claim("models", namespace), kube.sync("live", namespace, source))
        kube.wait_for("live", namespace, kube.phase_is("Downloading"), 60, "Downloading")
        if not up:
            release.scale(0)
        begun = time.monotonic()
        for what in order:
            delete(what, namespace)
        left = begun + LIMIT_SECONDS - time.monotonic()
        kube.eventually(lambda: not leftovers(namespace), left, f"nothing left after {order}")
