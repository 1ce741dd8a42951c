"""What the runtime's tests share: an event loop for a test, a client for the fake, raw objects."""

import asyncio
import functools
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ParamSpec

from kubernetes.aio import client as kubernetes_client

from dev.origins import certificates
from modelsync.api import naming
from modelsync.runtime.cluster import api_client

P = ParamSpec("P")
Object = dict[str, Any]


def in_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run a coroutine test in a loop of its own, with a bound on its time."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(120):
                await test(*args, **kwargs)

        asyncio.run(bounded())

    return run


async def eventually(check: Callable[[], object], seconds: float = 30.0) -> None:
    """Return once the check is true; fail when it does not become so."""
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.02)


@functools.cache
def _authority() -> str:
    with tempfile.TemporaryDirectory() as folder:
        return certificates.make(Path(folder), "fake").authority.read_text(encoding="ascii")


def access(url: str, **more: Any) -> Any:
    """A client's settings for a fake server, which has no TLS.

    They name one CA all the same: a client without one reads all those of the machine first, which takes
    as much of a processor as all the rest that a small test does.
    """
    settings = kubernetes_client.Configuration(**more)
    settings.host, settings.ca_cert_data = url, _authority()
    return settings


def connect(url: str, *, timeout: float = 5.0, proxy: str | None = None) -> api_client.Kube:
    """A client for a fake server."""
    return api_client.Kube(access(url, proxy=proxy), timeout=timeout)


def sync(name: str = "llama", uid: str = "", **status: Any) -> Object:
    """A raw ModelSync."""
    return {
        "apiVersion": naming.API_VERSION,
        "kind": naming.SYNC_KIND,
        "metadata": {
            "name": name,
            "namespace": "models",
            "uid": uid or f"uid-{name}",
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "source": {"huggingFace": {"repository": "org/name"}},
            "target": {"persistentVolumeClaim": {"claimName": "models", "subPath": name}},
        },
        "status": status,
    }


def owner(api_version: str, kind: str, uid: str) -> Object:
    """A controller's owner reference."""
    return {"apiVersion": api_version, "kind": kind, "uid": uid, "controller": True}


def job(sync_uid: str = "uid-llama", attempt: int = 1, name: str = "llama-uid-ll-1", **more: Any) -> Object:
    """A raw Job of ours."""
    return {
        "metadata": {
            "name": name,
            "namespace": "models",
            "uid": f"job-{name}",
            "creationTimestamp": "2026-01-01T00:00:01Z",
            "labels": {
                naming.MANAGED_BY_LABEL: naming.MANAGED_BY,
                naming.UID_LABEL: sync_uid,
                naming.ATTEMPT_LABEL: str(attempt),
            },
            "ownerReferences": [owner(naming.API_VERSION, naming.SYNC_KIND, sync_uid)],
        },
        **more,
    }


def pod(
    sync_uid: str = "uid-llama",
    attempt: int = 1,
    job_uid: str = "job-llama-uid-ll-1",
    *,
    words: Object | None = None,
    **state: Any,
) -> Object:
    """A raw Pod of ours that runs, or has ended with a termination report."""
    container: Object = {"running": {"startedAt": "2026-01-01T00:00:03Z"}}
    if words is not None:
        container = {
            "terminated": {
                "exitCode": 0,
                "startedAt": "2026-01-01T00:00:03Z",
                "finishedAt": "2026-01-01T00:00:13Z",
                "message": json.dumps(words),
            }
        }
    return {
        "metadata": {
            "name": "llama-pod",
            "namespace": "models",
            "uid": "pod-1",
            "creationTimestamp": "2026-01-01T00:00:02Z",
            "labels": {
                naming.MANAGED_BY_LABEL: naming.MANAGED_BY,
                naming.UID_LABEL: sync_uid,
                naming.ATTEMPT_LABEL: str(attempt),
            },
            "annotations": {naming.KEY_ANNOTATION: "the-key"},
            "ownerReferences": [owner("batch/v1", "Job", job_uid)],
        },
        "spec": {"nodeName": "node-1"},
        "status": {
            "phase": "Succeeded" if words is not None else "Running",
            "podIP": "127.0.0.1",
            "containerStatuses": [{"name": naming.WORKER_CONTAINER, "state": container}],
            **state,
        },
    }


def versioned(raw: Object, version: int) -> Object:
    """The object at a resourceVersion."""
    return {**raw, "metadata": {**raw["metadata"], "resourceVersion": str(version)}}


def words(sync_uid: str = "uid-llama", attempt: int = 1, **more: Any) -> Object:
    """A termination report."""
    return {"version": 1, "uid": sync_uid, "attempt": attempt, "reason": "Synced", **more}
