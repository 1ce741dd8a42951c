"""A target equals its manifest, what is there needs no origin, and a preset finds its weights."""

from dev import kube
from dev.origins.hub import HubServer
from tests.e2e import release
from tests.e2e.sources import hub_source

OLD = {f"model-{number}-of-3.safetensors": b"old %d" % number for number in (1, 2, 3)}
NEW = {f"model-{number}-of-2.safetensors": b"new %d" % number for number in (1, 2)}


def test_a_branch_that_moved_leaves_its_new_files_and_a_commit_needs_no_hub(
    space: str, hub: HubServer
) -> None:
    source = hub_source(hub, "org/llama", files={**OLD, "config.json": b"{}"})
    kube.apply(kube.sync("old", space, source, sub_path="llama"))
    kube.wait_complete("old", space)
    kube.kubectl("delete", "modelsync", "old", "-n", space)
    commit = hub.state.repositories["model", "org/llama"].commit({**NEW, "config.json": b"{}"})
    kube.apply(kube.sync("new", space, source, sub_path="llama"))
    kube.wait_complete("new", space)
    found = kube.hashes_on_claim(space, "models", release.IMAGE)
    published = {path.removeprefix("llama/") for path in found if ".modelsync" not in path}
    assert published == {*NEW, "config.json"}
    kube.kubectl("delete", "modelsync", "new", "-n", space)
    asked = len(hub.log.entries())
    pinned = {"huggingFace": {**source["huggingFace"], "revision": commit}}
    kube.apply(kube.sync("pinned", space, pinned, sub_path="llama"))
    done = kube.wait_complete("pinned", space)
    assert done["status"]["resolved"]["revision"] == commit
    assert len(hub.log.entries()) == asked


def test_a_preset_without_weights_fails_with_what_the_repository_has(space: str, hub: HubServer) -> None:
    source = hub_source(hub, "org/gpt", files={"config.json": b"{}", "pytorch_model.bin": b"weights"})
    kube.apply(kube.sync("gpt", space, source, preset="safetensors"))
    sync = kube.wait_for("gpt", space, kube.phase_is("Failed"), 60, "Failed")
    assert kube.ready_reason(sync) == "NothingMatched"
    assert "pytorch_model.bin" in sync["status"]["lastFailure"]["message"]
    assert hub.bytes_sent() == 0
