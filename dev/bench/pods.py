"""Runs a case in Pods with a memory limit, on a real kubelet: there the page cache counts against the limit.

A cluster of its own, made for the case and removed after it; the origin listens at the node's address within
the cluster's network. One Pod a run, since a control group's peak cannot be set back.
"""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dev import image
from dev import target as targets
from dev.bench import engines, measure, origin
from dev.bench.cases import POD_MEMORY_MIB, Case
from dev.bench.data import FileSet
from dev.bench.job import DRIVERS, Engine
from dev.bench.measure import BenchError, Usage
from dev.bench.places import Unavailable
from dev.cluster import layout

NAME, NODES = "bench", 2
PORT = 18080
SCRIPTS, DATA = "/bench", "/data"
RUN_SECONDS = 300.0
Kubectl = Callable[..., str]
_ENDED = ".status.containerStatuses[0].state.terminated.reason"


def run(
    case: Case, files: FileSet, repeats: int, folder: Path, say: Callable[[str], None]
) -> dict[str, list[Usage]]:
    """All runs of a case, in turns; by engine."""
    if os.geteuid() != 0:
        raise Unavailable("the cluster needs root")
    results: dict[str, list[Usage]] = {engine.name: [] for engine in case.engines}
    with _cluster() as kubectl:
        prefix = ("nsenter", f"--net={layout.Cluster(NAME).namespace_path}", "--")
        hub, cdn = (node.address for node in layout.Cluster(NAME, NODES).nodes)
        with origin.serving(
            files, folder / "origin", addresses=(hub, cdn), port=PORT, prefix=prefix
        ) as served:
            _put_scripts(kubectl, files, served.cdn_url())
            for turn in range(repeats):
                shift = turn % len(case.engines)
                for engine in case.engines[shift:] + case.engines[:shift]:
                    os.sync()
                    try:
                        used, group = _one(kubectl, f"run-{turn}", engine, files, served)
                    except BenchError as error:
                        if engine.name == engines.MODELSYNC:
                            raise
                        say(f"    {error}")
                        continue
                    results[engine.name].append(used)
                    line = measure.line(engine.name, files.size, used)
                    say(f"{line}, its group {group >> 20} MiB with page cache")
    return {name: runs for name, runs in results.items() if runs}


@contextlib.contextmanager
def _cluster() -> Iterator[Kubectl]:
    tool = [*targets.PYTHON, "-m", "dev.cluster"]

    def call(*words: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            [*tool, *words], cwd=targets.REPOSITORY, input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchError(f"dev.cluster {' '.join(words)[:200]}: {(done.stderr or done.stdout)[-800:]}")
        return done.stdout

    try:
        archive = image.build()
        call("start", "--name", NAME, "--nodes", str(NODES))
    except (BenchError, RuntimeError) as error:
        raise Unavailable(f"no cluster: {error}") from None
    try:
        call("load-image", "--name", NAME, str(archive))
        yield lambda *words, stdin=None: call("exec", "--name", NAME, "--", "kubectl", *words, stdin=stdin)
    finally:
        call("stop", "--name", NAME)


def _put_scripts(kubectl: Kubectl, files: FileSet, cdn: str) -> None:
    pairs = [(cdn + file.path, f"{DATA}/target/{file.path}") for file in files.files]
    content = {path.name: path.read_text() for path in sorted(DRIVERS.glob("*.py"))}
    content["wanted.json"] = json.dumps(pairs)
    content["manifest.json"] = json.dumps({file.path: file.sha256 for file in files.files})
    scripts = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bench"}, "data": content,
    }  # fmt: skip
    kubectl("apply", "-f", "-", stdin=json.dumps(scripts))


def _one(
    kubectl: Kubectl, name: str, engine: Engine, files: FileSet, served: origin.Origin
) -> tuple[Usage, int]:
    """One Pod from its start to its end; what its commands cost, and the control group's peak in bytes."""
    phases = [_command(engine, files, served.url())]
    if engine.needs_pass:
        expected = f"{SCRIPTS}/manifest.json"
        phases.append(["python3", f"{SCRIPTS}/verify.py", expected, f"{DATA}/target", "--fsync"])
    kubectl("apply", "-f", "-", stdin=json.dumps(_pod(name, phases, served.url())))
    try:
        phase = _ended(kubectl, name)
        log = kubectl("logs", name)
        found = [line for line in log.splitlines() if line.startswith("cost ")]
        if phase != "Succeeded" or not found:
            why = kubectl("get", "pod", name, "-o", f"jsonpath={{{_ENDED}}}")
            raise BenchError(f"{engine.name} in a Pod: {phase} {why}: {log[-600:]}")
    finally:
        kubectl("delete", "pod", name, "--grace-period=0", "--force", "--ignore-not-found")
    cost: dict[str, Any] = json.loads(found[0].removeprefix("cost "))
    used = Usage(wall_s=cost["wall_s"], cpu_s=cost["cpu_s"], peak_mib=cost["peak_kib"] / 1024)
    return used, int(cost["group_bytes"])


def _command(engine: Engine, files: FileSet, endpoint: str) -> list[str]:
    """What the image runs for an engine."""
    if engine.name == engines.MODELSYNC:
        places = ["--to", f"{DATA}/target", "--endpoint", endpoint]
        return ["modelsync", "pull", f"hf://{origin.REPOSITORY}", *places, "--json"]
    if engine.name == engines.HF_TRANSFER.name:
        return ["python3", f"{SCRIPTS}/by_hf_transfer.py", f"{SCRIPTS}/wanted.json"]
    if engine.name == engines.HUB.name:
        return ["hf", "download", origin.REPOSITORY, "--local-dir", f"{DATA}/target", "--quiet"]
    mode = engines.WRITE_MODES[engine.name]
    return ["python3", f"{SCRIPTS}/write_modes.py", mode, f"{DATA}/file", str(files.size >> 20)]


def _pod(name: str, phases: list[list[str]], endpoint: str) -> dict[str, Any]:
    variables = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": f"{DATA}/hf",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    memory = {"memory": f"{POD_MEMORY_MIB}Mi"}
    container = {
        "name": "bench",
        "image": image.NAME,
        "imagePullPolicy": "Never",
        "command": ["python3", f"{SCRIPTS}/in_pod.py", json.dumps(phases)],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "resources": {"limits": memory, "requests": memory},
        "volumeMounts": [{"name": "data", "mountPath": DATA}, {"name": "scripts", "mountPath": SCRIPTS}],
    }
    volumes = [{"name": "data", "emptyDir": {}}, {"name": "scripts", "configMap": {"name": "bench"}}]
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"fsGroup": 65532},
        "containers": [container],
        "volumes": volumes,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def _ended(kubectl: Kubectl, name: str) -> str:
    end = time.monotonic() + RUN_SECONDS
    while time.monotonic() < end:
        phase = kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}")
        if phase in ("Succeeded", "Failed"):
            return phase
        time.sleep(1.0)  # seldom: each look costs a kubectl, on the cores that are measured
    raise BenchError(f"the Pod {name} did not end within {RUN_SECONDS:.0f} s")
