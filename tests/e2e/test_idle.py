"""A thousand ModelSyncs that do nothing cost nothing: a restart of the operator writes no status."""

import json
import time

import pytest

from dev import kube
from tests import counts
from tests.e2e import release

COUNT = counts.chosen(short=80, full=1000)
QUIET_SECONDS = counts.chosen(short=5, full=10)


@pytest.fixture
def many(operator: None) -> str:
    """A namespace with COUNT suspended ModelSyncs whose status is settled."""
    name = "idle"
    kube.make_namespace(name)
    source = {"huggingFace": {"repository": "org/idle"}}
    syncs = [kube.sync(f"idle-{i:04}", name, source, suspend=True) for i in range(COUNT)]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": syncs})
    kube.kubectl("create", "-f", "-", stdin=text, timeout=180)

    def settled() -> bool:
        phases = [one.get("status", {}).get("phase") for one in kube.get("modelsyncs", namespace=name)]
        return phases == ["Paused"] * COUNT

    kube.eventually(settled, 180, "all Paused")
    counts_written = [-1.0]

    def quiet() -> bool:
        # A SyncQueue's status follows those of its ModelSyncs, and what this operator still owes would be
        # written by the next.
        time.sleep(2)
        counts_written.append(release.sample("modelsync_status_patches_total", result="written"))
        return counts_written[-1] == counts_written[-2]

    kube.eventually(quiet, 60, "no more writes")
    return name


@pytest.mark.alone
def test_restart_over_many_idle_syncs_writes_no_status(many: str, record_property: object) -> None:
    versions = _versions(many)
    old = release.operator_pod()["metadata"]["name"]
    begun = time.monotonic()
    kube.kubectl("delete", "pod", old, "-n", release.SYSTEM)
    release.scale(1)
    kube.eventually(lambda: _leads(), 60, "a leader")
    ready = time.monotonic() - begun
    # The absence of a write has no event; a fixed window of quiet is what is left.
    time.sleep(QUIET_SECONDS)
    written = release.sample("modelsync_status_patches_total", result="written")
    memory = release.sample("process_resident_memory_bytes")
    record_property("idle_restart", {"seconds": round(ready, 1), "mib": round(memory / 2**20)})  # type: ignore[operator]
    print(f"restart over {COUNT} idle syncs: leads after {ready:.1f} s, {memory / 2**20:.0f} MiB")
    kube.kubectl("delete", "namespace", many, "--wait=false")
    assert written == 0
    assert _versions(many) == versions
    assert memory < 256 * 2**20


def _leads() -> bool:
    try:
        return release.sample("modelsync_leader") == 1 and release.sample("modelsync_syncs") >= COUNT
    except OSError:
        return False


def _versions(namespace: str) -> list[str]:
    return [one["metadata"]["resourceVersion"] for one in kube.get("modelsyncs", namespace=namespace)]
