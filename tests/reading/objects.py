"""Objects as the API server returns them, from the builders of all tests."""

from typing import Any

from modelsync.api import naming
from modelsync.api.conditions import Condition
from modelsync.api.reasons import ConditionType, Phase, Reason
from tests.builders import MB, NOW, SyncBuilder, a_sync, ago


def as_object(sync: SyncBuilder, **spec: Any) -> dict[str, Any]:
    """A ModelSync as JSON data; `spec` are further fields of it, in wire names."""
    record = sync.build()
    return {
        "apiVersion": naming.API_VERSION,
        "kind": naming.SYNC_KIND,
        "metadata": {
            "namespace": record.namespace,
            "name": record.name,
            "uid": record.uid,
            "creationTimestamp": record.created.isoformat(),
        },
        "spec": record.spec.dump() | spec,
        "status": record.status.dump(),
    }


def in_phase(
    phase: Phase, reason: Reason, message: str = "", *, name: str = "llama", since: float = 30, **status: Any
) -> SyncBuilder:
    """A ModelSync whose condition Ready says so."""
    ready = Condition(
        type=ConditionType.READY,
        status="True" if phase is Phase.COMPLETE else "False",
        reason=reason,
        message=message,
        last_transition_time=ago(since),
    )
    return a_sync(name).with_status(phase=phase, conditions=(ready,), **status)


def downloading(
    name: str = "llama",
    done: int = 1_800,
    total: int | None = 4_700,
    speed: int | None = 42,
    *,
    node: str | None = None,
    network: tuple[int, int] | None = None,
) -> Any:
    """A ModelSync that downloads, in MB and MB/s; `network` is bytes per second down and up."""
    progress = {
        "stage": "Downloading",
        "bytesDone": done * MB,
        "filesDone": 4,
        "filesTotal": 30,
        "currentFile": "model-00005.safetensors",
        "observedTime": NOW.isoformat(),
    }
    progress |= {} if total is None else {"bytesTotal": total * MB}
    progress |= {} if speed is None else {"bytesPerSecond": speed * MB}
    if network is not None:
        rates = dict(zip(("receiveBytesPerSecond", "transmitBytesPerSecond"), network, strict=True))
        progress["network"] = rates
    found = as_object(in_phase(Phase.DOWNLOADING, Reason.DOWNLOADING, name=name, attempts=1))
    found["status"]["progress"] = progress
    if node is not None:
        found["status"]["worker"] = {"podName": f"pod-{name}", "nodeName": node}
    return found
