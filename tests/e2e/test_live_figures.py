"""What is known of a download while it runs: the files that come now."""

import subprocess
import sys

from dev import kube
from dev.origins.hub import HubServer, Repository, Synthetic

FILES = {"one.safetensors": Synthetic(40_000_000), "two.safetensors": Synthetic(40_000_000, seed=1)}


def test_bars_of_two_files_move_and_end(space: str, hub: HubServer) -> None:
    hub.rate = 8_000_000
    hub.add(Repository("org/llama", FILES))
    source = {"huggingFace": {"repository": "org/llama", "endpoint": hub.url}}
    with kube.Watch("modelsync", space) as watch:
        kube.apply(kube.sync("llama", space, source))
        watch.until(lambda sync: len(_bars(sync)) == len(FILES), 90, "two files that are being fetched")
        screen = subprocess.run(
            [sys.executable, "-m", "modelsync", "status", "llama", "-n", space],
            capture_output=True, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip
        done = watch.until(kube.phase_is("Complete"), 120, "Complete")
        seen = [sync for _, sync in watch.seen if _bars(sync)]
    assert all(f"40MB  {path}" in screen for path in FILES), screen
    for path, content in FILES.items():
        course = [bar["bytesDone"] for sync in seen for bar in _bars(sync) if bar["path"] == path]
        assert len(set(course)) > 2 and course == sorted(course)
        assert course[-1] <= content.size
    for sync in seen:
        assert sum(bar["bytesDone"] for bar in _bars(sync)) <= sync["status"]["progress"]["bytesDone"]
    assert "activeFiles" not in done["status"]["progress"]


def _bars(sync: kube.Object) -> list[kube.Object]:
    found: list[kube.Object] = sync.get("status", {}).get("progress", {}).get("activeFiles", [])
    return found
