"""A thin hand on the real cluster: kubectl, watches, namespaces, and a Pod that reads a volume.

Where a user's command is what a test is about, it runs kubectl; all else is a request of this process
(dev/kube_api.py). Waiting is always for an event of a watch or the end of a process, never for a time.
"""

import contextlib
import hashlib
import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from dev import kube_api, occupied

Object = dict[str, Any]
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}
OWN = {occupied.LABEL: str(occupied.Maker.TESTS)}
"""The label of what the tests make and may remove."""


class KubectlError(AssertionError):
    """kubectl said no; the message is what it printed."""


def kubectl(*args: str, stdin: str | None = None, timeout: float = 60) -> str:
    """Run kubectl and return what it printed; raises KubectlError with its complaint."""
    done = subprocess.run(
        ["kubectl", *args], input=stdin, capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        raise KubectlError(f"kubectl {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def get(kind: str, name: str = "", namespace: str | None = None) -> Any:
    """An object, or with no name the items of a list, as JSON data."""
    return kube_api.get(kind, namespace, name) if name else kube_api.items(kind, namespace)


def exists(kind: str, name: str, namespace: str) -> bool:
    """Whether an object is there."""
    return bool(kube_api.items(kind, namespace, fields=f"metadata.name={name}", only_metadata=True))


def apply(*objects: Object, dry_run: bool = False) -> None:
    """Make some objects, or what they are from now on."""
    for one in objects:
        kube_api.apply(one, dry_run=dry_run)


def patch(kind: str, name: str, namespace: str, change: Object) -> None:
    """A JSON merge patch, as a user does it."""
    kube_api.patch(kind, namespace, name, change)


def merged(base: Object, change: Object) -> Object:
    """`base` with `change` merged into it, maps within maps."""
    result = dict(base)
    for key, value in change.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


class Watch:
    """The objects of one kind in a namespace as they become, kept as a list of (seconds, object)."""

    def __init__(self, kind: str, namespace: str, name: str = "") -> None:
        self.seen: list[tuple[float, Object]] = []
        self._changed = threading.Condition()
        self._ended = ""
        self._changes = kube_api.Changes(kind, namespace, f"metadata.name={name}" if name else "")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *exc: object) -> None:
        self._changes.close()
        self._thread.join(10)

    def _read(self) -> None:
        why = "the API server ended it"
        try:
            for found in self._changes:
                with self._changed:
                    self.seen.append((time.monotonic(), found))
                    self._changed.notify_all()
        except kube_api.ApiError as refusal:
            why = str(refusal)
        with self._changed:
            self._ended = why
            self._changed.notify_all()

    def until(self, wanted: Callable[[Object], bool], timeout: float, what: str = "") -> Object:
        """The first seen object (past or coming) that is wanted."""
        deadline, index = time.monotonic() + timeout, 0
        with self._changed:
            while True:
                while index < len(self.seen):
                    found = self.seen[index][1]
                    if wanted(found):
                        return found
                    index += 1
                left = deadline - time.monotonic()
                if self._ended or left <= 0 or not self._changed.wait(left):
                    raise AssertionError(self._missed(timeout, what))

    def _missed(self, timeout: float, what: str) -> str:
        last = self.seen[-1][1].get("status") if self.seen else None
        why = f"the watch ended ({self._ended}); not seen" if self._ended else f"not seen within {timeout} s"
        return f"{why}: {what}; last status: {last}"


def phase_is(*phases: str) -> Callable[[Object], bool]:
    """A ModelSync in one of these phases."""
    return lambda sync: sync.get("status", {}).get("phase") in phases


def ready_reason(sync: Object) -> str:
    """The reason of the Ready condition, or ''."""
    conditions = sync.get("status", {}).get("conditions", [])
    return next((str(c["reason"]) for c in conditions if c["type"] == "Ready"), "")


def wait_for(
    name: str, namespace: str, wanted: Callable[[Object], bool], timeout: float = 60, what: str = ""
) -> Object:
    """Watch one ModelSync until it is as wanted."""
    with Watch("modelsync", namespace, name) as watch:
        return watch.until(wanted, timeout, what)


def wait_complete(name: str, namespace: str, timeout: float = 120) -> Object:
    """Watch one ModelSync until Complete; fails at once when it is Failed."""
    sync = wait_for(name, namespace, phase_is("Complete", "Failed"), timeout, "Complete")
    assert sync["status"]["phase"] == "Complete", sync["status"]
    return sync


def eventually(check: Callable[[], bool], timeout: float, what: str) -> float:
    """Poll a question that has no watch (a file, a gone API); returns the seconds it took."""
    begun = time.monotonic()
    while time.monotonic() - begun < timeout:
        if check():
            return time.monotonic() - begun
        time.sleep(0.2)
    raise AssertionError(f"not within {timeout} s: {what}")


def namespace_name(nodeid: str) -> str:
    """A namespace's name for a test: readable, short enough to add to it, and no other test's."""
    words = re.sub("[^a-z0-9]+", "-", nodeid.rpartition("::")[2].lower())[:40].strip("-")
    return f"{words}-{hashlib.sha256(nodeid.encode()).hexdigest()[:6]}"


def make_namespace(name: str, labels: Object = RESTRICTED) -> None:
    """Make a namespace of the tests; one of this name that they did not make is left alone, and an error."""
    own = f"{occupied.LABEL}={occupied.Maker.TESTS}"
    # A run that was killed may have left it.
    if kube_api.items("namespace", None, labels=own, fields=f"metadata.name={name}"):
        kubectl("delete", "namespace", name, "--ignore-not-found", "--timeout=90s", timeout=95)
    kube_api.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {**labels, **OWN}}}
    )


