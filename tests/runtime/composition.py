"""Fifty namespaces of which ten are broken in ten ways: what it costs the other forty.

    python -m tests.runtime.composition 20 20 100      # 200 broken and 800 fine ModelSyncs, 100 slots

Planner, executor, writer, poller and diagnosis act against the fake API server in virtual time; a small Job
controller and kubelet let workers run for a minute, or break them as their namespace says.
"""

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from modelsync.api import naming
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster.resources import EVENTS, JOBS, PODS, SYNCS
from modelsync.runtime.workers import start_diagnosis
from tests.runtime import fake_api, harness, virtual
from tests.runtime.simulation import Simulation, sync

Object = harness.Object
GOOD = 40
WEBHOOK = 'failed calling webhook "w": connection refused'
REFUSALS = {
    "webhook-500": (500, "InternalError", WEBHOOK),
    "quota": (403, "Forbidden", "exceeded quota: q, requested: count/jobs.batch=1"),
    "policy": (422, "Invalid", "ValidatingAdmissionPolicy 'p' denied request"),
    "terminating": (403, "Forbidden", "because it is being terminated"),
}
REASONS: Mapping[str, str] = {
    **dict.fromkeys((*REFUSALS, "webhook-timeout"), "JobRejected"),
    "claim": "VolumeNotFound",
    "secret": "SecretNotFound",
    "lost": "",
    "sidecar": "Synced",
    "evicted": "",
}
"""The ten ways, and what a ModelSync of such a namespace says for good ('': differs with time)."""


@dataclass
class Outcome:
    """What one run gave."""

    seconds: float
    """Virtual seconds until nine tenths of the ModelSyncs of the good namespaces were Complete: after that,
    slots are free, and how long the last ones take says nothing of the throughput."""
    plans: int
    in_time: int
    """Plans made within a second of their cause."""
    taken_back: list[str]
    """ModelSyncs whose status went back from Complete."""
    reasons: dict[str, set[str]]
    """What those of each broken namespace said at the end."""
    real: float
    """Seconds on this machine."""


@dataclass
class Nodes:
    """The Job controller and the kubelet."""

    simulation: Simulation
    pods: dict[str, str] = field(default_factory=dict)
    """Name of the Pod by uid of its Job."""

    def listen(self, kind: str, plural: str, raw: Object) -> None:
        """What happened to an object."""
        if plural != "jobs" or "status" in raw:
            return
        loop, uid = asyncio.get_running_loop(), raw["metadata"]["uid"]
        if kind == "ADDED":
            loop.call_later(0.3, self._pend, raw)
        elif kind == "DELETED" and uid in self.pods and _fault(raw) != "lost":
            loop.call_later(1.0, self._remove, raw)

    def _pend(self, job: Object) -> None:
        meta, fault = job["metadata"], _fault(job)
        if not self._exists(job):
            return
        name = self.pods[meta["uid"]] = f"{meta['name']}-x"
        state: Object = {"phase": "Pending", "containerStatuses": []}
        if fault == "claim":
            said = '0/2 nodes are available: persistentvolumeclaim "models" not found.'
            state["conditions"] = [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
            ]
        self._put(job, state)
        if fault == "secret":
            warning = {"reason": "FailedMount", "message": 'secret "t" not found', "type": "Warning"}
            about = {"uid": f"{meta['namespace']}/{name}"}
            event = {"metadata": {"name": name, "namespace": meta["namespace"]}, "involvedObject": about}
            self.simulation.api.put(EVENTS, {**event, **warning})
        if fault not in ("claim", "secret"):
            asyncio.get_running_loop().call_later(1.0, self._run, job)

    def _run(self, job: Object) -> None:
        if self._exists(job):
            self._put(job, {"phase": "Running"})
            fault = _fault(job)
            asyncio.get_running_loop().call_later(2.0 if fault else _work(job), self._end, job)

    def _end(self, job: Object) -> None:
        fault = _fault(job)
        if not self._exists(job):
            return
        if fault == "lost":
            self._put(job, {"phase": "Running"}, deletionTimestamp=virtual.now().isoformat())
        elif fault == "evicted":
            self._put(job, {"phase": "Failed", "reason": "Evicted", "containerStatuses": []})
            self._finish(job, "Failed")
        elif fault == "sidecar":
            self._put(job, {"phase": "Running"}, ended=True)
        else:
            self._put(job, {"phase": "Succeeded"}, ended=True)
            self._finish(job, "Complete")

    def _put(self, job: Object, state: Object, *, ended: bool = False, **meta: str) -> None:
        labels = job["metadata"]["labels"]
        uid, attempt = labels[naming.UID_LABEL], int(labels[naming.ATTEMPT_LABEL])
        done = {"bytesTotal": 10, "bytesDone": 10, "bytesNetwork": 10, "filesTotal": 1, "filesDone": 1}
        words = harness.words(uid, attempt, progress=done) if ended else None
        raw = harness.pod(uid, attempt, job["metadata"]["uid"], words=words, **state)
        name = self.pods[job["metadata"]["uid"]]
        namespace = job["metadata"]["namespace"]
        where = {"name": name, "namespace": namespace, "uid": f"{namespace}/{name}"}
        raw["metadata"] |= {**where, "creationTimestamp": virtual.now().isoformat(), **meta}
        self.simulation.api.put(PODS, raw)

    def _finish(self, job: Object, kind: str) -> None:
        condition = {"type": kind, "status": "True", "lastTransitionTime": virtual.now().isoformat()}
        self.simulation.api.put(JOBS, {**job, "status": {"conditions": [condition]}})

    def _exists(self, job: Object) -> bool:
        key = ("jobs", job["metadata"]["namespace"], job["metadata"]["name"])
        found = self.simulation.api.objects.get(key)
        return found is not None and found["metadata"]["uid"] == job["metadata"]["uid"]

    def _remove(self, job: Object) -> None:
        name = self.pods.pop(job["metadata"]["uid"], None)
        if name is not None and ("pods", job["metadata"]["namespace"], name) in self.simulation.api.objects:
            self.simulation.api.remove(PODS, job["metadata"]["namespace"], name)


