"""What a ModelSync may say of its files: a preset, an estimate, the digest that they must have."""

from dev import kube
from dev.origins.hub import HubServer
from tests.e2e import release
from tests.e2e.sources import hub_source

FILES = {
    "config.json": b"{}",
    "llama.Q4_K_M.gguf": b"four bits",
    "llama.Q8_0.gguf": b"eight bits",
    "notes.txt": b"notes",
}


def test_a_preset_takes_its_familys_files_and_those_named_besides(space: str, hub: HubServer) -> None:
    source = hub_source(hub, "org/llama", files=FILES)
    kube.apply(kube.sync("llama", space, source, preset="gguf-q4-k-m", allowPatterns=["config.json"]))
    kube.wait_complete("llama", space)
    found = kube.hashes_on_claim(space, "models", release.IMAGE)
    published = {path for path in found if ".modelsync" not in path}
    assert published == {"llama/config.json", "llama/llama.Q4_K_M.gguf"}


def test_an_unknown_preset_is_reported_with_the_known_ones(space: str, hub: HubServer) -> None:
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", files=FILES), preset="ggfu"))
    sync = kube.wait_for("llama", space, kube.phase_is("Failed"), 30, "Failed")
    assert kube.ready_reason(sync) == "InvalidSpec"
    message = next(c["message"] for c in sync["status"]["conditions"] if c["type"] == "Ready")
    assert message.startswith("spec.preset: 'ggfu' is no preset; known are ") and "gguf-q4-k-m" in message
    assert not kube.get("jobs", namespace=space)


def test_other_files_than_expected_fail_before_the_first_byte(space: str, hub: HubServer) -> None:
    source = hub_source(hub, "org/llama", files=FILES)
    expected = f"sha256:{'0' * 64}"
    kube.apply(kube.sync("wrong", space, source, expectedDigest=expected, estimate={"size": "5G"}))
    sync = kube.wait_for("wrong", space, kube.phase_is("Failed"), 60, "Failed")
    failure = sync["status"]["lastFailure"]
    assert (failure["reason"], kube.ready_reason(sync)) == ("ChecksumMismatch", "ChecksumMismatch")
    digest = next(word for word in failure["message"].split() if word.startswith("sha256:")).rstrip(",")
    assert expected in failure["message"] and digest != expected
    assert hub.bytes_sent() == 0
    kube.apply(kube.sync("right", space, source, expectedDigest=digest))
    assert kube.wait_complete("right", space)["status"]["resolved"]["manifestDigest"] == digest


def test_an_estimate_is_shown_until_the_source_states_the_size(space: str, hub: HubServer) -> None:
    source = hub_source(hub, "org/llama", files=FILES)
    kube.apply(kube.sync("llama", space, source, estimate={"size": "5G", "files": 9}, suspend=True))
    sync = kube.wait_for("llama", space, lambda s: bool(_size(s)), 30, "an estimate")
    assert _size(sync) == "~5.0GB"
    assert sync["status"]["progress"] == {"bytesTotal": 5_000_000_000, "filesTotal": 9, "estimated": True}
    kube.patch("modelsync", "llama", space, {"spec": {"suspend": False}})
    done = kube.wait_complete("llama", space)
    assert (_size(done), done["status"]["progress"]["filesTotal"]) == ("26B", 4)


def _size(sync: kube.Object) -> str:
    return str(sync.get("status", {}).get("display", {}).get("size", ""))