@contextlib.contextmanager
def namespace(name: str) -> Iterator[str]:
    """A namespace that enforces Pod Security `restricted`, deleted at the end.

    On a cluster that goes itself, what runs in it is deleted alone: all else costs a second of a processor.
    """
    make_namespace(name)
    try:
        yield name
    finally:
        if occupied.cluster_goes():
            for kind in ("modelsyncs", "jobs", "pods"):
                kube_api.delete_all(kind, name)
        else:
            kube_api.delete("namespace", None, name)


def claim(name: str, namespace: str, size: str = "1Gi", **spec: Any) -> Object:
    """A PersistentVolumeClaim of the default storage class."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec},
    }


def sync(name: str, namespace: str, source: Object, claim_name: str = "models", **spec: Any) -> Object:
    """A ModelSync; `sub_path` defaults to its name so that many can share one claim."""
    target = {"claimName": claim_name, "subPath": spec.pop("sub_path", name)}
    return {
        "apiVersion": "modelsync.dev/v1alpha1",
        "kind": "ModelSync",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": source, "target": {"persistentVolumeClaim": target}, **spec},
    }


_READER = """
import hashlib, json, os, sys
root, found = "/volume", {}
for folder, _, names in os.walk(root):
    for name in names:
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            found[os.path.relpath(path, root)] = hashlib.file_digest(file, "sha256").hexdigest()
print(json.dumps(found))
"""


def pod_on_claim(name: str, namespace: str, claim_name: str, image: str, code: str) -> Object:
    """A restricted Pod that runs Python code with the claim at /volume."""
    container = {
        "name": "reader",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", code],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "volume", "mountPath": "/volume"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": claim_name}}],
        },
    }


def run_on_claim(namespace: str, claim_name: str, image: str, code: str, timeout: float = 60) -> str:
    """Run Python code in a Pod that mounts the claim; returns what it printed."""
    name = f"reader-{time.monotonic_ns()}"
    apply(pod_on_claim(name, namespace, claim_name, image, code))
    with Watch("pod", namespace, name) as watch:
        done = watch.until(
            lambda pod: pod.get("status", {}).get("phase") in ("Succeeded", "Failed"), timeout, "reader Pod"
        )
    printed = kube_api.log(namespace, name)
    kube_api.delete("pod", namespace, name)
    assert done["status"]["phase"] == "Succeeded", printed
    return printed


def hashes_on_claim(namespace: str, claim_name: str, image: str) -> dict[str, str]:
    """SHA-256 of every file on a claim by its path."""
    found: dict[str, str] = json.loads(run_on_claim(namespace, claim_name, image, _READER))
    return found
