"""A thin hand on the real cluster: kubectl, watches, namespaces, and a Pod that reads a volume.

The tests do what a user does, with the user's own tool. Waiting is always for an event of a watch or the end
of a process, never for a time.
"""

import contextlib
import hashlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from dev import occupied

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
    where = ("-n", namespace) if namespace else ("-A",)
    found = json.loads(kubectl("get", kind, *((name,) if name else ()), *where, "-o", "json"))
    return found if name else found["items"]


def exists(kind: str, name: str, namespace: str) -> bool:
    """Whether an object is there."""
    return bool(kubectl("get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "name").strip())


def apply(*objects: Object, dry_run: bool = False) -> None:
    """`kubectl apply -f -` of some objects."""
    extra = ("--dry-run=server",) if dry_run else ()
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    kubectl("apply", *extra, "-f", "-", stdin=json.dumps(listed))


def patch(kind: str, name: str, namespace: str, change: Object) -> None:
    """A JSON merge patch, as a user does it."""
    kubectl("patch", kind, name, "-n", namespace, "--type=merge", "-p", json.dumps(change))


def merged(base: Object, change: Object) -> Object:
    """`base` with `change` merged into it, maps within maps."""
    result = dict(base)
    for key, value in change.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


class Watch:
    """`kubectl get --watch -o json` of one kind in a namespace, kept as a list of (seconds, object).

    One object is watched as a list of one. `kubectl get KIND NAME --watch` gets the object, watches from
    resource version 0 and drops the first event as a repetition of what it got: a change between the two is
    never printed.
    """

    def __init__(self, kind: str, namespace: str, name: str = "") -> None:
        self.seen: list[tuple[float, Object]] = []
        self._changed = threading.Condition()
        self._ended = False
        only = (f"--field-selector=metadata.name={name}",) if name else ()
        self._process = subprocess.Popen(
            ["kubectl", "get", kind, *only, "-n", namespace, "--watch", "-o", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._thread.join(10)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def _read(self) -> None:
        decoder, text = json.JSONDecoder(), ""
        stream = self._process.stdout
        assert stream is not None
        while data := os.read(stream.fileno(), 65536):
            text += data.decode()
            while text := text.lstrip():
                try:
                    found, end = decoder.raw_decode(text)
                except ValueError:
                    break
                text = text[end:]
                with self._changed:
                    self.seen.append((time.monotonic(), found))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
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
        why = f"not seen within {timeout} s"
        if self._ended:
            assert self._process.stderr is not None
            complaint = self._process.stderr.read().decode().strip() or "without an error"
            why = f"kubectl's watch ended ({complaint}); not seen"
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
    if name in kubectl("get", "namespaces", "-l", own, "-o", "jsonpath={.items[*].metadata.name}").split():
        kubectl("delete", "namespace", name, "--ignore-not-found", "--timeout=90s", timeout=95)
    metadata = {"name": name, "labels": {**labels, **OWN}}
    kubectl(
        "create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    )


@contextlib.contextmanager
def namespace(name: str) -> Iterator[str]:
    """A namespace that enforces Pod Security `restricted`, deleted at the end."""
    make_namespace(name)
    try:
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


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
    printed = kubectl("logs", name, "-n", namespace)
    kubectl("delete", "pod", name, "-n", namespace, "--wait=false")
    assert done["status"]["phase"] == "Succeeded", printed
    return printed


def hashes_on_claim(namespace: str, claim_name: str, image: str) -> dict[str, str]:
    """SHA-256 of every file on a claim by its path."""
    found: dict[str, str] = json.loads(run_on_claim(namespace, claim_name, image, _READER))
    return found
