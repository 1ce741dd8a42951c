"""The ports of the operator: whoever can connect takes no memory of it and no probe."""

import functools
import inspect
import threading
import time
from collections.abc import Callable, Iterator

from modelsync.api import naming
from tests.attacks.case import Attack, Ground, Outcome
from tests.e2e import kube, release
from tests.runtime import floods, served

_HOST, _ATTACKER, _KUBELET, _PROMETHEUS = "127.0.0.1", "127.66.0.1", "127.0.0.1", "127.0.0.3"
_MOST_MEMORY = 8 * 1024 * 1024
_SHORT = ("unfinished heads of 800 KB", "answers that nobody reads")
Flood = Callable[..., int]


def _floods(full: bool) -> dict[str, Flood]:
    kinds = floods.KINDS if full else _SHORT
    held: dict[str, Flood] = {
        kind: functools.partial(floods.hold, kind, _HOST, source=_ATTACKER) for kind in kinds
    }
    return {**held, "requests without a pause": functools.partial(floods.hurry, _HOST, source=_ATTACKER)}


def _probed(flood: Flood, port: int, seconds: float, health: int, metrics: int) -> str:
    """Flood one port while both are asked as the kubelet and Prometheus do."""
    flooding = threading.Thread(target=flood, args=(port, seconds))
    flooding.start()
    problems, asked = set(), 0
    while flooding.is_alive():
        asked += 1
        problems.add(floods.probe(_HOST, health, "/healthz", _KUBELET))
        problems.add(floods.probe(_HOST, metrics, "/metrics", _PROMETHEUS))
        flooding.join(0.2)
    problems.discard("")
    return f"of {asked} probes: {', '.join(sorted(problems))}" if problems else ""


def flooded(full: bool) -> Iterator[Outcome]:
    """Each flood against the two ports, by processes on loopback with addresses of their own."""
    with served.serving() as found:
        floods.probe(_HOST, found.metrics_port, "/metrics")
        ports = ((found.metrics_port, "metrics"), (found.health_port, "health"))
        for name, flood in _floods(full).items():
            for port, word in ports if full else ports[:1]:
                before = found.memory()
                problem = _probed(flood, port, 3.0 if full else 0.5, found.health_port, found.metrics_port)
                grown = found.memory("VmHWM") - before
                if not problem and grown > _MOST_MEMORY:
                    problem = f"{grown / 2**20:.0f} MiB more memory"
                yield f"{name}, port for {word}", problem


def flooded_by_pods(full: bool) -> Iterator[Outcome]:
    """All floods at once, each by a Pod of another namespace, every second one against the probes' port."""
    kinds = (*floods.KINDS, "hurry", "hurry")
    seconds = 20 if full else 6
    operator = release.operator_pod()
    address, before = operator["status"]["podIP"], _state(operator)
    with kube.namespace("attack-ports") as space:
        ports = (naming.METRICS_PORT, naming.HEALTH_PORT)
        kube.apply(
            *(
                _flooding(f"flood-{number}", space, kind, address, ports[number % 2], seconds)
                for number, kind in enumerate(kinds)
            )
        )
        problems, asked, end = set(), 0, time.monotonic() + 90
        while time.monotonic() < end and len(_ended(space)) < len(kinds):
            asked += 1
            problems.add(floods.probe(address, naming.HEALTH_PORT, "/readyz"))
        problems.discard("")
        yield f"{asked} probes meanwhile", ", ".join(sorted(problems))
        ended = _ended(space)
        yield f"{len(kinds)} Pods flood", "" if len(ended) == len(kinds) else f"only {ended} ran"
        after = _state(release.operator_pod())
        yield "the kubelet's probes", "" if after == before else f"{before} before, {after} after"


def _state(operator: kube.Object) -> tuple[object, ...]:
    """The Pod, its restarts, and since when it is ready."""
    status = operator["status"]
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    restarts = status["containerStatuses"][0]["restartCount"]
    return operator["metadata"]["uid"], restarts, ready["status"], ready["lastTransitionTime"]


def _flooding(name: str, space: str, kind: str, address: str, port: int, seconds: float) -> kube.Object:
    pod = kube.pod_on_claim(name, space, "none", release.IMAGE, inspect.getsource(floods))
    (container,) = pod["spec"]["containers"]
    container["command"] += [kind, address, str(port), str(seconds)]
    del container["volumeMounts"], pod["spec"]["volumes"]
    return pod


def _ended(space: str) -> list[str]:
    pods = kube.get("pods", namespace=space)
    return [pod["metadata"]["name"] for pod in pods if pod["status"].get("phase") == "Succeeded"]


ATTACKS = (
    Attack(topic="ports", name="floods of the operator's ports", how=Ground.LOOPBACK, run=flooded),
    Attack(
        topic="ports",
        name="floods of the operator's ports by Pods",
        how=Ground.CLUSTER,
        run=flooded_by_pods,
        in_tests=False,
    ),
)