class Talking:
    """A channel to workers that are half done."""

    async def progress(self, pod: snapshot.PodRecord) -> bytes:
        """A report."""
        done = {"bytesTotal": 10, "bytesDone": 5, "bytesNetwork": 5}
        report = {"version": 1, "uid": pod.sync_uid, "attempt": pod.attempt, "stage": "Downloading"}
        return json.dumps({**report, "progress": done}).encode()

    async def limit(self, pod: snapshot.PodRecord, request: object) -> None:
        """No limit."""

    async def close(self) -> None:
        """Nothing to close."""


def _fault(job: Object) -> str:
    namespace = str(job["metadata"]["namespace"])
    return namespace.removeprefix("bad-") if namespace.startswith("bad-") else ""


def _work(job: Object) -> float:
    """Seconds that a download takes: 30 to 90, by its name."""
    name = f"{job['metadata']['namespace']}/{job['metadata']['name']}"
    return 30 + 60 * hashlib.sha256(name.encode()).digest()[0] / 255


async def play(*, bad: int, good: int, slots: int) -> Outcome:
    """Run so many ModelSyncs in each broken and in each good namespace to the end of the good ones."""
    began = time.monotonic()
    simulation = Simulation(max_active=slots, channel=Talking())
    nodes, complete, taken_back = Nodes(simulation), set[str](), list[str]()

    def watch(kind: str, plural: str, raw: Object) -> None:
        phase, uid = raw.get("status", {}).get("phase"), raw["metadata"].get("uid", "")
        if plural == "modelsyncs" and phase == "Complete":
            complete.add(uid)
        elif plural == "modelsyncs" and uid in complete:
            taken_back.append(uid)

    simulation.api.listeners += [nodes.listen, watch]
    simulation.api.faults.append(fake_api.hangs("POST", "namespaces/bad-webhook-timeout/jobs", 3600))
    for fault, (code, reason, said) in REFUSALS.items():
        answers = [fake_api.status(code, reason, said)] * 100_000
        simulation.api.faults.append(fake_api.fails("POST", f"namespaces/bad-{fault}/jobs", *answers))
    secret = {"huggingFace": {"repository": "org/name", "secretRef": {"name": "t"}}}
    for fault in REASONS if bad else ():
        raws = [sync(f"s{n}", f"bad-{fault}") for n in range(bad)]
        for raw in raws:
            raw["spec"] |= {"source": secret} if fault == "secret" else {}
        simulation.add(*raws)
    fine = {f"uid-good-{space}-s{n}" for space in range(GOOD) for n in range(good)}
    simulation.add(*[sync(f"s{n}", f"good-{space}") for space in range(GOOD) for n in range(good)])
    looks = start_diagnosis.Diagnosis(simulation.client, simulation.known, may_act=lambda: True)
    async with simulation.running():
        looking = asyncio.create_task(looks.run())
        seconds = await simulation.until(lambda: len(fine & complete) >= 0.9 * len(fine), 36_000)
        await simulation.until(lambda: fine <= complete, 3600)
        looking.cancel()
    plans, in_time = simulation.plan_waits()
    reasons: dict[str, set[str]] = {}
    for (plural, namespace, name), _ in list(simulation.api.objects.items()):
        if plural == SYNCS.plural and namespace.startswith("bad-"):
            reasons.setdefault(namespace[4:], set()).add(simulation.ready(namespace, name)[0])
    return Outcome(seconds, plans, in_time, taken_back, reasons, time.monotonic() - began)


def run(*, bad: int, good: int, slots: int) -> Outcome:
    """`play` in virtual time."""
    with asyncio.Runner(loop_factory=virtual.Loop) as runner:
        return runner.run(play(bad=bad, good=good, slots=slots))


if __name__ == "__main__":
    each_bad, each_good, free = (int(text) for text in sys.argv[1:4])
    alone, mixed = run(bad=0, good=each_good, slots=free), run(bad=each_bad, good=each_good, slots=free)
    for outcome in (alone, mixed):
        took = timedelta(seconds=round(outcome.seconds))
        print(
            f"{took} virtual, {outcome.real:.0f} s real, {outcome.in_time} of {outcome.plans} plans in time"
        )
    print(f"throughput {alone.seconds / mixed.seconds:.3f}, taken back {mixed.taken_back}")
    for fault, reasons in mixed.reasons.items():
        print(f"  {fault}: {', '.join(sorted(reasons))}")
