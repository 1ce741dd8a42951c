"""`python -m tests.attacks.soak`: a hostile tenant does everything at once while another tenant's syncs run.

Two tenants share one queue of four slots, of which a namespace may hold two: what runs keeps its slot, so
without that bound the tenant who comes first with slow origins would hold all four. `alice` runs ten honest
syncs whose speed is bounded, first two of them alone: that is her share. Then `mallory`, who has the role
`edit` in her own namespace, works for the whole time with twenty ModelSyncs: nested ones, large ones, some
that hold slots with origins that drip, some that change without a pause, forged Jobs and Pods, and Pods that
flood the operator's ports. Judged are the operator's restarts and memory, and alice's throughput against her
share.
"""

import argparse
import contextlib
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dev import kube, kube_api, occupied
from dev.origins.hub import HubServer, Repository, Synthetic
from modelsync.api import naming
from tests.attacks import users
from tests.e2e import release

ORIGIN = release.ORIGIN_HOST
ALICE, MALLORY, QUEUE = "soak-alice", "soak-mallory", "soak"
SLOTS, SYNCS = 4, 10
RATE = 600_000
MEMORY = 256 * 1024 * 1024
SHARE = 0.9


@dataclass(slots=True, kw_only=True)
class Seen:
    """What was measured of the operator, and what mallory got done."""

    restarts: int = 0
    memory: int = 0
    """Most resident bytes of the operator's process."""
    tried: dict[str, int] = field(default_factory=dict)
    """How many acts of each kind the cluster was asked for."""
    obeyed: dict[str, int] = field(default_factory=dict)

    def act(self, kind: str, refusal: str) -> None:
        """Count one act of mallory's."""
        self.tried[kind] = self.tried.get(kind, 0) + 1
        self.obeyed[kind] = self.obeyed.get(kind, 0) + (not refusal)


