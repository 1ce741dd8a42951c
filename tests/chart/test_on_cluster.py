"""The chart on a real API server: the first installation, upgrades, and a removal that costs nobody a model.

Each test begins with whatever the one before left, and says what it needs: an installed release is upgraded
to the values of the test, which is what clusters live through. What the API server and Helm do alone is tried
without a running operator, whose start and end are most of an upgrade's time.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev import kube
from dev.origins.hub import HubServer, Repository, Synthetic
from tests.chart import helm, release
from tests.e2e import release as e2e

pytestmark = release.ON_CLUSTER
SPACE, OTHER = "chart-models", "chart-other"
NO_OPERATOR = "replicaCount=0"


@pytest.fixture(scope="module", autouse=True)
def spaces(room: None) -> Iterator[None]:
    """Two users' namespaces with a claim each; at the end no release and no CRDs remain."""
    release.purge()
    with kube.namespace(SPACE), kube.namespace(OTHER):
        kube.apply(kube.claim("models", SPACE), kube.claim("models", OTHER))
        yield
        release.purge()


DEFINITIONS = [f"customresourcedefinition.apiextensions.k8s.io/{name}" for name in release.CRDS]
MINE = f"app.kubernetes.io/name={helm.CHART.rpartition('/')[2]}"


def left() -> list[str]:
    """All of the chart's objects that are there, as kind and name."""
    kinds = (
        "deployments,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,configmaps"
    )
    policies = "validatingadmissionpolicies,validatingadmissionpolicybindings"
    return kube.kubectl("get", f"{kinds},{policies},crds", "-A", "-l", MINE, "-o", "name").split()


REFUSED = {
    f"watch.namespaces={{{SPACE},nowhere,never}}": r"watch\.namespaces: there is no namespace nowhere, never",
    "watch.namespaces={nowhere,never}": r"watch\.namespaces: there is no namespace nowhere, never",
    "crds.enabled=false": r"crds\.enabled is false, and this cluster does not have",
}
"""What cannot be installed here, and why; in the last case the definitions are left to others."""


def test_what_cannot_be_installed_is_refused_before_anything_is_made() -> None:
    release.purge()
    for setting, said in REFUSED.items():
        with pytest.raises(AssertionError, match=said):
            release.upgrade(setting)
    assert release.NAME not in helm.run("list", "-n", release.SYSTEM, "-a", "-q").stdout.split()
    assert left() == []


def test_an_installation_in_a_hurry_brings_the_default_queue_and_names_all_that_stays() -> None:
    release.purge()
    printed = release.upgrade(NO_OPERATOR, wait=False)
    assert release.queue()["spec"]["maxActive"] == 1
    release.uninstall()
    assert "SyncQueues (default" in printed
    for line in (line for line in printed.splitlines() if line.startswith("kubectl delete ")):
        kube.kubectl(*line.split()[1:], "--timeout=60s", timeout=70)
    assert left() == []


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What there is after a step of a release's life."""

    queue: kube.Object
    columns: dict[str, Any]
    """Of each definition."""
    has_sync: bool


def moment() -> Moment:
    crds = {name: kube.get("crd", name, "default") for name in release.CRDS}
    return Moment(
        queue=release.queue(),
        columns={name: columns(crd) for name, crd in crds.items()},
        has_sync=kube.exists("modelsync", "kept", SPACE),
    )


def columns(crd: kube.Object) -> Any:
    (version,) = crd["spec"]["versions"]
    return version["additionalPrinterColumns"]


@dataclass(frozen=True, kw_only=True)
class Life:
    """A release without an operator, from an older chart to definitions that are left to others."""

    older: Moment
    upgraded: Moment
    removed: Moment
    left: list[str]
    """After its removal."""
    reinstalled: Moment
    without_definitions: Moment


