"""A cluster that somebody uses: the demo and the tests say what is there, and change nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dev import kube, occupied, target
from tests import counts
from tests.e2e import release

_PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
ENTRIES = {
    "the tests": ("-m", "dev.occupied"),
    "the chart's tests": (*_PYTEST, "tests/chart/test_on_cluster.py"),
    "the demo": ("-m", "dev.demo"),
    **counts.chosen(short={}, full={"pytest by hand": (*_PYTEST, "tests/e2e/test_watch.py")}),
}


@pytest.fixture
def somebodys(operator: None, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace that no tool made, with two ModelSyncs and a queue."""
    space = kube.namespace_name(request.node.nodeid)
    kube.kubectl("create", "namespace", space)
    try:
        source = {"huggingFace": {"repository": "org/name"}}
        kube.apply(*(kube.sync(name, space, source, suspend=True) for name in ("one", "other")))
        queue = {"apiVersion": "modelsync.dev/v1alpha1", "kind": "SyncQueue", "spec": {"maxActive": 1}}
        kube.apply({**queue, "metadata": {"name": "theirs", "namespace": space}})
        yield space
    finally:
        kube.kubectl("delete", "namespace", space, "--timeout=60s", timeout=70)


def whole(space: str) -> set[tuple[str, str]]:
    """Kind and uid of what must not be touched; other tests make queues of their own beside the release."""
    found = [(kind, one) for kind in ("modelsyncs", "syncqueues") for one in kube.get(kind, namespace=space)]
    found += [("queue", kube.get("syncqueue", "default", release.SYSTEM))]
    found += [("deployment", one) for one in kube.get("deployments", namespace=release.SYSTEM)]
    found += [("crd", kube.get("crd", name)) for name in occupied.CRDS.values()]
    found += [("namespace", kube.get("namespace", name)) for name in (space, release.SYSTEM)]
    return {(kind, one["metadata"]["uid"]) for kind, one in found}


def test_demo_sees_the_installation_of_the_tests_as_anothers(operator: None) -> None:
    things = occupied.Cluster().look(occupied.Maker.DEMO)
    kinds = {one.kind for one in occupied.foreign(things, occupied.Maker.DEMO)}
    assert kinds >= {"CustomResourceDefinition", "SyncQueue", "HelmRelease", "Namespace"}
    of_the_tests = [one for one in things if one.namespace in ("", release.SYSTEM)]
    assert occupied.foreign(of_the_tests, occupied.Maker.TESTS) == []


# What counts as a permission is the same code behind all entries.
@pytest.mark.parametrize(
    ("entry", "permission"),
    [*((entry, None) for entry in ENTRIES), ("the tests", "yes"), ("the tests", "another-cluster")],
)
def test_cluster_in_use_is_refused_before_anything_is_changed(
    somebodys: str, entry: str, permission: str | None
) -> None:
    before = whole(somebodys)
    given = {} if permission is None else {occupied.VARIABLE: permission}
    done = subprocess.run(
        [sys.executable, *ENTRIES[entry]],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert f"2 ModelSyncs in namespace {somebodys}" in said
    assert f"1 SyncQueue in namespace {somebodys}" in said
    assert f"{occupied.VARIABLE}={occupied.Cluster().identity()}" in said
    assert whole(somebodys) == before


@pytest.mark.early  # while there is little to clean up
@pytest.mark.alone
def test_cleaning_up_leaves_definitions_that_somebody_uses(somebodys: str) -> None:
    with pytest.raises(target.TargetError, match=f"2 ModelSyncs in namespace {somebodys}"):
        occupied.Cluster().clean_up(occupied.Maker.TESTS)
    assert kube.exists("modelsync", "one", somebodys)
