"""What the screens show: ModelSyncs in every state, on a real cluster, from an origin that takes its time."""

import contextlib
from collections.abc import Iterator
from typing import Any

from dev import kube, occupied
from dev.origins.hub import HubServer, Repository, Synthetic

NAMESPACE, QUEUE = "vision", "gpu"
_RATE = 4_000_000
_BIG, _SMALL = 400_000_000, 3_000_000


@contextlib.contextmanager
def set_up(origin_host: str) -> Iterator[None]:
    """A namespace with ModelSyncs: one that runs, one that waits, one paused, one failed, one complete."""
    with HubServer(host=origin_host, rate=_RATE, tokens={"hf_right": None}) as hub, kube.namespace(NAMESPACE):
        kube.apply(kube.claim("models", NAMESPACE, "4Gi"), _queue())
        try:
            _serve(hub)
            kube.apply(*_syncs(hub.url))
            kube.wait_for("embed-small", NAMESPACE, kube.phase_is("Complete"), 60, "Complete")
            kube.wait_for("gated-7b", NAMESPACE, kube.phase_is("Failed"), 60, "Failed")
            kube.wait_for("chat-8b", NAMESPACE, _has_speed, 90, "a speed")
            yield
        finally:
            kube.kubectl("delete", "modelsyncs", "--all", "-n", NAMESPACE, "--wait=false")
            kube.kubectl("delete", "syncqueue", QUEUE, "-n", occupied.SYSTEM, "--ignore-not-found")


def _serve(hub: HubServer) -> None:
    big = {f"model-0000{one}-of-00002.safetensors": Synthetic(_BIG) for one in (1, 2)}
    hub.add(Repository("acme/chat-8b", {"config.json": b"{}", **big}))
    hub.add(Repository("acme/vision-2b", big))
    hub.add(Repository("acme/speech-1b", big))
    hub.add(Repository("acme/embed-small", {"config.json": b"{}", "model.safetensors": Synthetic(_SMALL)}))
    hub.add(Repository("acme/gated-7b", {"config.json": b"{}"}, gated=True))


def _syncs(url: str) -> list[kube.Object]:
    def one(name: str, **spec: Any) -> kube.Object:
        source = {"huggingFace": {"repository": f"acme/{name}", "endpoint": url}}
        return kube.sync(name, NAMESPACE, source, **spec)

    return [
        one("chat-8b", queue=QUEUE, priority=5),
        one("vision-2b", queue=QUEUE),
        one("speech-1b", suspend=True),
        one("embed-small"),
        one("gated-7b"),
    ]


def _queue() -> kube.Object:
    return {
        "apiVersion": "modelsync.dev/v1alpha1",
        "kind": "SyncQueue",
        "metadata": {"name": QUEUE, "namespace": occupied.SYSTEM, "labels": kube.OWN},
        "spec": {"maxActive": 1},
    }


def _has_speed(sync: kube.Object) -> bool:
    return bool(sync.get("status", {}).get("progress", {}).get("bytesPerSecond"))
