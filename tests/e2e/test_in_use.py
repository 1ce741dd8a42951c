"""A cluster that somebody uses: the demo and the tests say what is there, and change nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dev import kube, occupied, target
from tests.e2e import release

pytestmark = pytest.mark.alone
SOMEBODYS = "somebodys"
ENTRIES = {
    "the tests": ("-m", "dev.occupied"),
    "pytest by hand": ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/e2e/test_watch.py"),
    "the chart's tests": ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/chart/test_on_cluster.py"),
    "the demo": ("-m", "dev.demo"),
}


@pytest.fixture(scope="module")
def somebodys(room: None) -> Iterator[None]:
    """The release, and two ModelSyncs and a queue in a namespace that no tool made."""
    release.ensure()
    kube.kubectl("create", "namespace", SOMEBODYS)
    try:
        source = {"huggingFace": {"repository": "org/name"}}
        kube.apply(*(kube.sync(name, SOMEBODYS, source, suspend=True) for name in ("one", "other")))
        queue = {"apiVersion": "modelsync.dev/v1alpha1", "kind": "SyncQueue", "spec": {"maxActive": 1}}
        kube.apply({**queue, "metadata": {"name": "theirs", "namespace": SOMEBODYS}})
        yield
    finally:
        kube.kubectl("delete", "namespace", SOMEBODYS, "--timeout=60s", timeout=70)


def whole() -> set[tuple[str, str]]:
    """Kind and uid of what must not be touched; namespaces of earlier tests may be on their way out."""
    spaces = (SOMEBODYS, release.SYSTEM)
    kinds = ("modelsyncs", "syncqueues", "deployments")
    found = [(kind, one) for kind in kinds for space in spaces for one in kube.get(kind, namespace=space)]
    found += [("crd", kube.get("crd", name, "default")) for name in occupied.CRDS.values()]
    found += [("namespace", one) for one in kube.get("namespaces") if one["metadata"]["name"] in spaces]
    return {(kind, one["metadata"]["uid"]) for kind, one in found}


# Before the tests with a user's objects, which stay until the last of them.
def test_demo_sees_the_installation_of_the_tests_as_anothers(operator: None) -> None:
    things = occupied.Cluster().look(occupied.Maker.DEMO)
    kinds = {one.kind for one in occupied.foreign(things, occupied.Maker.DEMO)}
    assert kinds >= {"CustomResourceDefinition", "SyncQueue", "HelmRelease", "Namespace"}
    assert occupied.foreign(things, occupied.Maker.TESTS) == []


# What counts as a permission is the same code behind all entries.
@pytest.mark.parametrize(
    ("entry", "permission"),
    [*((entry, None) for entry in ENTRIES), ("the tests", "yes"), ("the tests", "another-cluster")],
)
def test_cluster_in_use_is_refused_before_anything_is_changed(
    somebodys: None, entry: str, permission: str | None
) -> None:
    before = whole()
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
    assert f"2 ModelSyncs in namespace {SOMEBODYS}" in said
    assert f"1 SyncQueue in namespace {SOMEBODYS}" in said
    assert f"{occupied.VARIABLE}={occupied.Cluster().identity()}" in said
    assert whole() == before


def test_cleaning_up_leaves_definitions_that_somebody_uses(somebodys: None) -> None:
    with pytest.raises(target.TargetError, match=f"2 ModelSyncs in namespace {SOMEBODYS}"):
        occupied.Cluster().clean_up(occupied.Maker.TESTS)
    assert kube.exists("modelsync", "one", SOMEBODYS)
