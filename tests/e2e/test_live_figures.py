"""What is known of a worker while it runs: files that come, what its network carries, the end of its log."""

import re
import subprocess
import sys

from dev import kube
from dev.origins.hub import HubServer, Repository, Synthetic
from tests.e2e import page_server
from tests.e2e.page_server import PageServer
from tests.e2e.sources import hub_source

FILES = {"one.safetensors": Synthetic(40_000_000), "two.safetensors": Synthetic(40_000_000, seed=1)}


def test_bars_of_two_files_and_rates_move_and_end(space: str, hub: HubServer) -> None:
    hub.rate = 1_000_000
    hub.add(Repository("org/llama", FILES))
    source = {"huggingFace": {"repository": "org/llama", "endpoint": hub.url}}
    with kube.Watch("modelsync", space) as watch:
        kube.apply(kube.sync("llama", space, source))
        watch.until(lambda sync: len(_bars(sync)) == len(FILES), 90, "two files that are being fetched")
        watch.until(_has_rates, 60, "the rate of the download and of the network")
        screen = _plugin("status", "llama", "-n", space)
        rates = _plugin("top", "-n", space)
        kube.eventually(
            lambda: all(len(set(_course(watch, path))) > 2 for path in FILES), 90, "both bars move"
        )
        hub.rate = None
        done = watch.until(kube.phase_is("Complete"), 120, "Complete")
        seen = [sync for _, sync in watch.seen if _bars(sync)]
    for path in FILES:
        assert re.search(rf"░  \S+ / 40.0MB +{path}\n", screen), screen
    assert re.search(rf"{space}/llama +\S+B/s ", rates), rates
    assert re.search(r"all nodes +1 +↓ \S+B/s +↑ \S+B/s\n", rates), rates
    for path, content in FILES.items():
        course = _course(watch, path)
        assert course == sorted(course) and course[-1] <= content.size
    for sync in seen:
        assert sum(bar["bytesDone"] for bar in _bars(sync)) <= sync["status"]["progress"]["bytesDone"]
    carried = [found for sync in seen if (found := sync["status"]["progress"].get("network"))]
    assert max(each["receiveBytesPerSecond"] for each in carried) > 0
    assert max(each["transmitBytesPerSecond"] for each in carried) > 0
    assert {"activeFiles", "network"}.isdisjoint(done["status"]["progress"])


def test_the_last_log_lines_are_read_with_the_rights_of_the_caller(
    web: PageServer, token: str, space: str, hub: HubServer
) -> None:
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", size=1_000)))
    kube.wait_complete("llama", space)
    path = f"/api/v1/namespaces/{space}/modelsyncs/llama"
    found = web.ask("GET", f"{path}/logs?lines=10", token)
    assert found.status == 200, found.text
    assert len(found.json["lines"]) <= 10 and "Published 1 files" in "\n".join(found.json["lines"])
    looks_at_modelsyncs = page_server.user("looker", space, role="modelsync-view")
    assert web.ask("GET", path, looks_at_modelsyncs).status == 200
    refused = web.ask("GET", f"{path}/logs", looks_at_modelsyncs)
    assert (refused.status, refused.json["reason"]) == (403, "AccessDenied")
    assert 'cannot list resource "pods"' in refused.json["detail"]


def _plugin(*words: str) -> str:
    command = [sys.executable, "-m", "modelsync", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def _course(watch: kube.Watch, path: str) -> list[int]:
    return [bar["bytesDone"] for _, sync in watch.seen for bar in _bars(sync) if bar["path"] == path]


def _has_rates(sync: kube.Object) -> bool:
    # A speed may come in another report than the network's rate: each has a first figure of its own.
    progress: kube.Object = sync.get("status", {}).get("progress", {})
    return {"bytesPerSecond", "network"} <= progress.keys()


def _bars(sync: kube.Object) -> list[kube.Object]:
    found: list[kube.Object] = sync.get("status", {}).get("progress", {}).get("activeFiles", [])
    return found
