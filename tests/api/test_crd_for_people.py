"""What a person sees of a ModelSync with plain kubectl: columns, `explain`, `wait`, and kstatus' verdict."""

from pathlib import Path
from typing import Any

import pytest

from dev import kube
from tests import kstatus
from tests.api import proof
from tests.api.specs import bases

pytestmark = proof.NEEDS_CLUSTER
SPECS = Path(__file__).parent / "specs"
_TIME = "2026-01-01T00:00:00Z"


def _condition(kind: str, status: str, reason: str) -> dict[str, Any]:
    message = (
        "The files are being fetched." if reason == "Downloading" else "What happened, and what fixes it."
    )
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": _TIME,
        "observedGeneration": 1,
    }


_WAITING = [_condition("Ready", "False", "Downloading"), _condition("Reconciling", "True", "Downloading")]
_DONE = [_condition("Ready", "True", "Synced")]
_FAILED = [_condition("Ready", "False", "NotFound"), _condition("Stalled", "True", "NotFound")]
_CANCELLED = [_condition("Ready", "False", "Cancelled"), _condition("Stalled", "True", "Cancelled")]
_PAUSED = [_condition("Ready", "False", "Paused")]
STATUSES: dict[str, dict[str, Any]] = {
    "downloading": {
        "phase": "Downloading",
        "attempts": 2,
        "display": {
            "progress": "45.2%",
            "speed": "182MB/s",
            "eta": "59m 59s",
            "size": "4.0GB",
            "source": "hf://org/name@main",
            "target": "pvc/models",
        },
        "worker": {"nodeName": "node-1", "podName": "downloading-0a1b2c-2-x7x7x"},
        "conditions": _WAITING,
    },
    "complete": {"phase": "Complete", "display": {"progress": "100.0%"}, "conditions": _DONE},
    "failed": {"phase": "Failed", "display": {"progress": "12.0%"}, "conditions": _FAILED},
    "cancelled": {"phase": "Cancelled", "conditions": _CANCELLED},
    "paused": {"phase": "Paused", "conditions": _PAUSED},
}
VERDICTS = {
    "downloading": kstatus.Verdict.IN_PROGRESS,
    "complete": kstatus.Verdict.CURRENT,
    "failed": kstatus.Verdict.FAILED,
    "cancelled": kstatus.Verdict.FAILED,
    "paused": kstatus.Verdict.IN_PROGRESS,
}


@pytest.fixture(scope="module")
def syncs(api: proof.Proof) -> None:
    """A ModelSync in each state."""
    for name, status in STATUSES.items():
        api.create("ModelSync", bases.BASES["hub"], name=name, dry_run=False)
        change = {"status": {"observedGeneration": 1, **status}}
        api.patch("ModelSync", name, change, sub="/status", dry_run=False)


def _get(*more: str) -> list[str]:
    return kube.kubectl("get", proof.SYNCS, "-n", proof.NAMESPACE, *more).splitlines()


def test_the_columns_fit_a_terminal(syncs: None) -> None:
    lines = _get()
    assert lines[0].split() == ["NAME", "PHASE", "PROGRESS", "SPEED", "ETA", "AGE"]
    assert max(map(len, lines)) <= 80
    downloading = next(line for line in lines if line.startswith("downloading"))
    assert downloading.split()[:-1] == ["downloading", "Downloading", "45.2%", "182MB/s", "59m", "59s"]


def test_wide_shows_the_rest(syncs: None) -> None:
    lines = _get("-o", "wide")
    assert lines[0].split()[6:] == [
        "SIZE", "SOURCE", "TARGET", "OBSERVED", "QUEUE", "POSITION", "ATTEMPTS", "NODE", "STAGE", "REASON",
        "MESSAGE",
    ]  # fmt: skip
    downloading = next(line for line in lines if line.startswith("downloading"))
    for word in (
        "4.0GB",
        "hf://org/name@main",
        "pvc/models",
        "default",
        "node-1",
        "The files are being fetched.",
    ):
        assert word in downloading


def test_a_queue_fits_a_terminal_too(api: proof.Proof) -> None:
    api.create("SyncQueue", {"maxActive": 3}, name="nightly", dry_run=False)
    status: kube.Object = {"active": 3, "waiting": 1234, "complete": 99999, "failed": 17}
    status |= {"running": ["a/a", "a/b", "a/c"], "display": {"running": "a/a, a/b, a/c +1 more"}}
    api.patch("SyncQueue", "nightly", {"status": status}, sub="/status", dry_run=False)
    lines = kube.kubectl("get", proof.QUEUES, "-n", proof.NAMESPACE).splitlines()
    assert lines[0].split() == ["NAME", "MAX", "ACTIVE", "WAITING", "COMPLETE", "FAILED", "SUSPENDED", "AGE"]
    assert lines[1].split()[:-1] == ["nightly", "3", "3", "1234", "99999", "17", "false"]
    assert max(map(len, lines)) <= 80
    wide = kube.kubectl("get", proof.QUEUES, "-n", proof.NAMESPACE, "-o", "wide").splitlines()
    assert (wide[0].split()[-1], wide[1].rstrip()[-21:]) == ("RUNNING", "a/a, a/b, a/c +1 more")


def test_syncs_are_found_by_phase_and_by_queue(syncs: None) -> None:
    assert _get("--field-selector=status.phase=Complete", "-o", "name") == [
        f"modelsync.{proof.GROUP}/complete"
    ]
    found = _get("--field-selector=spec.queue=default", "-o", "name")
    assert {f"modelsync.{proof.GROUP}/{name}" for name in STATUSES} <= set(found)


def test_the_category_names_both_kinds() -> None:
    for crd in proof.renamed():
        assert crd["spec"]["names"]["categories"] == ["modelsync-all"]


@pytest.mark.parametrize("name", STATUSES)
def test_kstatus_and_the_ready_condition_agree(api: proof.Proof, syncs: None, name: str) -> None:
    found = api.get("ModelSync", name)
    verdict = kstatus.judge(found)
    assert verdict == VERDICTS[name]
    ready = next(c["status"] for c in found["status"]["conditions"] if c["type"] == "Ready")
    assert (verdict is kstatus.Verdict.CURRENT) == (ready == "True")


def test_kubectl_wait_sees_ready(syncs: None) -> None:
    kube.kubectl(
        "wait", "--for=condition=Ready", "--timeout=5s", "-n", proof.NAMESPACE, f"{proof.SYNCS}/complete"
    )
    with pytest.raises(kube.KubectlError, match="timed out"):
        kube.kubectl(
            "wait", "--for=condition=Ready", "--timeout=1s", "-n", proof.NAMESPACE, f"{proof.SYNCS}/failed"
        )


@pytest.mark.parametrize(
    ("path", "golden"),
    [
        ("ModelSync.spec.source.huggingFace", "explain-hugging-face.txt"),
        ("ModelSync.spec.target.persistentVolumeClaim", "explain-claim.txt"),
        ("ModelSync.spec.estimate", "explain-estimate.txt"),
        ("SyncQueue.spec", "explain-queue.txt"),
    ],
)
def test_explain_reads_as_documentation(api: proof.Proof, path: str, golden: str) -> None:
    kind, _, field = path.partition(".")
    text = kube.kubectl("explain", f"{proof.PLURALS[kind]}.{field}", f"--api-version={proof.API_VERSION}")
    text = "\n".join(line.rstrip() for line in text.splitlines()).replace(proof.GROUP, "modelsync.dev")
    assert text.strip() == (SPECS / golden).read_text(encoding="utf-8").strip()
