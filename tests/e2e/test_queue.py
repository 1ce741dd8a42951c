"""One namespace's trouble stays its own: what cannot start there takes no slot from the others."""

import contextlib
from collections.abc import Iterator

import pytest

from dev import kube
from dev.origins.hub import HubServer
from tests.e2e import release
from tests.e2e.sources import hub_source


@contextlib.contextmanager
def dead_webhook(namespace: str) -> Iterator[str]:
    """An admission webhook for Jobs of a namespace whose service is not there; its name."""
    name = f"dead.{namespace}.modelsync.test"
    client = {"service": {"name": "nobody", "namespace": namespace, "path": "/"}}
    hook = {
        "name": name,
        "clientConfig": client,
        "rules": [
            {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}
        ],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    kube.apply({**kind, "metadata": {"name": name, "labels": kube.OWN}, "webhooks": [hook]})
    try:
        yield name
    finally:
        kube.kubectl("delete", "validatingwebhookconfiguration", name, "--ignore-not-found")


@pytest.mark.early
def test_a_missing_claim_of_one_namespace_takes_the_only_slot_from_nobody(space: str, hub: HubServer) -> None:
    source = hub_source(hub, "org/open", size=100_000)
    with release.queue(space, 1) as queue, kube.namespace(f"{space}-b") as other:
        kube.apply(kube.claim("models", other))
        kube.apply(kube.sync("first", space, source, claim_name="absent", queue=queue, priority=9))
        kube.wait_for(
            "first", space, lambda sync: "nextRetryTime" in sync.get("status", {}), 20, "its slot back"
        )
        kube.apply(kube.sync("second", other, source, queue=queue))
        kube.wait_complete("second", other, 60)
        waits = kube.get("modelsync", "first", space)
        assert kube.ready_reason(waits) in ("VolumeNotFound", "Starting"), waits["status"]
        kube.apply(kube.claim("absent", space))
        kube.wait_complete("first", space, 120)


def test_a_dead_webhook_of_one_namespace_stops_nobody_elses_download(space: str, hub: HubServer) -> None:
    source = hub_source(hub, "org/open", size=100_000)
    with release.queue(space, 1) as queue, kube.namespace(f"{space}-b") as other:
        kube.apply(kube.claim("models", other))
        with dead_webhook(space) as webhook:
            kube.apply(kube.sync("first", space, source, queue=queue, priority=9))
            sync = kube.wait_for(
                "first", space, lambda sync: kube.ready_reason(sync) == "JobRejected", 20, "JobRejected"
            )
            message = next(c["message"] for c in sync["status"]["conditions"] if c["type"] == "Ready")
            assert webhook in message and sync["status"]["nextRetryTime"]
            kube.apply(kube.sync("second", other, source, queue=queue))
            kube.wait_complete("second", other, 60)
            assert kube.get("modelsync", "first", space)["status"]["phase"] == "Queued"
        kube.kubectl("annotate", "modelsync", "first", "-n", space, "modelsync.dev/retry-requested-at=now")
        kube.wait_complete("first", space, 60)
