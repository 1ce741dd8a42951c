"""The operator's configuration on the cluster: a ConfigMap is changed, and the Pod that runs acts by it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dev import kube
from tests.e2e import release


def document() -> Any:
    return yaml.safe_load(kube.get("configmap", release.CONFIG_MAP, release.SYSTEM)["data"]["config.yaml"])


def store(found: Any) -> None:
    """As `kubectl edit` does."""
    kube.patch(
        "configmap", release.CONFIG_MAP, release.SYSTEM, {"data": {"config.yaml": yaml.safe_dump(found)}}
    )
    release.read_at_once()


@pytest.fixture
def as_it_was(operator: None) -> Iterator[Any]:
    """The document, which is put back at the end."""
    before = document()
    yield before
    store(before)


def log() -> str:
    return kube.kubectl("logs", "deployment/" + release.RELEASE, "-n", release.SYSTEM, "--tail=400")


def eventually(what: str, holds: Any, seconds: float = 100) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(1)


@pytest.mark.alone
def test_a_changed_config_map_acts_in_the_pod_that_runs_and_a_bad_one_is_shown(as_it_was: Any) -> None:
    pod = release.operator_pod()["metadata"]["uid"]
    wanted = {**as_it_was, "log": {**as_it_was["log"], "level": "debug"}}
    wanted["limits"] = {"statusWritesPerSecond": 21}
    store(wanted)
    eventually("it acts", lambda: "from now on: log.level, limits.statusWritesPerSecond" in log())
    store({**wanted, "limits": {"bandwidth": 1}})
    eventually("refused", lambda: release.sample("modelsync_config_last_reload_successful") == 0)
    eventually(
        "the queue says so",
        lambda: "limits.bandwidth" in str(kube.get("syncqueue", "default", release.SYSTEM)),
    )
    store({**wanted, "resyncInterval": "7m"})
    eventually("a restart is asked for", lambda: release.sample("modelsync_config_restart_needed") == 1)
    assert release.sample("modelsync_config_last_reload_successful") == 1
    assert release.operator_pod()["metadata"]["uid"] == pod, "nothing of this restarted it"
