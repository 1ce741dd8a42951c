"""ModelSyncs in every state that the page shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.web.fake_cluster import Object, a_sync


def ready(reason: str, message: str = "", status: str = "False") -> Object:
    """The condition that says why."""
    return {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-03-14T12:00:00Z",
    }


def downloading(name: str, done: int, total: int = 1000, **more: Any) -> Object:
    """A sync that fetches; its figures are fresh unless said otherwise."""
    sync = a_sync("a", name, "Downloading")
    age = more.pop("age_seconds", 0)
    sync["status"] |= {
        "conditions": [ready(more.pop("reason", "Downloading"), more.pop("message", ""))],
        "attempts": 1,
        "progress": {
            "bytesDone": done * 1_000_000,
            "bytesTotal": total * 1_000_000,
            "bytesPerSecond": 20_000_000,
            "observedTime": (datetime.now(UTC) - timedelta(seconds=age)).isoformat(),
            **more,
        },
    }
    return sync


def failed(name: str, message: str = "The file model.bin has another sha256.") -> Object:
    """A sync that failed for good."""
    sync = a_sync("a", name, "Failed")
    sync["status"]["conditions"] = [ready("ChecksumMismatch", message)]
    return sync


def each_state() -> list[Object]:
    """One of each."""
    complete = a_sync("a", "complete", "Complete")
    complete["status"]["conditions"] = [ready("Complete", status="True")]
    cancelled = a_sync("a", "cancelled", "Cancelled", cancel=True)
    paused = a_sync("a", "paused", "Paused", suspend=True)
    return [
        downloading("downloading", 300),
        downloading("stalled", 100, reason="DownloadStalled", message="No byte for 60 s."),
        failed("failed"),
        complete,
        cancelled,
        paused,
        a_sync("b", "queued", "Queued"),
        a_sync("b", "phase-of-tomorrow", "Teleporting"),
    ]


def renamed(state: str, name: str) -> Object:
    """The one of `each_state` that has the name of its state, under another name."""
    (sync,) = (each for each in each_state() if each["metadata"]["name"] == state)
    sync["metadata"]["name"] = name
    return sync
