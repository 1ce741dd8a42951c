"""A mesh puts a container into the worker's Pod that runs on: the worker's own end settles its attempt."""

import pytest

from dev import kube
from dev.origins.hub import HubServer
from tests.e2e import injector
from tests.e2e.release import ORIGIN_HOST
from tests.e2e.sources import hub_source


@pytest.mark.early
def test_a_sidecar_that_never_ends_keeps_no_sync_from_its_result(space: str, hub: HubServer) -> None:
    source = hub_source(hub, "org/meshed", size=100_000)
    absent = {"huggingFace": {"repository": "org/absent", "endpoint": hub.url}}
    plain = {"labels": {injector.LABEL: "false"}}
    with injector.injecting(space, ORIGIN_HOST), kube.Watch("pod", space) as pods:
        kube.apply(
            kube.sync("done", space, source),
            kube.sync("failed", space, absent),
            kube.sync("plain", space, source, podTemplate=plain),
        )
        done = kube.wait_complete("done", space, 90)
        failed = kube.wait_for("failed", space, kube.phase_is("Failed"), 90, "Failed")
        kube.wait_complete("plain", space, 90)
        assert done["status"]["attempts"] == 1
        assert kube.ready_reason(failed) == "NotFound", failed["status"]
        # Its Job goes within seconds and the container with it, by SIGKILL after the grace period.
        kube.eventually(
            lambda: (
                {job["metadata"]["labels"]["modelsync.dev/name"] for job in kube.get("job", "", space)}
                == {"plain"}
            ),
            20,
            "the Jobs of the meshed workers are gone",
        )
        kube.eventually(
            lambda: (
                {pod["metadata"]["labels"]["modelsync.dev/name"] for pod in kube.get("pod", "", space)}
                == {"plain"}
            ),
            60,
            "their Pods are gone",
        )
        names = {
            pod["metadata"]["labels"]["modelsync.dev/name"]: [c["name"] for c in pod["spec"]["containers"]]
            for _, pod in pods.seen
        }
    assert names == {
        "done": [injector.CONTAINER, "worker"],
        "failed": [injector.CONTAINER, "worker"],
        "plain": ["worker"],
    }