@pytest.fixture(scope="module")
def life(spaces: None, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """All steps once; each of the tests looks at what concerns it."""
    older = Path(shutil.copytree(helm.CHART, tmp_path_factory.mktemp("older") / "modelsync"))
    for path in (older / "files/crds").iterdir():
        crd = yaml.safe_load(path.read_text())
        columns(crd).pop()
        path.write_text(yaml.safe_dump(crd))
    release.purge()
    moments: dict[str, Any] = {}
    release.upgrade(NO_OPERATOR, chart=older)
    kube.patch("syncqueue", "default", release.SYSTEM, {"spec": {"maxActive": 7}})
    kube.apply(release.paused("kept", SPACE))
    moments["older"] = moment()
    release.upgrade(NO_OPERATOR, "config.log.level=debug")
    moments["upgraded"] = moment()
    release.uninstall()
    moments["removed"], moments["left"] = moment(), left()
    release.upgrade(NO_OPERATOR)
    moments["reinstalled"] = moment()
    release.upgrade(NO_OPERATOR, "crds.enabled=false")
    moments["without_definitions"] = moment()
    return Life(**moments)


def test_upgrade_brings_the_new_schema(life: Life) -> None:
    crds = [yaml.safe_load(path.read_text()) for path in Path("crds").iterdir()]
    wanted = {crd["metadata"]["name"]: columns(crd) for crd in crds}
    assert life.older.columns == {name: found[:-1] for name, found in wanted.items()}
    assert life.upgraded.columns == wanted


def test_queue_that_a_user_edited_survives_upgrade_and_reinstallation(life: Life) -> None:
    for found in (life.upgraded, life.removed, life.reinstalled):
        assert found.queue["spec"]["maxActive"] == 7
        assert found.queue["metadata"]["uid"] == life.older.queue["metadata"]["uid"]


def test_removal_leaves_crds_modelsyncs_and_queues_and_nothing_else(life: Life) -> None:
    assert life.removed.has_sync
    assert life.left == DEFINITIONS


def test_leaving_the_crds_to_others_deletes_no_modelsync(life: Life) -> None:
    assert life.without_definitions.has_sync


@dataclass(frozen=True, kw_only=True)
class Operated:
    """A release with an operator: installed, upgraded, removed, and installed for one namespace."""

    printed: str
    """By the first installation."""
    queue: kube.Object
    live: tuple[kube.Object, kube.Object]
    """A download as it began and as it ended."""
    left: list[str]
    """After its removal."""
    unseen: kube.Object
    """A ModelSync of the namespace that is not watched, after one of the other is complete."""
    cluster_roles: str


@pytest.fixture(scope="module")
def operated(spaces: None) -> Operated:
    """All steps once, during a download; each of the tests looks at what concerns it."""
    found: dict[str, Any] = {}
    with HubServer(host=e2e.ORIGIN_HOST) as hub:
        hub.rate = 1_000_000
        hub.add(Repository("org/live", {"model.safetensors": Synthetic(40_000_000)}))
        hub.add(Repository("org/small", {"config.json": b"{}"}))
        live, small = (
            {"huggingFace": {"repository": name, "endpoint": hub.url}} for name in ("org/live", "org/small")
        )
        release.purge()
        found["printed"], found["queue"] = release.upgrade(), release.queue()
        kube.apply(kube.sync("live", SPACE, live))
        begun = kube.wait_for("live", SPACE, kube.phase_is("Downloading"), 60, "Downloading")
        release.upgrade("replicaCount=2")
        release.uninstall()
        found["left"] = left()
        release.upgrade(f"watch.namespaces={{{SPACE}}}", "rbac.aggregateClusterRoles=false")
        hub.rate = None
        found["live"] = begun, kube.wait_complete("live", SPACE, 120)
        kube.apply(kube.sync("seen", SPACE, small), kube.sync("unseen", OTHER, small))
        kube.wait_complete("seen", SPACE)
        found["unseen"] = kube.get("modelsync", "unseen", OTHER)
        found["cluster_roles"] = kube.kubectl("get", "clusterroles", "-l", MINE, "-o", "name")
    return Operated(**found)


def test_first_installation_brings_the_default_queue_along(operated: Operated) -> None:
    assert operated.queue["spec"]["maxActive"] == 1
    printed = operated.printed
    manifest = printed[printed.index("apiVersion:") : printed.index("YAML\n\n")]
    pasted = [
        {**one, "metadata": one["metadata"] | {"namespace": SPACE}} for one in yaml.safe_load_all(manifest)
    ]
    kube.apply(*pasted, dry_run=True)


def test_live_download_survives_upgrade_removal_and_reinstallation(operated: Operated) -> None:
    begun, ended = operated.live
    assert operated.left == DEFINITIONS
    assert (ended["metadata"]["uid"], ended["status"]["attempts"]) == (begun["metadata"]["uid"], 1)
    assert ended["status"]["progress"]["bytesNetwork"] < 41_000_000


def test_release_that_watches_one_namespace_holds_no_cluster_wide_right(operated: Operated) -> None:
    assert "status" not in operated.unseen
    assert not operated.cluster_roles