def main() -> int:
    """Run it; returns 1 where a bound was passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of alice's ten syncs, at their bound")
    options = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # connections that mallory's workers drop
    occupied.make_room(occupied.Maker.TESTS)
    try:
        release.ensure()
        with HubServer(host=ORIGIN) as hub, kube.namespace(ALICE), kube.namespace(MALLORY):
            return _judged(*_soaked(hub, options.minutes * 60))
    finally:
        occupied.Cluster().clean_up(occupied.Maker.TESTS)


def _soaked(hub: HubServer, seconds: float) -> tuple[float, float, Seen]:
    """Alice's share and what she got, both in bytes a second, and the rest of what was seen."""
    size = int(RATE * (seconds * SLOTS / 2 / SYNCS - 6))  # six seconds of each go to its Pod
    hub.add(Repository("org/honest", {"model.safetensors": Synthetic(size)}))
    kube.apply(_queue(), kube.claim("models", ALICE), kube.claim("models", MALLORY))
    users.edit("mallory", MALLORY)
    alone = _finished(hub, [f"alone-{number}" for number in range(SLOTS // 2)])
    share = SLOTS / 2 * size / alone
    print(
        f"alice alone: {SLOTS // 2} syncs of {size:,} bytes in {alone:.0f} s; share {share:,.0f} B/s",
        flush=True,
    )
    seen, stop = Seen(), threading.Event()
    acts = [threading.Thread(target=_steadily, args=(act, seen, stop)) for act in (*_ACTS, _measure)]
    _plant(hub, seen)
    for act in acts:
        act.start()
    try:
        took = _finished(hub, [f"honest-{number}" for number in range(SYNCS)])
    finally:
        stop.set()
        for act in acts:
            act.join(60)
    return share, SYNCS * size / took, seen


def _judged(share: float, got: float, seen: Seen) -> int:
    rows = {
        "restarts of the operator": (seen.restarts, seen.restarts == 0),
        "memory of the operator, MiB": (seen.memory // 2**20, seen.memory <= MEMORY),
        "alice's throughput / her share": (round(got / share, 3), got >= SHARE * share),
    }
    for name, (figure, right) in rows.items():
        print(f"{name}: {figure}{'' if right else '   <- out of bounds'}")
    for kind, count in seen.tried.items():
        print(f"mallory: {kind}: {count} tried, the cluster obeyed {seen.obeyed[kind]}")
    return 0 if all(right for _, right in rows.values()) else 1


def _queue() -> kube.Object:
    return {
        "apiVersion": "modelsync.dev/v1alpha1",
        "kind": "SyncQueue",
        "metadata": {"name": QUEUE, "namespace": release.SYSTEM, "labels": kube.OWN},
        "spec": {"maxActive": SLOTS, "maxActivePerNamespace": SLOTS // 2},
    }


def _finished(hub: HubServer, names: list[str]) -> float:
    """Apply alice's syncs and return the seconds until all are Complete."""
    source = {"huggingFace": {"repository": "org/honest", "endpoint": hub.url}}
    syncs = [kube.sync(name, ALICE, source, queue=QUEUE, bandwidthLimit=str(RATE)) for name in names]
    begun = time.monotonic()
    with kube.Watch("modelsync", ALICE) as watch:
        kube.apply(*syncs)
        for name in names:
            watch.until(_complete(name), 3600, f"{name} Complete")
    return time.monotonic() - begun


def _complete(name: str) -> Callable[[kube.Object], bool]:
    return lambda sync: sync["metadata"]["name"] == name and kube.phase_is("Complete")(sync)


def _nested(depth: int) -> str:
    """A ModelSync whose managedFields are nested as deep as the API server takes."""
    fields = '{"f:a":' * depth + "{}" + "}" * depth
    managed = {"manager": "x", "operation": "Apply", "apiVersion": "modelsync.dev/v1alpha1",
               "fieldsType": "FieldsV1", "time": "2026-01-01T00:00:00Z", "fieldsV1": "FIELDS"}  # fmt: skip
    sync = kube.sync(f"nested-{depth}", MALLORY, {"s3": {"bucket": "models"}}, queue=QUEUE, suspend=True)
    sync["metadata"]["managedFields"] = [managed]
    return json.dumps(sync).replace('"FIELDS"', fields)


def _create_raw(text: str) -> str:
    path = f"/apis/modelsync.dev/v1alpha1/namespaces/{MALLORY}/modelsyncs"
    try:
        kube.kubectl("create", "--as", "mallory", "--raw", path, "-f", "-", stdin=text)
    except kube.KubectlError as error:
        return str(error)
    return ""


def _plant(hub: HubServer, seen: Seen) -> None:
    """Mallory's twenty ModelSyncs and her flooding Pods."""
    for depth in (9_990, 3_000, 300, 100):
        seen.act("nested ModelSyncs", _create_raw(_nested(depth)))
    for number in range(4):
        large = kube.sync(f"large-{number}", MALLORY, {"s3": {"bucket": "models"}}, queue=QUEUE, suspend=True)
        large["metadata"]["annotations"] = {"example.org/filler": "x" * 250_000}
        seen.act("large ModelSyncs", _made(large))
    hub.add(Repository("org/drip", {"model.safetensors": Synthetic(10**9)}))
    drip = {"huggingFace": {"repository": "org/drip", "endpoint": hub.url}}
    for number in range(6):
        slow = kube.sync(f"slow-{number}", MALLORY, drip, queue=QUEUE, priority=0, bandwidthLimit="1000")
        seen.act("ModelSyncs that hold a slot", _made(slow))
    for number in range(6):
        seen.act("ModelSyncs that change", _made(kube.sync(f"flap-{number}", MALLORY, drip, queue=QUEUE)))
    address = release.operator_pod()["status"]["podIP"]
    for port in (naming.METRICS_PORT, naming.HEALTH_PORT):
        seen.act("flooding Pods", _made(_flood(f"flood-{port}", address, port)))


def _made(thing: kube.Object) -> str:
    return users.attempt("mallory", "create", "-f", "-", stdin=thing)


_FLOOD = """
import socket, time
held = []
while True:
    try:
        s = socket.create_connection(({address!r}, {port}), 2)
        s.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: x\\r\\nX-A: " + b"a" * 100000)
        held.append(s)
    except OSError:
        time.sleep(0.05)
    del held[:-400]
"""


def _flood(name: str, address: str, port: int) -> kube.Object:
    pod = kube.pod_on_claim(name, MALLORY, "models", release.IMAGE, _FLOOD.format(address=address, port=port))
    pod["spec"]["volumes"], pod["spec"]["containers"][0]["volumeMounts"] = [], []
    return pod


def _steadily(act: Callable[[Seen], None], seen: Seen, stop: threading.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(kube.KubectlError, kube_api.ApiError, OSError):
            act(seen)


def _change(seen: Seen) -> None:
    """Change a sync again as soon as it may have been written."""
    for number in range(6):
        count = seen.tried.get("changes", 0)
        change = json.dumps({"spec": {"priority": count % 1000, "bandwidthLimit": str(1000 + count)}})
        words = ("patch", "modelsync", f"flap-{number}", "-n", MALLORY, "--type=merge", "-p", change)
        seen.act("changes", users.attempt("mallory", *words))


def _forge(seen: Seen) -> None:
    """A Job and a Pod that claim to be alice's worker, and mallory's own Jobs without their labels."""
    for victim in kube.get("modelsyncs", namespace=ALICE)[:1]:
        for thing in _forged(victim):
            seen.act(f"forged {thing['kind']}s", _made(thing))
    words = ("label", "jobs", "--all", "-n", MALLORY, f"{naming.MANAGED_BY_LABEL}-")
    seen.act("labels taken off", users.attempt("mallory", *words))
    orphan = ("delete", "modelsync", "slow-0", "-n", MALLORY, "--cascade=orphan", "--wait=false")
    seen.act("orphaned Jobs", users.attempt("mallory", *orphan))
    time.sleep(5)


def _forged(victim: kube.Object) -> Iterator[kube.Object]:
    meta, number = victim["metadata"], time.monotonic_ns()
    labels = {
        naming.MANAGED_BY_LABEL: naming.MANAGED_BY,
        naming.UID_LABEL: meta["uid"],
        naming.ATTEMPT_LABEL: "9",
    }
    victims = {"kind": "ModelSync", "name": meta["name"], "uid": meta["uid"], "controller": True}
    owner = {"apiVersion": "evil.example/v1", **victims}
    pod = kube.pod_on_claim(
        f"forged-{number}", MALLORY, "models", release.IMAGE, "import time; time.sleep(60)"
    )
    pod["metadata"] |= {"labels": labels, "ownerReferences": [owner]}
    yield pod
    template = {"metadata": {"labels": labels}, "spec": pod["spec"]}
    yield {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {**pod["metadata"], "name": f"forged-job-{number}"},
        "spec": {"template": template, "backoffLimit": 0},
    }


_ACTS = (_change, _forge)


def _measure(seen: Seen) -> None:
    pod = release.operator_pod()
    seen.restarts = max(seen.restarts, pod["status"]["containerStatuses"][0]["restartCount"])
    seen.memory = max(seen.memory, int(release.sample("process_resident_memory_bytes")))
    time.sleep(2)


if __name__ == "__main__":
    sys.exit(main())
