"""The chart's policies on a real API server: silent for every worker, and for all who do their work on one.

What they refuse is in the table of attacks (`tests/attacks/suites/identity.py`).
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dev import kube
from tests import needs
from tests.chart import workers
from tests.e2e import release

pytestmark = [
    pytest.mark.e2e,
    needs.CLUSTER,
]


@pytest.fixture
def place(operator: None, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, once the policies are enforced."""
    with kube.namespace(request.node.name.replace("_", "-")[:50].rstrip("-")) as found:
        kube.apply(kube.claim("models", found))
        job = workers.rendered(workers.sync(found))
        job["spec"]["template"]["spec"]["hostPID"] = True
        kube.eventually(lambda: bool(workers.create(job)), 20, "the API server enforces the policies")
        yield found


def test_the_api_server_understands_the_policies(place: str) -> None:
    policies = [
        found for found in kube.get("validatingadmissionpolicy") if release.RELEASE in json.dumps(found)
    ]
    assert len(policies) >= 4
    warned = {
        found["metadata"]["name"]: found.get("status", {}).get("typeChecking", {}).get("expressionWarnings")
        for found in policies
    }
    assert not {name: warnings for name, warnings in warned.items() if warnings}


def test_no_policy_says_a_word_to_a_worker_of_an_accepted_spec(place: str) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [job for _, job in workers.accepted(place)]}
    kube.kubectl("create", "--dry-run=server", "-f", "-", "--as", workers.OPERATOR, stdin=json.dumps(listed))


def test_controllers_make_run_and_remove_the_pod_of_a_worker(place: str) -> None:
    """The real Job controller, scheduler and kubelet; a user deletes, and the garbage collector follows."""
    sync = kube.sync("real", place, workers.HUB, suspend=True)
    kube.apply(sync)
    uid = kube.get("modelsync", "real", place)["metadata"]["uid"]
    job = workers.rendered(workers.sync(place, "real"))
    job["metadata"]["ownerReferences"][0]["uid"] = job["metadata"]["labels"]["modelsync.dev/uid"] = uid
    name = job["metadata"]["name"]
    with kube.Watch("pod", place) as pods:
        kube.kubectl("create", "-f", "-", "--as", workers.OPERATOR, stdin=json.dumps(job))
        pods.until(_ended, 60, "the worker's Pod ended")
        kube.kubectl("wait", "job", name, "-n", place, "--for=condition=Failed", "--timeout=60s", timeout=65)
        kube.kubectl("delete", "job", name, "-n", place)
        kube.kubectl(
            "wait", "pod", "-n", place, "-l", f"job-name={name}", "--for=delete", "--timeout=60s", timeout=65
        )


def _ended(pod: Any) -> bool:
    return pod.get("status", {}).get("phase") in ("Failed", "Succeeded")


def test_what_is_not_ours_is_nobodys_concern(place: str) -> None:
    label = {"app.kubernetes.io/managed-by": "Helm"}
    pod = kube.pod_on_claim("plain", place, "models", release.IMAGE, "pass")
    pod["metadata"]["labels"] = label
    kube.apply(pod, dry_run=True)
    user = ("--as", "dora")
    kube.kubectl("create", "rolebinding", "dora", "-n", place, "--clusterrole=edit", "--user=dora")
    kube.kubectl("create", "--dry-run=server", "-f", "-", *user, stdin=json.dumps(pod))
