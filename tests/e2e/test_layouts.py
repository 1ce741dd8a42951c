"""A cache of Hugging Face's libraries on a claim: several models in one HF_HOME, each by another engine,
and a Pod that loads them by name without a network."""

import json

from dev import kube
from dev.origins.hub import HubServer
from modelsync.api.reasons import Layer
from modelsync.api.source.transfer import Engine
from tests.e2e import release
from tests.e2e.sources import hub_source

SIZE = 3_000_000
_PROGRAM = """
import json, os
os.environ.update(HF_HOME="/volume/home", HF_HUB_OFFLINE="1")
from huggingface_hub import hf_hub_download, scan_cache_dir
names = ["native", "hftransfer", "huggingfacehub"]
found = scan_cache_dir()
print(json.dumps({
    "warnings": [str(each) for each in found.warnings],
    "incomplete": len(found.incomplete_files),
    "repositories": sorted(each.repo_id for each in found.repos),
    "sizes": [os.path.getsize(hf_hub_download(f"org/{name}", "model.safetensors")) for name in names],
}))
"""


def test_models_in_one_cache_by_all_engines_load_offline_in_a_pod(space: str, hub: HubServer) -> None:
    for engine in Engine:
        name = engine.lower()
        sync = kube.sync(
            name, space, hub_source(hub, f"org/{name}", size=SIZE), engine=str(engine), sub_path="home"
        )
        sync["spec"]["target"]["layout"] = "HuggingFaceCache"
        kube.apply(sync)
    done = {engine: kube.wait_complete(engine.lower(), space)["status"] for engine in Engine}
    for engine, status in done.items():
        commit = status["resolved"]["revision"]
        path = f"home/hub/models--org--{engine.lower()}/snapshots/{commit}"
        assert status["artifacts"][0]["path"] == path
        assert status["progress"]["bytesDone"] == SIZE
    assert done[Engine.NATIVE]["progress"]["layer"] == Layer.ENGINE
    assert done[Engine.HUGGING_FACE_HUB]["progress"]["layer"] == Layer.ENGINE
    found = json.loads(kube.run_on_claim(space, "models", release.IMAGE, _PROGRAM))
    assert found == {
        "warnings": [],
        "incomplete": 0,
        "repositories": ["org/hftransfer", "org/huggingfacehub", "org/native"],
        "sizes": [SIZE] * 3,
    }
