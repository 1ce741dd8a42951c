"""The demo's steps on the cluster: install, apply, watch, compare, open."""

import json
import shlex
import subprocess
from typing import Any

from dev import image, kube, occupied
from dev import target as targets
from dev.demo import scripts
from dev.demo.origin import Origin

NAMESPACE, NAME, CLAIM = "demo", "minilm", "models"
SYSTEM, RELEASE = occupied.SYSTEM, occupied.RELEASE


def say(step: str, what: str) -> None:
    """Announce a step."""
    print(f"\n=== {step} {what}", flush=True)


def show(target: targets.Target, *command: str) -> None:
    """Print a command and run it, as a user would type it."""
    print(f"$ {shlex.join(command)}", flush=True)
    subprocess.run([*target.prefix, *command], cwd=targets.REPOSITORY, check=True)


def output(target: targets.Target, *command: str, stdin: str | None = None) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(
        [*target.prefix, *command],
        cwd=targets.REPOSITORY,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise targets.TargetError(f"{shlex.join(command)}: {done.stderr.strip()}")
    return done.stdout


def apply(target: targets.Target, *objects: dict[str, Any]) -> None:
    """`kubectl apply` of some objects."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    output(target, "kubectl", "apply", "-f", "-", stdin=text)


def run(target: targets.Target, origin: Origin) -> bool:
    """Install, sync, compare, open; returns whether every file is right and the model opens."""
    say("3/6", "the operator, by Helm")
    _namespace(target, SYSTEM)
    show(
        target, "helm", "upgrade", "--install", RELEASE, "charts/modelsync", "--namespace", SYSTEM,
        "--set", f"image.repository={image.REPOSITORY},image.tag={image.TAG}",
        *(("--set", f"config.worker.addresses.allowed={{{origin.address}}}") if origin.address else ()),
        "--set", occupied.chart_setting(occupied.Maker.DEMO), "--wait", "--timeout", "120s",
    )  # fmt: skip
    say("4/6", "a ModelSync")
    _namespace(target, NAMESPACE)
    source: dict[str, Any] = {"repository": origin.repository}
    if origin.endpoint:
        source["endpoint"] = origin.endpoint
    apply(
        target,
        kube.claim(CLAIM, NAMESPACE),
        kube.sync(NAME, NAMESPACE, {"huggingFace": source}, CLAIM, sub_path="model"),
    )
    if not _watch(target):
        show(target, "kubectl", "describe", "modelsync", NAME, "--namespace", NAMESPACE)
        return False
    say("5/6", "every file against the origin")
    correct = _compare(target, origin)
    say("6/6", "a Pod that mounts the claim opens the model")
    print(_pod(target, "open", image.READER, scripts.OPEN), end="", flush=True)
    return correct


def _namespace(target: targets.Target, name: str) -> None:
    labels = {**kube.RESTRICTED, occupied.LABEL: str(occupied.Maker.DEMO)}
    apply(target, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})


def _watch(target: targets.Target) -> bool:
    """Show `kubectl get modelsyncs -w` until the sync ends; returns whether it is Complete."""
    command = ["kubectl", "get", "modelsyncs", "--namespace", NAMESPACE, "--watch"]
    print(f"$ {shlex.join(command)}", flush=True)
    process = subprocess.Popen([*target.prefix, *command], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            words = line.split()
            if len(words) > 1 and words[1] in ("Complete", "Failed"):
                return words[1] == "Complete"
        return False
    finally:
        process.terminate()
        process.wait(10)


def _compare(target: targets.Target, origin: Origin) -> bool:
    found = json.loads(_pod(target, "hashes", image.NAME, scripts.HASHES))
    correct = True
    for path, (algorithm, wanted) in origin.digests.items():
        got = found.pop(path, {}).get(algorithm)
        correct &= got == wanted
        print(f"{'ok      ' if got == wanted else 'WRONG   '} {algorithm} {wanted[:16]}…  {path}")
    for path in found:
        correct = False
        print(f"FOREIGN  {path}")
    return correct


def _pod(target: targets.Target, name: str, picture: str, code: str) -> str:
    """Run Python code in a Pod on the claim; returns its log."""
    output(target, "kubectl", "delete", "pod", name, "-n", NAMESPACE, "--ignore-not-found")
    apply(target, kube.pod_on_claim(name, NAMESPACE, CLAIM, picture, code))
    output(
        target, "kubectl", "wait", f"pod/{name}", "-n", NAMESPACE, "--timeout=120s",
        "--for=jsonpath={.status.phase}=Succeeded",
    )  # fmt: skip
    return output(target, "kubectl", "logs", name, "-n", NAMESPACE)


def clean_up(target: targets.Target) -> None:
    """Remove what the demo made, by its label; never raises, so that it can run after any failure."""
    try:
        occupied.Cluster(prefix=target.prefix).clean_up(occupied.Maker.DEMO)
    except targets.TargetError as error:
        print(f"demo: not cleaned up: {error}", flush=True)


def say_how_to_look_around(target: targets.Target) -> None:
    """What to type next, and how to clean up."""
    shell = "python -m dev.cluster shell      # then:\n  " if target.ours else ""
    fix = "make cluster-down" if target.ours else f"helm uninstall {RELEASE} -n {SYSTEM}"
    print(
        f"""
Look around:
  {shell}kubectl get modelsyncs -A -o wide
  kubectl describe modelsync {NAME} -n {NAMESPACE}
  kubectl explain modelsync.spec.source.huggingFace
Clean up:
  kubectl delete namespace {NAMESPACE}; {fix}""",
        flush=True,
    )
