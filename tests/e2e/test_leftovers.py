"""A sync that is deleted half-way: what stays is reported, and removed by the Pod of the documentation."""

from pathlib import Path
from typing import Any

import yaml

from dev import kube
from dev.origins.hub import HubServer
from tests.e2e import release
from tests.e2e.sources import hub_source

SIZE = 60_000_000
EXAMPLE = yaml.safe_load(Path("examples/clean.yaml").read_text())


def clean(space: str, *args: str) -> str:
    """Run the example's Pod with these arguments; what it printed."""
    pod: dict[str, Any] = {**EXAMPLE, "metadata": {"name": f"clean-{len(args)}", "namespace": space}}
    pod["spec"] = {
        **EXAMPLE["spec"],
        "containers": [{**EXAMPLE["spec"]["containers"][0], "args": list(args)}],
    }
    kube.apply(pod)
    with kube.Watch("pod", space, pod["metadata"]["name"]) as watch:
        ended = watch.until(lambda one: kube.phase_is("Succeeded", "Failed")(one), 60, "the Pod's end")
    said = kube.kubectl("logs", pod["metadata"]["name"], "-n", space)
    assert ended["status"]["phase"] == "Succeeded", said
    return said


def test_deleted_syncs_files_are_named_listed_and_removed(space: str, hub: HubServer) -> None:
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", size=SIZE, rate=2_000_000)))
    sync = kube.wait_for(
        "llama", space, lambda one: one.get("status", {}).get("progress", {}).get("bytesDone", 0) > 0, 60
    )
    uid = sync["metadata"]["uid"]
    assert EXAMPLE["spec"]["containers"][0]["image"] == release.IMAGE
    kube.kubectl("delete", "modelsync", "llama", "-n", space)
    with kube.Watch("event", space) as events:
        left = events.until(lambda one: one["reason"] == "UnfinishedFilesLeft", 30, "the Event")
    assert f"up to 60.0MB of unfinished files stay in 'llama/.modelsync/{uid}'" in left["message"]
    kube.eventually(lambda: not kube.get("pods", namespace=space), 60, "the worker has ended")
    listed = clean(space, "clean", "/volume").splitlines()
    assert listed[1].split()[:3] == ["llama", uid, "60.0MB"]
    assert "Removed 60.0MB" in clean(space, "clean", "/volume", "--uid", uid)
    assert sorted(kube.run_on_claim(space, "models", release.IMAGE, _LIST).split()) == ["accounts", "lock"]


_LIST = "import os; print(*os.listdir('/volume/llama/.modelsync'))"
